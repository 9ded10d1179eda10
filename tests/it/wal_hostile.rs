//! Bytes that nobody meant: decoders answer them with an error that names a file, never a panic, and what
//! they let through can be replayed.

use crate::common::{csv, recording};
use proptest::prelude::*;
use std::sync::LazyLock;
use understudy::replay::{History, Player, compare};
use understudy::wal::{
    Applied, ColumnType, Error, Files, Layout, LayoutOptions, MemoryFiles, RawEvent, RawValue, Registry,
    SequencerLog, SequencerMeta, Survey, TableMeta, decode_change, read_clean_symbols, read_transaction,
};

/// Small tables with every kind of transaction.
static REAL: LazyLock<Vec<MemoryFiles>> = LazyLock::new(|| {
    ["alltypes", "dedup_keys", "evolution", "matview", "ttl", "update", "v2log"]
        .map(|name| recording(name).files)
        .into()
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

/// Plays each table as far as it goes, and looks at what is there then.
fn play_all(files: &MemoryFiles) {
    let Ok(registry) = Registry::read(files) else { return };
    for table in registry.tables {
        let Ok(history) = History::read(files, &table) else { continue };
        let applied = history.applied.clone();
        let mut player = match Player::new(history) {
            Ok(player) => player,
            Err(error) => {
                check(&error);
                continue;
            }
        };
        if let Err(error) = player.seek(files, u64::MAX) {
            check(&error);
        }
        let end = player.table();
        let rows: usize = end.blocks().map(|block| block.rows).sum();
        assert_eq!(rows, end.rows());
        let (text, digest) = (csv(end), end.digest());
        if let Some(applied) = &applied {
            let _ = compare(end, applied);
        }
        let reached = end.seq_txn;
        // Back, and there again.
        let _ = player.seek(files, reached / 2);
        if player.seek(files, reached).is_ok() && player.table().seq_txn == reached {
            assert_eq!(player.table().digest(), digest);
            assert!(csv(player.table()) == text);
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

    #[test]
    fn damaged_recordings_are_played_as_far_as_they_go(
        which in any::<proptest::sample::Index>(),
        places in proptest::collection::vec((any::<proptest::sample::Index>(), damage()), 1..4),
    ) {
        let mut files = which.get(&REAL).clone();
        for (file, damage) in places {
            let (path, mut content) = {
                let all: Vec<_> = files.iter().filter(|(path, _)| !path.ends_with("_name")).collect();
                let (path, content) = *file.get(&all);
                (path.to_owned(), content.to_vec())
            };
            apply(&mut content, &damage);
            files.insert(path, content);
        }
        play_all(&files);
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

/// A segment whose columns are not the table's would be read as something else.
#[test]
fn a_segment_of_other_columns_than_the_tables_is_damage() {
    let real = recording("ooo").files;
    let dir = Registry::read(&real).unwrap().tables[0].dir.clone();
    let path = format!("{dir}/wal1/0/_meta");
    let good = real.read_all(&path, 1 << 20).unwrap().to_vec();
    let meta = SequencerMeta::decode(&path, &good).unwrap();
    let last = meta.columns.iter().rposition(|column| Some(column.ty) == ColumnType::from_code(10)).unwrap();
    let names = meta.columns.iter().take(last).map(|column| 8 + 2 * column.name.encode_utf16().count());
    let at = 29 + names.sum::<usize>();
    // The index of the designated timestamp; a DOUBLE that becomes a LONG.
    for (at, value) in [(20, -1i32), (at, 6)] {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let mut files = real.clone();
        files.insert(path.clone(), bytes);
        let token = Registry::read(&files).unwrap().tables[0].clone();
        let mut player = Player::new(History::read(&files, &token).unwrap()).unwrap();
        let error = player.seek(&files, u64::MAX).unwrap_err();
        let Error::Damaged { file, offset, .. } = &error else { panic!("{error}") };
        assert_eq!((&**file, *offset), (path.as_str(), at as u64), "{error}");
    }
}
