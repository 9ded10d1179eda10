//! The other module's class, on the bucket that stays readable for ever.

use understudy::ledger::{Block, Cluster, ClusterId, Codec, Dir, Document, Pack, Sum, Term, WriterId};
use understudy::ledger::{FilePiece, Head, Kind, Object, Place, Run, TableEntry, Token, What};
use understudy::wal::TableKind;
use understudy::web::ledger::Ledger;
use wasm_bindgen_test::wasm_bindgen_test;

const V1: &[(&str, &[u8])] = &[
    (
        "log/1-0123456789abcdef0123456700000001/00000000/0000000000000000.pack",
        include_bytes!(
            "../data/ledger/v1/log/1-0123456789abcdef0123456700000001/00000000/0000000000000000.pack"
        ),
    ),
    (
        "log/1-0123456789abcdef0123456700000001/00000000/0000000000000001.pack",
        include_bytes!(
            "../data/ledger/v1/log/1-0123456789abcdef0123456700000001/00000000/0000000000000001.pack"
        ),
    ),
    (
        "log/1-0123456789abcdef0123456700000001/00000000/0000000000000002.pack",
        include_bytes!(
            "../data/ledger/v1/log/1-0123456789abcdef0123456700000001/00000000/0000000000000002.pack"
        ),
    ),
    (
        "log/2-0123456789abcdef0123456700000002/00000000/0000000000000003.pack",
        include_bytes!(
            "../data/ledger/v1/log/2-0123456789abcdef0123456700000002/00000000/0000000000000003.pack"
        ),
    ),
];
const CLUSTER: &[u8] = include_bytes!("../data/ledger/v1/cluster.json");

/// Reads to the end; what the last step said.
fn follow(ledger: &mut Ledger, objects: &[(&str, &[u8])]) -> serde_json::Value {
    loop {
        let step: serde_json::Value = serde_json::from_str(&ledger.next()).expect("JSON");
        let Some(key) = step["get"].as_str() else { return step };
        let found = objects.iter().find(|(name, _)| *name == key);
        ledger.give(found.map(|(_, bytes)| bytes.to_vec()));
    }
}

#[wasm_bindgen_test]
fn the_first_buckets_history_is_told() {
    let mut ledger = Ledger::new(CLUSTER, 1e6).expect("a cluster");
    assert_eq!(follow(&mut ledger, V1)["idle"], true);
    let passed: serde_json::Value = serde_json::from_str(&ledger.passed(0.0)).expect("JSON");
    let passed = passed.as_array().expect("a list");
    assert_eq!(passed.len(), 4);
    assert_eq!(passed.iter().filter(|object| !object["seal"].is_null()).count(), 1);
    let state: serde_json::Value = serde_json::from_str(&ledger.state()).expect("JSON");
    assert_eq!((&state["next"], state["terms"].as_array().map(Vec::len)), (&4.into(), Some(2)));
}

#[wasm_bindgen_test]
fn a_byte_that_flipped_stops_it() {
    let mut wrong = V1[1].1.to_vec();
    wrong[140] ^= 1;
    let objects = [V1[0], (V1[1].0, &wrong[..])];
    let mut ledger = Ledger::new(CLUSTER, 1e6).expect("a cluster");
    let stopped = follow(&mut ledger, &objects);
    assert!(stopped["stopped"].as_str().expect("a reason").contains("0000000000000001.pack"));
    assert!(Ledger::new(b"{}", 1e6).is_err());
}

#[wasm_bindgen_test]
fn bytes_of_files_come_from_the_objects_that_have_them() {
    let dir = Dir { term: Term(1), writer: WriterId(7) };
    let cluster = Cluster::new(ClusterId(3), dir);
    let place = Place { dir, n: 0 };
    let content: Vec<u8> = (0..40_000u32).flat_map(u32::to_le_bytes).collect();
    let block = Block::of(content.clone().into(), Codec::Lz4).expect("a block");
    let files = vec![FilePiece { path: "wal1/0/x.d".into(), offset: 16, block }];
    let run = Run { first_seq_txn: 1, part_size: 0, records: vec![vec![0; 28].into()], files };
    let token = Token { dir: "t~1".into(), id: 1, name: "t".into(), kind: TableKind::Wal };
    let pack = Pack { tables: vec![TableEntry { token, what: What::Transactions(run) }], ..Pack::default() };
    let head = Head { cluster: cluster.cluster, place, committed_us: 5, before: Sum::ZERO, kind: Kind::Pack };
    let object: Object = pack.encode(head, None).expect("a pack");
    let key = place.key().to_string();
    // With no room, the object is let go as soon as the next block is wanted.
    let mut ledger = Ledger::new(&cluster.to_bytes().expect("JSON"), 0.0).expect("a cluster");
    follow(&mut ledger, &[(&key, &object.bytes()[..])]);
    assert_eq!(ledger.size("t~1/wal1/0/x.d"), 16.0 + content.len() as f64);
    assert_eq!(ledger.size("t~1/none"), -1.0);
    let read = ledger.read("t~1/wal1/0/x.d", 20.0, 40.0).expect("no error");
    assert_eq!(read.as_deref(), Some(&content[4..24]));
    assert!(ledger.read("t~1/wal1/0/x.d", 0.0, 40.0).is_err(), "nobody sent these");
    let mut wrong = object.bytes().to_vec();
    wrong[200] ^= 1;
    assert!(ledger.put(&key, wrong).is_err());
    ledger.put(&key, object.bytes().to_vec()).expect("its own bytes");
    let changes = ledger.changes();
    assert!(changes.contains("[\"t~1/wal1/0/x.d\",true]") && changes.contains("tables.d.0"), "{changes}");
}
