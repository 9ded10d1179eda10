//! The objects of the replicated log as bytes: those of version 1 for ever, any contents, and bytes that nobody meant.

use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use understudy::ledger::*;
use understudy::table::Digest;
use understudy::wal::TableKind;

type Bucket = BTreeMap<Key, bytes::Bytes>;

fn dir(term: u64) -> Dir {
    Dir { term: Term(term), writer: WriterId(0x0123_4567_89ab_cdef_0123_4567_0000_0000 + u128::from(term)) }
}

fn token(name: &str) -> Token {
    Token { dir: format!("{name}~7"), id: 7, name: name.to_owned(), kind: TableKind::Wal }
}

fn piece(path: &str, offset: u64, block: Block) -> FilePiece {
    FilePiece { path: path.to_owned(), offset, block }
}

/// 25 times `a`, compressed by hand: what a compressor makes may change.
fn lz4() -> Block {
    let stored = [0x1f, b'a', 1, 0, 0, 0x50, b'a', b'a', b'a', b'a', b'a'];
    Block::compressed(Codec::Lz4, 25, stored.to_vec().into())
}

/// `xyz` in a zstd frame of one raw block.
fn zstd() -> Block {
    let stored = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 0x19, 0, 0, b'x', b'y', b'z'];
    Block::compressed(Codec::Zstd, 3, stored.to_vec().into())
}

fn stored(bytes: &[u8]) -> Block {
    Block::of(bytes.to_vec().into(), Codec::Stored).expect("storing needs no compressor")
}

/// A pack with every kind of entry.
fn everything(blob: Sum) -> Pack {
    let by_reference = Block { held: Held::Blob(blob), offset: 0, ..stored(b"a blob") };
    let files = vec![
        piece("wal12/0/_event", 8, stored(b"event")),
        piece("wal12/0/ts.d", 160, lz4()),
        piece("wal12/0/größe.d", 0, zstd()),
        piece("wal12/0/big.d", 1 << 40, by_reference),
    ];
    let records = vec![vec![1; 28].into(), vec![2; 28].into()];
    let whats = [
        What::Created { files: vec![piece("txn_seq/_meta", 0, stored(b"meta"))] },
        What::Transactions(Run { first_seq_txn: 1, part_size: 0, records, files }),
        What::Renamed { to: "trades2".to_owned() },
        What::Base { seq_txn: 5, manifest: blob, manifest_len: 6, why: "it was there before".to_owned() },
        What::Digests { digests: vec![(8, Digest(1)), (9, Digest(u128::MAX))] },
        What::Dropped,
    ];
    Pack {
        tables: whats.map(|what| TableEntry { token: token("trades"), what }).into(),
        handover: Some("replica-2".to_owned()),
        answers: vec![RequestAnswer { request: 3, done: false, text: "no such table".to_owned() }],
    }
}

/// A small bucket: packs 0 and 1, a seal at 2, pack 3 of the next term, a snapshot and a boundary record.
fn version_1() -> Bucket {
    let blob = bytes::Bytes::from_static(b"a blob");
    let cluster = Cluster::new(ClusterId(0xc1), dir(1));
    let mut bucket = Bucket::from([(Key::Blob(Sum::of(&blob)), blob.clone())]);
    let mut point = Point::start(&cluster);
    for n in 0..4 {
        let Point { cluster, next, before, .. } = point;
        let committed_us = 1_700_000_000_000_000 + n as i64;
        let head = Head { cluster, place: next, committed_us, before, kind: Kind::Pack };
        let object = match n {
            0 => everything(Sum::of(&blob)).encode(head, None).expect("it is small"),
            2 => Object::bare(Head { kind: Kind::Seal { next: dir(2) }, ..head }, None),
            3 => Pack::default().encode(head, Some(&Signer::new(&[7; 32]))).expect("it is small"),
            _ => Pack::default().encode(head, None).expect("it is small"),
        };
        bucket.insert(next.key(), object.bytes().clone());
        point = behind(&point, &object);
    }
    let part = Part { name: "trades~7".to_owned(), sum: Sum::of(&blob), bytes: 6 };
    let manifest = point.manifest(vec![part], None).expect("there are objects");
    bucket.insert(Key::Cluster, cluster.to_bytes().expect("it is small"));
    bucket.insert(Key::Snapshot(3), manifest.to_bytes().expect("it is small"));
    let record = Boundary::new(cluster.cluster, 0, 3);
    bucket.insert(Key::Clean(0), record.to_bytes().expect("it is small"));
    bucket
}

/// The point behind an object, as a reader gets there.
fn behind(point: &Point, object: &Object) -> Point {
    let mut reader = Reader::new(point.clone());
    for answer in [GetAnswer::NotFound, GetAnswer::Found(object.bytes().clone()), GetAnswer::NotFound] {
        reader.got(&answer);
    }
    reader.point().clone()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/ledger/v1")
}

/// All of what version 1 wrote is there, and what is written now is the same.
#[test]
fn version_1_is_written_byte_for_byte() {
    for (key, bytes) in version_1() {
        let path = folder().join(key.to_string());
        let kept = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(kept, bytes, "{key}");
    }
}

#[test]
fn version_1_is_read_to_its_end() {
    let bucket: Bucket = version_1()
        .into_keys()
        .map(|key| (key, std::fs::read(folder().join(key.to_string())).expect("it is kept").into()))
        .collect();
    let cluster = Cluster::read(Key::Cluster, &bucket[&Key::Cluster]).expect("the cluster reads");
    let mut reader = Reader::of(&cluster);
    let mut packs = Vec::new();
    loop {
        let Some(Action::Get { key }) = reader.next() else { panic!("the reader asks for nothing") };
        let answer = bucket.get(&key).cloned().map_or(GetAnswer::NotFound, GetAnswer::Found);
        match reader.got(&answer) {
            Some(Event::Pack(object)) => packs.push((object.pack().expect("the pack reads"), object)),
            Some(Event::Missing) => break,
            Some(Event::Followed(_)) | None => {}
            Some(event) => panic!("{event:?}"),
        }
    }
    let manifest = Manifest::read(Key::Snapshot(3), &bucket[&Key::Snapshot(3)]).expect("the manifest reads");
    assert_eq!(reader.point(), &Point::behind(&manifest));
    assert_eq!(packs.len(), 3);
    assert!(verify(&packs[2].1, &Signer::new(&[7; 32]).public()));
    let What::Transactions(Run { files, .. }) = &packs[0].0.tables[1].what else {
        panic!("transactions come second")
    };
    let key = packs[0].1.head().place.key();
    let texts: Vec<_> = files[..3].iter().map(|piece| piece.block.unpack(key).expect("it opens")).collect();
    assert_eq!(texts, ["event", "aaaaaaaaaaaaaaaaaaaaaaaaa", "xyz"]);
    let blob = &bucket[&Key::Blob(Sum::of(b"a blob"))];
    assert_eq!(files[3].block.unpack_blob(blob).expect("it is the blob"), "a blob");
}

/// Writes the files anew; only for a new version of the format, beside the old ones.
#[test]
#[ignore = "writes tests/data/ledger/v1"]
fn write_version_1() {
    for (key, bytes) in version_1() {
        let path = folder().join(key.to_string());
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(path, bytes).expect("the file can be written");
    }
}

fn head() -> Head {
    let place = Place { dir: dir(1), n: 4 };
    Head { cluster: ClusterId(1), place, committed_us: 5, before: Sum::of(b"before"), kind: Kind::Pack }
}

fn block() -> impl Strategy<Value = Block> {
    let raw =
        prop_oneof![vec(any::<u8>(), 0..200), (any::<u8>(), 0..2000usize).prop_map(|(b, n)| vec![b; n])];
    (raw, any::<bool>(), any::<[u8; 32]>(), 0..10u8).prop_map(|(raw, lz4, sum, chance)| {
        let codec = if lz4 { Codec::Lz4 } else { Codec::Stored };
        let block = Block::of(raw.into(), codec).expect("both are at hand");
        if chance == 0 { Block { held: Held::Blob(Sum(sum)), ..block } } else { block }
    })
}

fn pieces() -> impl Strategy<Value = Vec<FilePiece>> {
    vec(("[a-zü]{1,8}(/[a-z0-9_.]{2,5}x){0,3}", 0..i64::MAX as u64, block()), 0..4).prop_map(|pieces| {
        pieces.into_iter().map(|(path, offset, block)| piece(&path, offset, block)).collect()
    })
}

fn what() -> impl Strategy<Value = What> {
    let number = || 0..i64::MAX as u64;
    let record = vec(any::<u8>(), 0..100).prop_map(bytes::Bytes::from);
    prop_oneof![
        (number(), 0..i32::MAX as u32, vec(record, 0..4), pieces()).prop_map(
            |(first_seq_txn, part_size, records, files)| {
                What::Transactions(Run { first_seq_txn, part_size, records, files })
            }
        ),
        pieces().prop_map(|files| What::Created { files }),
        "\\PC{0,20}".prop_map(|to| What::Renamed { to }),
        Just(What::Dropped),
        (number(), any::<[u8; 32]>(), number(), "\\PC{0,20}").prop_map(
            |(seq_txn, sum, manifest_len, why)| What::Base { seq_txn, manifest: Sum(sum), manifest_len, why }
        ),
        vec((number(), any::<u128>().prop_map(Digest)), 0..4).prop_map(|digests| What::Digests { digests }),
    ]
}

fn packs() -> impl Strategy<Value = Pack> {
    let tables = vec(("[a-z]{1,9}", what()), 0..4);
    let answers = vec((0..i64::MAX as u64, any::<bool>(), "\\PC{0,20}"), 0..3);
    (tables, proptest::option::of("[a-z]{1,9}"), answers).prop_map(|(tables, handover, answers)| Pack {
        tables: tables.into_iter().map(|(name, what)| TableEntry { token: token(&name), what }).collect(),
        handover,
        answers: answers
            .into_iter()
            .map(|(request, done, text)| RequestAnswer { request, done, text })
            .collect(),
    })
}

/// Reads all of an object; what is let through can be written again, as the same bytes.
fn read_all(bytes: bytes::Bytes) {
    let object = match Object::read(head().place, bytes.clone()) {
        Ok(object) => object,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let Ok(pack) = object.pack() else { return };
    let again = pack.encode(*object.head(), None).expect("what was read can be written");
    if object.signature().is_none() {
        assert_eq!(again.bytes(), &bytes);
    }
    for entry in &pack.tables {
        if let What::Transactions(Run { files, .. }) | What::Created { files } = &entry.what {
            for piece in files {
                // Memory is bounded by the format's limits, whatever is declared.
                let _ = piece.block.unpack(head().place.key());
            }
        }
    }
}

/// The bytes with a hash that fits them again: what somebody makes who means harm.
fn hashed(mut bytes: Vec<u8>) -> bytes::Bytes {
    let at = bytes.len().saturating_sub(32);
    bytes.truncate(at);
    let sum = Sum::of(&bytes);
    bytes.extend_from_slice(&sum.0);
    bytes.into()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_pack_reads_back(pack in packs()) {
        let object = pack.encode(head(), None).expect("it is small");
        let read = Object::read(head().place, object.bytes().clone()).expect("it is whole");
        let back = read.pack().expect("it reads");
        prop_assert_eq!(back.tables.len(), pack.tables.len());
        prop_assert_eq!((&back.handover, &back.answers), (&pack.handover, &pack.answers));
        let again = back.encode(head(), None).expect("it is small");
        prop_assert_eq!(again.bytes(), object.bytes());
        read_all(object.bytes().clone());
    }

    #[test]
    fn a_flipped_bit_is_seen(pack in packs(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut bytes = pack.encode(head(), None).expect("it is small").bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Object::read(head().place, bytes.into()).is_err());
    }

    #[test]
    fn hostile_bytes_are_errors_and_never_panics(
        pack in packs(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = pack.encode(head(), None).expect("it is small").bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        read_all(hashed(bytes));
    }

    #[test]
    fn hostile_contents_are_errors_and_never_panic(bytes in vec(prop_oneof![Just(0), Just(1), any::<u8>()], 0..200)) {
        let mut object = Object::bare(head(), None).bytes().to_vec();
        object.truncate(128);
        object[12..16].copy_from_slice(&u32::try_from(bytes.len()).expect("it is small").to_le_bytes());
        object.extend_from_slice(&bytes);
        object.extend_from_slice(&[0; 32]);
        read_all(hashed(object));
    }
}

#[test]
fn paths_that_lead_elsewhere_are_neither_written_nor_read() {
    for path in ["", "/", "/etc/x", "../x", "a/../b", "a//b", "a/./b", "a\\b", "a\0b", "a/", "a\nb"] {
        let files = vec![piece(path, 0, stored(b"x"))];
        let what = What::Created { files };
        let pack = Pack { tables: vec![TableEntry { token: token("t"), what }], ..Pack::default() };
        assert!(pack.encode(head(), None).is_err(), "{path:?}");
        // Of a path as long as this one that may be written, the bytes are changed.
        let fine = "x".repeat(path.len());
        if fine.is_empty() {
            continue;
        }
        let files = vec![piece(&fine, 0, stored(b"y"))];
        let what = What::Created { files };
        let pack = Pack { tables: vec![TableEntry { token: token("t"), what }], ..Pack::default() };
        let mut bytes = pack.encode(head(), None).expect("the path is fine").bytes().to_vec();
        let at =
            bytes.windows(fine.len()).rposition(|window| window == fine.as_bytes()).expect("it is there");
        bytes[at..at + fine.len()].copy_from_slice(path.as_bytes());
        let error = Object::read(head().place, hashed(bytes)).expect("it is whole").pack().unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
    }
}
