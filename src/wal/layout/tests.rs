use super::*;
use crate::wal::MemoryFiles;
use crate::wal::meta::tests::encode as encode_meta;

fn text(ty: ColumnType, value: RawValue<'_>) -> String {
    format!("{:?} {value:?}", ty.tag())
}

/// One commit of two rows with the columns ts, s (SYMBOL) and v (VARCHAR).
fn files() -> MemoryFiles {
    let mut files = MemoryFiles::default();
    let mut log = 0i32.to_le_bytes().to_vec();
    log.extend(1i64.to_le_bytes());
    log.resize(76, 0);
    log.extend(0i64.to_le_bytes());
    for n in [1i32, 0, 0] {
        log.extend(n.to_le_bytes());
    }
    log.extend(0i64.to_le_bytes());
    files.insert("t/txn_seq/_txnlog", log);
    files.insert("t/wal1/0/_meta", encode_meta(0, 0, &[(8, "ts"), (12, "s"), (26, "v")]));
    let mut event = vec![0; 4];
    event.extend(0i64.to_le_bytes());
    event.push(0);
    for n in [0i64, 2, 100, 200] {
        event.extend(n.to_le_bytes());
    }
    event.push(0);
    event.extend(1i32.to_le_bytes());
    event.push(0);
    for n in [3i32, 1, 3, 1] {
        event.extend(n.to_le_bytes());
    }
    event.extend([b'x', 0]);
    for n in [-1i32, -1] {
        event.extend(n.to_le_bytes());
    }
    let len = event.len() as i32;
    event[..4].copy_from_slice(&len.to_le_bytes());
    let index = [8i64.to_le_bytes(), (8 + i64::from(len)).to_le_bytes()].concat();
    files.insert("t/wal1/0/_event", [&[0; 8][..], &event].concat());
    files.insert("t/wal1/0/_event.i", index);
    let ts: Vec<u8> = [100i64, 0, 200, 1].iter().flat_map(|n| n.to_le_bytes()).collect();
    files.insert("t/wal1/0/ts.d", ts);
    files.insert("t/wal1/0/s.d", [3i32.to_le_bytes(), 1i32.to_le_bytes()].concat());
    let mut aux = vec![(2 << 4) | 1, b'h', b'i', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    aux.extend((12u32 << 4).to_le_bytes());
    aux.extend(b"abcdef");
    aux.extend([0; 6]);
    files.insert("t/wal1/0/v.i", aux);
    files.insert("t/wal1/0/v.d", b"abcdefghijkl".to_vec());
    files
}

fn layout(files: &MemoryFiles, items: usize) -> Layout {
    let log = SequencerLog::open(files, "t").expect("a log");
    let record = log.records(files, 1..=1).expect("a record")[0];
    Layout::read(files, &log, &record, &LayoutOptions { items, text: &text }).expect("a layout")
}

#[test]
fn lays_out_a_commit() {
    let files = files();
    let found = layout(&files, 10);
    let paths: Vec<_> = found.files.iter().map(|file| file.path.as_str()).collect();
    let expected = [
        "t/txn_seq/_txnlog",
        "t/wal1/0/_event.i",
        "t/wal1/0/_event",
        "t/wal1/0/_meta",
        "t/wal1/0/ts.d",
        "t/wal1/0/s.d",
        "t/wal1/0/v.i",
        "t/wal1/0/v.d",
    ];
    assert_eq!(paths, expected);
    assert!(!found.truncated);
    let value = |file: &str, name: &str| {
        let index = paths.iter().position(|path| *path == file).expect("the file");
        let field = found.fields.iter().find(|field| field.file == index && field.name == name);
        field.map(|field| (field.offset, field.len, field.value.clone())).expect(name)
    };
    assert_eq!(value("t/txn_seq/_txnlog", "walId"), (84, 4, "1".to_owned()));
    assert_eq!(value("t/wal1/0/_event", "rowHi"), (29, 8, "2".to_owned()));
    assert_eq!(value("t/wal1/0/_event", "symbol 3").2, "\"x\"");
    assert_eq!(value("t/wal1/0/_meta", "column 2").2, "\"v\" VARCHAR");
    assert_eq!(value("t/wal1/0/s.d", "row 0").2, "3 = \"x\", new");
    assert_eq!(value("t/wal1/0/s.d", "row 1").2, "1, of the table's dictionary");
    assert_eq!(value("t/wal1/0/v.i", "row 0").2, "Varchar Utf8([104, 105])");
    assert_eq!(value("t/wal1/0/v.d", "row 1").1, 12);
    // Every field lies inside its file.
    for field in &found.fields {
        let len = files.len(paths[field.file]).expect("the file exists");
        assert!(field.offset + field.len <= len, "{field:?}");
    }
}

#[test]
fn shows_fewer_items_and_says_so() {
    let found = layout(&files(), 1);
    assert!(found.truncated);
    assert!(found.fields.iter().all(|field| field.name != "row 1"));
}

#[test]
fn goes_on_after_what_cannot_be_read() {
    let mut files = files();
    files.remove("t/wal1/0/ts.d");
    let found = layout(&files, 10);
    let failed = found.fields.iter().find(|field| field.name == "can't be read").expect("it is said");
    assert!(failed.value.contains("ts.d"), "{failed:?}");
    assert!(found.files.iter().any(|file| file.path == "t/wal1/0/v.d"));
    files.remove("t/wal1/0/_event");
    let found = layout(&files, 10);
    assert!(found.fields.iter().any(|field| field.name == "can't be read"));
    assert!(found.files.iter().any(|file| file.path == "t/wal1/0/_meta"));
}
