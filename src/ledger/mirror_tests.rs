use super::*;
use crate::ledger::Codec;
use crate::wal::{Files, Registry, TableKind, TxnKind};

const KEY: Key = Key::Head;

fn token(name: &str) -> Token {
    Token { dir: format!("{name}~1"), id: 1, name: name.into(), kind: TableKind::Wal }
}

fn pack(what: What) -> Pack {
    Pack { tables: vec![super::super::TableEntry { token: token("t"), what }], ..Pack::default() }
}

fn record(part_size: u32, segment_txn: i32) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i64_le(0);
    for n in [1, 0, segment_txn] {
        out.put_i32_le(n);
    }
    out.put_i64_le(99);
    out.resize(if part_size == 0 { V1_RECORD } else { V2_RECORD }, 0);
    out.freeze()
}

fn run(part_size: u32, first: u64, count: u64, path: &str) -> Pack {
    let block = Block::of(Bytes::from(format!("from {first}")), Codec::Stored).unwrap();
    let files = vec![FilePiece { path: path.into(), offset: first * 100, block }];
    let records = (first..first + count).map(|n| record(part_size, n as i32)).collect();
    pack(What::Transactions(Run { first_seq_txn: first, part_size, records, files }))
}

fn take(mirror: &mut Mirror, pack: &Pack) -> Vec<News> {
    mirror.take(KEY, pack, &BTreeMap::new()).unwrap()
}

fn segment_txns(mirror: &Mirror, from: u64) -> Vec<u32> {
    let log = SequencerLog::open(mirror.files(), "t~1").unwrap();
    let records = log.records(mirror.files(), from..=log.max_txn).unwrap();
    let number = |kind| match kind {
        TxnKind::Wal { segment_txn, .. } => segment_txn,
        _ => panic!("{kind:?}"),
    };
    records.into_iter().map(|record| number(record.kind)).collect()
}

#[test]
fn logs_of_both_layouts_are_read_from_what_is_held() {
    for part_size in [0, 3] {
        let mut mirror = Mirror::default();
        mirror.know(&token("t"), 6);
        let news = take(&mut mirror, &run(part_size, 7, 4, "wal1/0/x.d"));
        assert_eq!(news, [News::Transactions { dir: "t~1".into(), last: 10 }]);
        take(&mut mirror, &run(part_size, 11, 2, "wal1/0/x.d"));
        assert_eq!(segment_txns(&mirror, 7), [7, 8, 9, 10, 11, 12]);
        mirror.applied("t~1", 10);
        assert_eq!(segment_txns(&mirror, 11), [11, 12]);
        let read = |offset| mirror.files().read("t~1/wal1/0/x.d", offset, 4);
        assert!(read(700).is_err());
        assert_eq!(read(1100).unwrap(), "from");
    }
}

#[test]
fn what_came_before_is_not_taken_twice_and_gaps_are_told_once() {
    let mut mirror = Mirror::default();
    mirror.know(&token("t"), 6);
    assert_eq!(take(&mut mirror, &run(0, 2, 3, "x")), []);
    assert_eq!(take(&mut mirror, &run(0, 6, 2, "x")), [News::Transactions { dir: "t~1".into(), last: 7 }]);
    assert!(matches!(&take(&mut mirror, &run(0, 9, 1, "x"))[..], [News::Broken { .. }]));
    assert_eq!(take(&mut mirror, &run(0, 8, 1, "x")), []);
    let base = What::Base { seq_txn: 20, manifest: Sum::ZERO, manifest_len: 1, why: "new".into() };
    assert!(matches!(&take(&mut mirror, &pack(base))[..], [News::Base { seq_txn: 20, .. }]));
    assert_eq!(take(&mut mirror, &run(0, 21, 1, "x")), [News::Transactions { dir: "t~1".into(), last: 21 }]);
    assert_eq!(segment_txns(&mirror, 21), [21]);
}

#[test]
fn a_dropped_table_ends_with_a_record_that_says_so() {
    for part_size in [0, 2] {
        let mut mirror = Mirror::default();
        take(&mut mirror, &run(part_size, 1, 2, "x"));
        assert_eq!(Registry::read(mirror.files()).unwrap().tables.len(), 1);
        assert_eq!(take(&mut mirror, &pack(What::Dropped)), [News::Dropped { dir: "t~1".into() }]);
        let log = SequencerLog::open(mirror.files(), "t~1").unwrap();
        assert_eq!(log.records(mirror.files(), 3..=3).unwrap()[0].kind, TxnKind::Drop);
        assert!(Registry::read(mirror.files()).unwrap().tables.iter().all(|table| table.dropped));
        mirror.forget("t~1");
        assert_eq!(Registry::read(mirror.files()).unwrap().tables, []);
    }
}

#[test]
fn records_of_another_length_are_damage() {
    let mut mirror = Mirror::default();
    for (part_size, len) in [(0, 60), (3, 28), (0, 0)] {
        let records = vec![Bytes::from(vec![0; len])];
        let what = What::Transactions(Run { first_seq_txn: 1, part_size, records, files: Vec::new() });
        assert!(matches!(mirror.take(KEY, &pack(what), &BTreeMap::new()), Err(Error::Damaged { .. })));
    }
    let empty = What::Transactions(Run { first_seq_txn: 1, ..Run::default() });
    assert!(mirror.take(KEY, &pack(empty), &BTreeMap::new()).is_err());
}

#[test]
fn blobs_are_asked_for_and_a_missing_one_leaves_all_as_it_was() {
    let raw = Bytes::from(vec![7; 3 << 20]);
    let block = Block::of(raw.clone(), Codec::Stored).unwrap();
    let (block, Key::Blob(sum), blob) = block.moved_out().unwrap() else { panic!("it is long") };
    let files = vec![FilePiece { path: "x".into(), offset: 0, block }];
    let records = vec![record(0, 0)];
    let pack = pack(What::Transactions(Run { first_seq_txn: 1, part_size: 0, records, files }));
    assert_eq!(pack.blobs(), [sum].into());
    let mut mirror = Mirror::default();
    assert!(mirror.take(KEY, &pack, &BTreeMap::new()).is_err());
    assert_eq!((mirror.held(), mirror.last("t~1")), (0, None));
    mirror.take(KEY, &pack, &[(sum, blob)].into()).unwrap();
    assert_eq!(mirror.files().read("t~1/x", 0, 3 << 20).unwrap(), raw);
}
