//! The codecs of an applied table's files, against the files that a real QuestDB wrote.

use crate::common::{Recording, recordings};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeMap;
use understudy::table::files::{
    self, BlockFile, ChangeLog, ColumnVersions, LogRecord, LogWriter, MatViewDefinition, MatViewState,
    PartitionEntry, Patch, TxnFile, TxnState, ViewDefinition, raw_change,
};
use understudy::wal::{
    Applied, Files, LogVersion, MemoryFiles, Registry, SequencerLog, SequencerMeta, TableMeta, Transaction,
    TxnKind, read_raw_event, read_transaction,
};

/// Each file of each recording whose path matches, with the recording's name.
fn each(matches: impl Fn(&str) -> bool, mut check: impl FnMut(&str, &Recording, &str, &Bytes)) -> usize {
    let mut count = 0;
    for (name, recording) in recordings() {
        for (path, content) in recording.files.iter().filter(|(path, _)| matches(path)) {
            check(&name, &recording, path, content);
            count += 1;
        }
    }
    count
}

/// A recording has files without the zeros at their end; QuestDB ends them anywhere.
fn same(encoded: &[u8], file: &[u8]) -> bool {
    let len = encoded.len().max(file.len());
    let padded = |bytes: &[u8]| [bytes, &vec![0; len - bytes.len()]].concat();
    padded(encoded) == padded(file)
}

fn dir_of(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

fn is_table_file(path: &str, name: &str) -> bool {
    path.split_once('/').is_some_and(|(_, rest)| rest == name)
}

#[test]
fn meta_is_encoded_as_questdb_does() {
    let count = each(
        |path| is_table_file(path, "_meta") || path.ends_with("txn_seq/_meta.0"),
        |name, _, path, content| {
            let mut ours = files::encode_meta(&TableMeta::decode(path, content).unwrap());
            if name == "questdb_8_2_0" {
                // That release had neither checksum nor minor version.
                ours[41..45].fill(0);
            }
            assert!(same(&ours, content), "{name} {path}");
        },
    );
    assert!(count > 60, "{count}");
}

#[test]
fn txn_records_are_encoded_as_questdb_does() {
    let count = each(
        |path| is_table_file(path, "_txn"),
        |name, recording, path, content| {
            let applied = Applied::read(&recording.files, dir_of(path)).unwrap();
            let file = TxnFile::decode(path, &content[..64]).unwrap();
            assert_eq!(file.version(), applied.txn, "{name} {path}");
            let state = TxnState::from_applied(&applied);
            assert_eq!(state.rows(), applied.rows);
            let (offset, len) = file.record();
            let mut theirs =
                content[offset as usize..(content.len() as u64).min(offset + len) as usize].to_vec();
            theirs.resize(len as usize, 0);
            let mut ours = state.encode();
            // The row count in the last partition's entry is stale there: the record's head has it.
            if !state.partitions.is_empty() {
                for record in [&mut theirs, &mut ours] {
                    let at = record.len() - 24;
                    record[at..at + 5].fill(0);
                    record[at + 5] &= 0xf0;
                }
            }
            // Nobody writes these: they hold what was there before.
            theirs[116..128].fill(0);
            // Rows of the lag are not visible, and a new writer copies them again from the log.
            if applied.lag_txns != 0 || applied.lag_rows != 0 {
                for record in [&mut theirs, &mut ours] {
                    record[88..116].fill(0);
                }
            }
            assert_eq!(ours, theirs, "{name} {path}");
        },
    );
    assert!(count > 60, "{count}");
}

#[test]
fn column_versions_are_encoded_as_questdb_does() {
    let mut records = 0;
    let count = each(
        |path| is_table_file(path, "_cv"),
        |name, recording, path, content| {
            let dir = dir_of(path);
            let versions = ColumnVersions::read(&recording.files, dir).unwrap();
            let applied = Applied::read(&recording.files, dir).unwrap();
            assert_eq!(versions.version(), applied.column_version, "{name} {path}");
            let (again, bytes) = versions.first();
            assert_eq!(ColumnVersions::decode("f", &bytes).unwrap(), again);
            let area = &bytes[40..];
            records += area.len() / 32;
            let at = if versions.version() % 2 == 0 { 8 } else { 24 };
            let offset =
                content.get(at..at + 8).map_or(0, |n| u64::from_le_bytes(n.try_into().unwrap())) as usize;
            if !area.is_empty() {
                assert!(
                    same(area, &content[offset..content.len().min(offset + area.len())]),
                    "{name} {path}"
                );
            }
        },
    );
    assert!(count > 60 && records > 30, "{count} {records}");
}

#[test]
fn names_of_tables_are_encoded_as_questdb_does() {
    let count = each(
        |path| is_table_file(path, "_name"),
        |name, _, path, content| {
            // The last byte is a zero that the recording has cut.
            let mut whole = content.to_vec();
            let units = u32::from_le_bytes(whole[..4].try_into().unwrap()) as usize;
            whole.resize(4 + 2 * units + 1, 0);
            let table = files::decode_name(path, &whole).unwrap();
            assert_eq!(files::encode_name(&table), whole, "{name} {path}");
        },
    );
    assert!(count > 60, "{count}");
}

#[test]
fn registries_are_encoded_as_questdb_does() {
    let mut same_bytes = 0;
    let count = each(
        |path| path.starts_with("tables.d."),
        |name, _, path, content| {
            let end = u64::from_le_bytes(content[..8].try_into().unwrap()) as usize;
            let mut whole = content.to_vec();
            whole.resize(end, 0);
            let registry = Registry::decode(path, &whole).unwrap();
            let ours = files::encode_registry(&registry.tables);
            let live: Vec<_> = registry.tables.iter().filter(|table| !table.dropped).cloned().collect();
            assert_eq!(Registry::decode("f", &ours).unwrap().tables, live, "{name} {path}");
            // Files with removals in them are longer.
            same_bytes += usize::from(ours == whole);
        },
    );
    assert!(count > 20 && same_bytes > 10, "{same_bytes} of {count}");
}

#[test]
fn sequencer_metadata_is_encoded_as_questdb_does() {
    let of_tables = each(
        |path| path.ends_with("/txn_seq/_meta"),
        |name, _, path, content| {
            let len = u32::from_le_bytes(content[..4].try_into().unwrap()) as usize;
            let mut whole = content.to_vec();
            whole.resize(len.max(content.len()), 0);
            let meta = SequencerMeta::decode(path, &whole).unwrap();
            if meta.read_order.is_some() {
                assert!(same(&files::encode_sequencer_meta(&meta), content), "{name} {path}");
            }
        },
    );
    let of_segments = each(
        |path| path.contains("/wal") && path.ends_with("/_meta"),
        |name, _, path, content| {
            let meta = SequencerMeta::decode(path, content).unwrap();
            assert!(same(&files::encode_segment_meta(&meta), content), "{name} {path}");
        },
    );
    assert!(of_tables > 60 && of_segments > 100, "{of_tables} {of_segments}");
}

/// Files by name, as far as patches have written them.
#[derive(Default)]
struct Written(BTreeMap<String, Vec<u8>>);

impl Written {
    fn apply<'a>(&mut self, patches: impl IntoIterator<Item = &'a Patch>) {
        for patch in patches {
            patch.apply(self.0.entry(patch.file.clone()).or_default());
        }
    }

    fn files(&self, dir: &str) -> MemoryFiles {
        let mut files = MemoryFiles::default();
        for (path, content) in &self.0 {
            files.insert(format!("{dir}/{path}"), content.clone());
        }
        files
    }
}

#[test]
fn sequencer_logs_are_encoded_as_questdb_does() {
    let mut v2 = 0;
    let count = each(
        |path| path.ends_with("/txn_seq/_txnlog"),
        |name, recording, path, content| {
            let (files, dir) = (&recording.files, dir_of(path));
            let log = SequencerLog::open(files, dir).unwrap();
            let mut written = Written::default();
            let (mut writer, header) = LogWriter::create(log.version, log.created_us);
            written.apply([&header]);
            let records = log.records(files, 1..=log.max_txn).unwrap();
            let records: Vec<LogRecord> = records
                .iter()
                .map(|record| match record.kind {
                    TxnKind::Structure => {
                        let raw = raw_change(files, dir, record.structure_version).unwrap();
                        LogRecord::structure(record.structure_version, record.commit_ts, &raw)
                    }
                    _ => LogRecord::copy_of(record),
                })
                .collect();
            for (number, chunk) in records.chunks(3).enumerate() {
                let (next, patches) = writer.append(chunk);
                let (last, before) = patches.split_last().unwrap();
                // Until its last write, a reader sees none of the records.
                written.apply(before);
                let seen = SequencerLog::open(&written.files("t"), "t").unwrap();
                assert_eq!(seen.max_txn, number as u64 * 3);
                written.apply([last]);
                writer = next;
            }
            assert_eq!(writer.max_txn(), log.max_txn);
            let ours = written.files("t");
            let again = SequencerLog::open(&ours, "t").unwrap();
            assert_eq!(again.records(&ours, 1..=u64::MAX), log.records(files, 1..=u64::MAX));
            assert!(same(&written.0["txn_seq/_txnlog"], content), "{name} {path}");
            if log.version != LogVersion::V1 {
                for (part, content) in written.0.iter().filter(|(part, _)| part.contains("_txn_parts")) {
                    let theirs = files.read_all(&format!("{dir}/{part}"), u64::MAX).unwrap();
                    assert!(same(content, &theirs), "{name} {path} {part}");
                    v2 += 1;
                }
            }
        },
    );
    assert!(count > 60 && v2 > 2, "{count} {v2}");
}

#[test]
fn structural_changes_are_copied_byte_for_byte() {
    let mut changes = 0;
    each(
        |path| path.ends_with("/txn_seq/_txnlog.meta.i"),
        |name, recording, path, content| {
            let (files, dir) = (&recording.files, dir_of(path));
            let log = SequencerLog::open(files, dir).unwrap();
            let records = log.records(files, 1..=log.max_txn).unwrap();
            let last = records.last().map_or(0, |record| record.structure_version);
            let mut written = Written::default();
            let (mut ours, patches) = ChangeLog::create(0);
            written.apply(&patches);
            for version in 1..=last {
                let (next, patches) = ours.append(&raw_change(files, dir, version).unwrap());
                written.apply(&patches);
                ours = next;
                changes += 1;
            }
            assert_eq!(ChangeLog::open(files, dir, last as u64).unwrap(), ours, "{name} {path}");
            assert_eq!(ours.version(), last as u64);
            assert!(same(&written.0["txn_seq/_txnlog.meta.i"], content), "{name} {path}");
            let theirs = files.read_all(&path.replace("meta.i", "meta.d"), u64::MAX).unwrap();
            assert!(same(&written.0["txn_seq/_txnlog.meta.d"], &theirs), "{name} {path}");
            // A log that keeps no history goes on at the same version.
            let (tail, patches) = ChangeLog::create(last as u64);
            let mut written = Written::default();
            written.apply(&patches);
            assert_eq!(ChangeLog::open(&written.files("t"), "t", last as u64).unwrap(), tail);
        },
    );
    assert!(changes > 30, "{changes}");
}

#[test]
fn definitions_and_states_of_views_read_as_questdb_wrote_them() {
    let definitions = each(
        |path| is_table_file(path, "_mv"),
        |_, _, path, content| {
            let definition = MatViewDefinition::decode(path, content).unwrap();
            assert!(!definition.base_table.is_empty() && definition.sql.to_lowercase().contains("sample by"));
            let extra = definition.extra.expect("9.3.4 writes it");
            assert_eq!(extra.refresh_limit, 0, "{path}");
        },
    );
    let states = each(
        |path| is_table_file(path, "_mv.s"),
        |name, recording, path, content| {
            let (file, state) = MatViewState::decode(path, content).unwrap();
            let (_, bytes) = state.first();
            let again = BlockFile::decode("f", &bytes.into()).unwrap();
            for ty in 0..5 {
                assert_eq!(again.block(ty), file.block(ty), "{name} {path}");
            }
            assert_eq!(state_of_log(recording, dir_of(path)), state, "{name} {path}");
        },
    );
    let views = each(
        |path| is_table_file(path, "_view"),
        |name, _, path, content| {
            let (file, view) = ViewDefinition::decode(path, content).unwrap();
            assert!(!view.dependencies.is_empty());
            let again = BlockFile::decode("f", &view.first().1.into()).unwrap();
            assert_eq!(again.block(0), file.block(0), "{name} {path}");
        },
    );
    assert!(definitions > 0 && states > 0, "{definitions} {states} {views}");
}

/// The state of a view that the events of its own log lead to.
fn state_of_log(recording: &Recording, dir: &str) -> MatViewState {
    let files = &recording.files;
    let log = SequencerLog::open(files, dir).unwrap();
    let mut state = MatViewState::default();
    for record in log.records(files, 1..=log.max_txn).unwrap() {
        if let Some((segment, txn)) = record.segment() {
            let raw = read_raw_event(files, dir, segment, txn).unwrap();
            state.apply(&raw, &raw.decode(txn).unwrap()).unwrap();
        }
    }
    state
}

#[test]
fn a_segment_without_rows_is_a_transaction_that_changes_nothing() {
    let count = each(
        |path| path.ends_with("/txn_seq/_meta"),
        |name, recording, path, content| {
            let meta = SequencerMeta::decode(path, content).unwrap();
            let id = understudy::wal::SegmentId { wal: 99, segment: 4 };
            let (writer, header) = LogWriter::create(LogVersion::V1, 5);
            let version = meta.structure_version.max(0);
            let (_, patches) = writer.append(&[LogRecord::empty(version, id, 0, 6)]);
            let mut written = Written::default();
            written.apply(&files::empty_segment(&meta, id, 1));
            written.apply([&header]);
            written.apply(&patches);
            let ours = written.files(dir_of(path));
            let log = SequencerLog::open(&ours, dir_of(path)).unwrap();
            let record = log.records(&ours, 1..=1).unwrap()[0];
            match read_transaction(&ours, dir_of(path), &record).unwrap() {
                Transaction::Rows(commit) => assert_eq!(commit.rows, 0, "{name} {path}"),
                other => panic!("{name} {path}: {other:?}"),
            }
            let _ = recording;
        },
    );
    assert!(count > 60, "{count}");
}

prop_compose! {
    fn entry()(
        step in 1..1_000_000i64, rows in 0..1u64 << 44, squash_count: u16, parquet: bool, read_only: bool,
        name_txn in -1..1000i64, parquet_len in -1..1000i64
    ) -> (i64, PartitionEntry) {
        (step, PartitionEntry { ts: 0, rows, squash_count, parquet, read_only, name_txn, parquet_len })
    }
}

prop_compose! {
    fn state()(
        numbers in proptest::array::uniform7(any::<i64>()), seq_txn in 0..=i64::MAX as u64,
        symbol_counts in proptest::collection::vec(0..=i32::MAX as u32, 0..5),
        entries in proptest::collection::vec(entry(), 0..9)
    ) -> TxnState {
        let [min_ts, max_ts, structure_version, data_version, partition_table_version, column_version,
            truncate_version] = numbers;
        let mut ts = 0;
        let partitions = entries.into_iter().map(|(step, entry)| {
            ts += step;
            PartitionEntry { ts, ..entry }
        }).collect();
        TxnState { txn: 0, seq_txn, min_ts, max_ts, structure_version, data_version, partition_table_version,
            column_version, truncate_version, symbol_counts, partitions }
    }
}

proptest! {
    /// After each write of each publication, a reader sees the old state or the new one.
    #[test]
    fn a_txn_file_is_always_one_of_its_states(
        first in 0..4i64, states in proptest::collection::vec(state(), 1..12)
    ) {
        let read = |content: &[u8]| {
            let mut files = MemoryFiles::default();
            files.insert("t/_txn", content.to_vec());
            TxnState::from_applied(&Applied::read(&files, "t").unwrap())
        };
        let mut seen = TxnState { txn: first, ..states[0].clone() };
        let (mut file, mut content) = TxnFile::first(&seen);
        prop_assert_eq!(&read(&content), &seen);
        for (txn, state) in (first + 1..).zip(states) {
            let state = TxnState { txn, ..state };
            let (next, patches) = file.next(&state);
            for patch in &patches {
                prop_assert_eq!(read(&content), seen.clone());
                patch.apply(&mut content);
            }
            prop_assert_eq!(read(&content), state.clone());
            prop_assert_eq!(TxnFile::decode("f", &content[..64]).unwrap(), next.clone());
            (file, seen) = (next, state);
        }
    }

    /// The same of `_cv`, whose version before the last stays readable.
    #[test]
    fn a_column_version_file_is_always_one_of_its_states(
        steps in proptest::collection::vec((0..6u8, 0..4usize, 0..5i64, -1..9i64, 0..99u64), 1..40)
    ) {
        let (mut versions, mut content) = ColumnVersions::default().first();
        prop_assert_eq!(content.len(), 40);
        let mut before: Option<ColumnVersions> = None;
        for (what, column, ts, name_txn, top) in steps {
            let mut changed = versions.clone();
            match what {
                0 => changed.set_default(column, name_txn, ts),
                1 => changed.set_symbol(column, name_txn),
                2 => changed.remove_partition(ts),
                3 => changed.remove_column(column),
                4 => changed.truncate(),
                _ => changed.set(ts, column, name_txn, top),
            }
            let (next, patches) = changed.next();
            for patch in &patches {
                prop_assert_eq!(ColumnVersions::decode("f", &content).unwrap().first(), versions.first());
                patch.apply(&mut content);
            }
            prop_assert_eq!(ColumnVersions::decode("f", &content).unwrap(), next.clone());
            let old = ColumnVersions::decode_at("f", &content, versions.version()).unwrap();
            prop_assert_eq!(old.first(), versions.first());
            if let Some(before) = &before {
                prop_assert!(ColumnVersions::decode_at("f", &content, before.version()).is_err());
            }
            before = Some(versions);
            versions = next;
        }
    }

    /// Hostile bytes are answered, not believed.
    #[test]
    fn damaged_files_never_panic(
        which in 0..1000usize, at in proptest::collection::vec((0..4096usize, any::<u8>()), 0..6), cut in 0..4096usize
    ) {
        let all = samples();
        let (name, good) = &all[which % all.len()];
        let mut bytes = good.to_vec();
        bytes.truncate(cut.max(1));
        for (at, byte) in at {
            let len = bytes.len();
            bytes[at % len] = byte;
        }
        decode_any(name, &bytes);
    }
}

/// A few of QuestDB's own files.
fn samples() -> &'static [(String, Bytes)] {
    static SAMPLES: std::sync::OnceLock<Vec<(String, Bytes)>> = std::sync::OnceLock::new();
    SAMPLES.get_or_init(|| {
        let mut out = Vec::new();
        for name in ["evolution", "matview", "symbols", "column_tops"] {
            let recording = crate::common::recording(name);
            let wanted = ["_txn", "_cv", "_meta", "_name", "_mv", "_mv.s", "_view", "tables.d.0", "_txnlog"];
            for (path, content) in recording.files.iter() {
                let file = path.rsplit('/').next().unwrap();
                if wanted.contains(&file) && !path.contains("/wal") {
                    out.push((file.to_owned(), content.clone()));
                }
            }
        }
        assert!(out.len() > 20);
        out
    })
}

fn decode_any(name: &str, bytes: &[u8]) {
    let shared = Bytes::copy_from_slice(bytes);
    let _ = TxnFile::decode(name, bytes).map(|file| (file.record(), file.version()));
    let _ = ColumnVersions::decode(name, bytes);
    let _ = ColumnVersions::decode_at(name, bytes, 3);
    let _ = files::decode_name(name, bytes);
    let _ = files::decode_todo(name, bytes, 1);
    let _ = files::decode_wal_index(name, bytes);
    let _ = files::TabIndex::decode(name, bytes);
    let _ = files::Upgrade::decode(name, bytes);
    let _ = MatViewDefinition::decode(name, &shared);
    let _ = MatViewState::decode(name, &shared);
    let _ = ViewDefinition::decode(name, &shared);
    let _ = TableMeta::decode(name, bytes).map(|meta| files::encode_meta(&meta));
    let _ = SequencerMeta::decode(name, bytes).map(|meta| files::encode_sequencer_meta(&meta));
}
