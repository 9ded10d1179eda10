//! Bytes that nobody meant: decoders answer them with an error that names a file, never a panic.

use crate::common::recording;
use proptest::prelude::*;
use std::sync::LazyLock;
use understudy::wal::{
    Applied, Error, Layout, LayoutOptions, MemoryFiles, RawEvent, RawValue, Registry, SequencerLog,
    SequencerMeta, Survey, TableMeta, decode_change, read_clean_symbols, read_transaction,
};

/// Small tables with every kind of transaction.
static REAL: LazyLock<Vec<MemoryFiles>> = LazyLock::new(|| {
    ["alltypes", "evolution", "matview", "update", "v2log"].map(|name| recording(name).files).into()
});

fn check(error: &Error) {
    assert!(!error.to_string().is_empty());
    assert!(!error.is_pending(), "files in memory are never pending");
}

/// Reads all there is to read.
fn read_all(files: &MemoryFiles) {
    let registry = match Registry::read(files) {
        Ok(registry) => registry,
        Err(error) => return check(&error),
    };
    for table in registry.tables {
        let metas = [
            SequencerMeta::of_table(files, &table.dir).err(),
            TableMeta::at_creation(files, &table.dir).err(),
            TableMeta::applied(files, &table.dir).err(),
            Applied::read(files, &table.dir).err(),
            read_clean_symbols(files, &table.dir, 1, "s", 3).err(),
        ];
        metas.iter().flatten().for_each(check);
        match SequencerLog::open(files, &table.dir) {
            Ok(log) => read_log(files, &log),
            Err(error) => check(&error),
        }
    }
}

fn read_log(files: &MemoryFiles, log: &SequencerLog) {
    if let Err(error) = Survey::read(files, log) {
        check(&error);
    }
    let records = match log.records(files, 1..=100) {
        Ok(records) => records,
        Err(error) => return check(&error),
    };
    let text = |_, raw: RawValue<'_>| format!("{raw:?}");
    let options = LayoutOptions { items: 3, text: &text };
    for record in records {
        if let Err(error) = read_transaction(files, log.table_dir(), &record) {
            check(&error);
        }
        let layout =
            Layout::read(files, log, &record, &options).expect("a layout says what is wrong in a field");
        assert!(layout.fields.iter().all(|field| field.file < layout.files.len()));
    }
}

/// One damage of one file.
#[derive(Debug, Clone)]
enum Damage {
    Cut(usize),
    Byte(usize, u8),
    /// A number that lengths, counts and offsets should not have.
    Number(usize, i64),
    Word(usize, i32),
}

fn damage() -> impl Strategy<Value = Damage> {
    let long = prop_oneof![Just(-1), Just(i64::MAX), Just(i64::MIN), Just(1 << 47), -5..500i64];
    let int = prop_oneof![Just(-1), Just(i32::MAX), Just(i32::MIN), Just(1 << 30), -5..500i32];
    prop_oneof![
        1 => any::<usize>().prop_map(Damage::Cut),
        4 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        3 => (any::<usize>(), long).prop_map(|(at, number)| Damage::Number(at, number)),
        3 => (any::<usize>(), int).prop_map(|(at, number)| Damage::Word(at, number)),
    ]
}

fn apply(content: &mut Vec<u8>, damage: &Damage) {
    // Most of what decides anything is in the first bytes.
    let near = |at: usize, len: usize| (if at.is_multiple_of(3) { at } else { at % 256 }) % len.max(1);
    let len = content.len();
    let put = |content: &mut Vec<u8>, at: usize, bytes: &[u8]| {
        for (place, byte) in content.iter_mut().skip(near(at, len)).zip(bytes) {
            *place = *byte;
        }
    };
    match damage {
        Damage::Cut(at) => content.truncate(near(*at, len)),
        Damage::Byte(at, byte) => put(content, *at, &[*byte]),
        Damage::Number(at, number) => put(content, *at, &number.to_le_bytes()),
        Damage::Word(at, number) => put(content, *at, &number.to_le_bytes()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn damaged_recordings_give_errors(
        which in any::<proptest::sample::Index>(),
        places in proptest::collection::vec((any::<proptest::sample::Index>(), damage()), 1..6),
    ) {
        let mut files = which.get(&REAL).clone();
        for (file, damage) in places {
            let (path, mut content) = {
                let all: Vec<_> = files.iter().collect();
                let (path, content) = *file.get(&all);
                (path.to_owned(), content.to_vec())
            };
            apply(&mut content, &damage);
            files.insert(path, content);
        }
        read_all(&files);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_give_errors_or_values(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let raw = RawEvent { file: "f".to_owned(), offset: 8, bytes: bytes.clone().into() };
        let errors = [
            Registry::decode("f", &bytes).err(),
            SequencerMeta::decode("f", &bytes).err(),
            TableMeta::decode("f", &bytes).err(),
            decode_change("f", 0, &bytes).err(),
            raw.decode(0).err(),
        ];
        errors.iter().flatten().for_each(check);
        let mut files = MemoryFiles::default();
        for path in ["t/_txn", "t/txn_seq/_txnlog", "t/txn_seq/_meta", "t/wal1/s.o", "t/wal1/s.c"] {
            files.insert(path, bytes.clone());
        }
        if let Ok(log) = SequencerLog::open(&files, "t") {
            read_log(&files, &log);
        }
        let errors = [Applied::read(&files, "t").err(), read_clean_symbols(&files, "t", 1, "s", 2).err()];
        errors.iter().flatten().for_each(check);
    }

    /// Behind a good head, so that the records themselves are reached.
    #[test]
    fn arbitrary_events_give_errors_or_values(kind in 0u8..6, payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = ((13 + payload.len()) as i32).to_le_bytes().to_vec();
        bytes.extend(0i64.to_le_bytes());
        bytes.push(kind);
        bytes.extend(payload);
        let raw = RawEvent { file: "f".to_owned(), offset: 8, bytes: bytes.into() };
        if let Err(error) = raw.decode(0) {
            check(&error);
        }
    }
}
