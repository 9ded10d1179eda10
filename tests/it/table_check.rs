//! The checker of database directories: silent about those that a real QuestDB wrote, and loud about each
//! rule that is broken in a copy.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use understudy::columnar::parquet::ParquetForm;
use understudy::table::files::{
    self, ColumnVersions, Finding, LogRecord, LogWriter, Patch, Severity, TabIndex, TxnFile, TxnState,
    check_table, encode_meta,
};
use understudy::wal::{
    Applied, Files, LogVersion, MemoryFiles, Registry, SegmentId, SequencerLog, SequencerMeta, TableKind,
    TableMeta, TableToken, TxnKind,
};

const DIR: &str = "all_kinds~6";
const DAY: &str = "all_kinds~6/2024-03-01";

/// The whole directory that a real QuestDB left (`tests/record/whole_db.py`).
fn whole() -> MemoryFiles {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/applied/whole.tar.gz");
    let archive = std::fs::File::open(path).expect("the archive");
    let mut files = MemoryFiles::default();
    for entry in tar::Archive::new(flate2::read::GzDecoder::new(archive)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(path, content);
    }
    files
}

/// A directory of the disk, in memory.
fn load(root: &Path) -> MemoryFiles {
    fn walk(root: &Path, dir: &Path, files: &mut MemoryFiles) {
        for entry in std::fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                let name = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
                files.insert(name, std::fs::read(&path).expect("a readable file"));
            }
        }
    }
    let mut files = MemoryFiles::default();
    walk(root, root, &mut files);
    files
}

/// With what reads Parquet files, as `understudy verify` does.
fn checked(files: &MemoryFiles) -> Vec<Finding> {
    files::check_database_with(files, &ParquetForm)
}

fn shown(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}

/// Checks directories given by `UNDERSTUDY_DB`, separated by `:`, e.g. whole `db` folders of random tables.
#[test]
#[ignore = "needs directories: UNDERSTUDY_DB=dir:dir cargo test --test it -- --ignored given_directories"]
fn given_directories_break_no_rule() {
    let given = std::env::var("UNDERSTUDY_DB").expect("UNDERSTUDY_DB names directories");
    let mut wrong = String::new();
    for dir in given.split(':') {
        let findings = checked(&load(Path::new(dir)));
        if !findings.is_empty() {
            wrong += &format!("{dir}\n{}", shown(&findings));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_directory_of_questdb_breaks_no_rule() {
    let files = whole();
    assert_eq!(shown(&checked(&files)), "");
    assert_eq!(shown(&check_table(&files, DIR)), "");
    // What is in it, so that silence means something.
    let applied = Applied::read(&files, DIR).unwrap();
    assert!(applied.partitions.iter().any(|partition| partition.parquet));
    assert!(applied.partitions.len() > 3 && applied.rows > 800, "{applied:?}");
    assert!(applied.symbol_counts.iter().all(|count| *count > 1), "{applied:?}");
}

#[test]
fn counters_and_small_files_are_encoded_as_questdb_does() {
    let files = whole();
    let read = |path: &str| files.read_all(path, u64::MAX).unwrap();
    let index = TabIndex::decode("f", &read("_tab_index.d")).unwrap();
    assert!(index.last_id == 9 && index.instance != (0, 0));
    assert_eq!(index.encode(), read("_tab_index.d"));
    // The server leaves some files as long as a page, the rest of it zeros.
    let begins =
        |file: &[u8], with: &[u8]| file.starts_with(with) && file[with.len()..].iter().all(|byte| *byte == 0);
    assert!(begins(&read("_upgrade.d"), &files::Upgrade::CURRENT.encode()));
    assert_eq!(files::encode_name("all_kinds"), read(&format!("{DIR}/_name")));
    assert!(begins(&read("empty~8/_todo_"), &files::encode_todo_clean()));
    let wal_index = read(&format!("{DIR}/txn_seq/_wal_index.d"));
    assert_eq!(files::encode_wal_index(files::decode_wal_index("f", &wal_index).unwrap()), wal_index);
}

fn edit(files: &mut MemoryFiles, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut content = files.remove(path).unwrap_or_else(|| panic!("no {path}")).to_vec();
    change(&mut content);
    files.insert(path, content);
}

fn add(bytes: &mut [u8], at: usize, n: i64) {
    let number = i64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    bytes[at..at + 8].copy_from_slice(&number.wrapping_add(n).to_le_bytes());
}

fn put32(bytes: &mut [u8], at: usize, n: i32) {
    bytes[at..at + 4].copy_from_slice(&n.to_le_bytes());
}

fn apply(files: &mut MemoryFiles, dir: &str, patches: &[Patch]) {
    for patch in patches {
        let path = format!("{dir}/{}", patch.file);
        let mut content = files.remove(&path).map(|content| content.to_vec()).unwrap_or_default();
        patch.apply(&mut content);
        files.insert(path, content);
    }
}

/// Writes another state at the same transaction.
fn txn(files: &mut MemoryFiles, change: impl FnOnce(&mut TxnState)) {
    let mut state = TxnState::from_applied(&Applied::read(files, DIR).unwrap());
    change(&mut state);
    files.insert(format!("{DIR}/_txn"), TxnFile::first(&state).1);
}

/// Changes bytes of the current record.
fn record(files: &mut MemoryFiles, change: impl FnOnce(&mut [u8])) {
    edit(files, &format!("{DIR}/_txn"), |bytes| {
        let (offset, len) = TxnFile::decode("f", &bytes[..64]).unwrap().record();
        change(&mut bytes[offset as usize..(offset + len) as usize]);
    });
}

fn cv(files: &mut MemoryFiles, change: impl FnOnce(&mut ColumnVersions)) {
    let mut versions = ColumnVersions::read(files, DIR).unwrap();
    change(&mut versions);
    files.insert(format!("{DIR}/_cv"), versions.first().1);
}

fn meta_of(files: &mut MemoryFiles, dir: &str, change: impl FnOnce(&mut TableMeta)) {
    let mut meta = TableMeta::applied(files, dir).unwrap();
    change(&mut meta);
    files.insert(format!("{dir}/_meta"), encode_meta(&meta));
}

fn meta(files: &mut MemoryFiles, change: impl FnOnce(&mut TableMeta)) {
    meta_of(files, DIR, change);
}

fn column(meta: &TableMeta, name: &str) -> usize {
    meta.columns.iter().position(|column| column.name == name && !column.dropped).unwrap()
}

fn sequencer(files: &mut MemoryFiles, change: impl FnOnce(&mut SequencerMeta)) {
    let mut meta = SequencerMeta::of_table(files, DIR).unwrap();
    change(&mut meta);
    files.insert(format!("{DIR}/txn_seq/_meta"), files::encode_sequencer_meta(&meta));
}

fn registry(files: &mut MemoryFiles, change: impl FnOnce(&mut Vec<TableToken>)) {
    let mut tables = Registry::read(files).unwrap().tables;
    change(&mut tables);
    files.insert("tables.d.0", files::encode_registry(&tables));
}

/// Appends a record to the log, behind what is applied.
fn append(files: &mut MemoryFiles, record: impl FnOnce(i64) -> LogRecord) {
    let log = SequencerLog::open(files, DIR).unwrap();
    let last = log.records(files, log.max_txn..=log.max_txn).unwrap()[0];
    let (_, patches) = LogWriter::of(&log).append(&[record(last.structure_version)]);
    apply(files, DIR, &patches);
}

const OURS: SegmentId = SegmentId { wal: 77, segment: 0 };

/// Appends a record that points at our own segment without rows.
fn append_empty(files: &mut MemoryFiles) {
    let meta = SequencerMeta::of_table(files, DIR).unwrap();
    append(files, |version| LogRecord::empty(version, OURS, 0, 5));
    apply(files, DIR, &files::empty_segment(&meta, OURS, 1));
    files.insert(format!("{DIR}/txn_seq/_wal_index.d"), files::encode_wal_index(OURS.wal));
}

fn todo(files: &mut MemoryFiles, code: i64) {
    let txn = Applied::read(files, DIR).unwrap().txn;
    apply(files, DIR, &files::restore_meta_todo(txn));
    edit(files, &format!("{DIR}/_todo_"), |bytes| add(bytes, 40, code - 2));
}

/// Removes a partition's folder.
fn without(files: &mut MemoryFiles, folder: &str) {
    let gone: Vec<String> =
        files.iter().map(|(path, _)| path.to_owned()).filter(|path| path.starts_with(folder)).collect();
    assert!(!gone.is_empty());
    gone.iter().for_each(|path| drop(files.remove(path)));
}

/// The log of the table as one of format 2 with seven transactions in a part.
fn as_v2(files: &mut MemoryFiles) {
    let log = SequencerLog::open(files, DIR).unwrap();
    let records = log.records(files, 1..=log.max_txn).unwrap();
    let records: Vec<_> = records.iter().map(LogRecord::copy_of).collect();
    let (writer, header) = LogWriter::create(LogVersion::V2 { part_size: 7 }, log.created_us);
    files.remove(&format!("{DIR}/txn_seq/_txnlog"));
    apply(files, DIR, &[header]);
    apply(files, DIR, &writer.append(&records).1);
}

type Change = fn(&mut MemoryFiles);

/// What a crash of a writer that keeps to the order of publication can leave.
const HARMLESS: &[(&str, Change)] = &[
    ("a log ahead by a transaction without rows", append_empty),
    ("column versions one ahead, and the log, too", |files| {
        append_empty(files);
        let mut versions = ColumnVersions::read(files, DIR).unwrap();
        versions.set(1_709_251_200_000_000, 1, 5, 7);
        apply(files, DIR, &versions.next().1);
    }),
    ("a definition one ahead, to be restored", |files| {
        let bytes = files.read_all(&format!("{DIR}/_meta"), u64::MAX).unwrap();
        files.insert(format!("{DIR}/_meta.prev"), bytes);
        todo(files, 2);
        meta(files, |meta| meta.metadata_version += 1);
    }),
    ("a folder that nothing names", |files| files.insert(format!("{DIR}/2024-03-01.99/ts.d"), vec![1])),
    ("rows behind the last", |files| edit(files, &format!("{DAY}/ts.d"), |bytes| bytes.extend([9; 100]))),
    ("a log in parts", as_v2),
    ("a record of the next state that is not published", |files| {
        let state = TxnState::from_applied(&Applied::read(files, DIR).unwrap());
        let head = files.read(&format!("{DIR}/_txn"), 0, 64).unwrap();
        let (_, patches) = TxnFile::decode("f", &head).unwrap().next(&state);
        apply(files, DIR, &patches[..2]);
    }),
];

#[test]
fn what_a_crash_may_leave_breaks_no_rule() {
    let whole = whole();
    for (what, change) in HARMLESS {
        let mut files = whole.clone();
        change(&mut files);
        assert!(files.iter().ne(whole.iter()), "{what} changed nothing");
        assert_eq!(shown(&checked(&files)), "", "{what}");
    }
}

/// A way to break each rule, by the rule that has to notice.
const BROKEN: &[(&str, Change)] = &[
    ("txn-decode", |files| edit(files, &format!("{DIR}/_txn"), |bytes| bytes.truncate(80))),
    ("txn-parity", |files| edit(files, &format!("{DIR}/_txn"), |bytes| add(bytes, 0, 2))),
    ("txn-areas", |files| {
        edit(files, &format!("{DIR}/_txn"), |bytes| {
            let (current, other) = if bytes[0] % 2 == 0 { (8, 32) } else { (32, 8) };
            bytes.copy_within(current..current + 12, other);
            add(bytes, other, 16);
        });
    }),
    ("txn-lag", |files| record(files, |record| put32(record, 96, 3))),
    ("txn-lag", |files| record(files, |record| add(record, 100, -1))),
    ("txn-rows", |files| record(files, |record| add(record, 16, 1))),
    ("txn-max", |files| record(files, |record| add(record, 8, -1))),
    ("txn-extremes", |files| txn(files, |state| state.min_ts = state.max_ts + 1)),
    ("txn-extremes", |files| {
        txn(files, |state| state.partitions.clear());
    }),
    ("txn-min", |files| txn(files, |state| state.min_ts += 1)),
    ("txn-max", |files| txn(files, |state| state.max_ts -= 1)),
    ("txn-symbol-columns", |files| txn(files, |state| state.symbol_counts.push(0))),
    ("txn-symbol-counts", |files| record(files, |record| put32(record, 136, 50))),
    ("txn-partition-size", |files| {
        edit(files, &format!("{DIR}/_txn"), |bytes| {
            let at = if bytes[0] % 2 == 0 { 16 } else { 40 };
            bytes[at] += 32;
            bytes.resize(bytes.len() + 64, 0);
        });
    }),
    ("txn-structure", |files| {
        let versions = |state: &mut TxnState| state.structure_version = files::pack_structure_version(1, 0);
        txn(files, versions);
    }),
    ("partition-flags", |files| record(files, |record| add(record, 132 + 16 + 4 + 8, 1 << 60))),
    ("partition-order", |files| txn(files, |state| state.partitions.swap(0, 1))),
    ("partition-suffix", |files| txn(files, |state| state.partitions[0].name_txn = state.txn + 1)),
    ("partition-empty", |files| txn(files, |state| state.partitions[1].rows = 0)),
    ("partition-folder", |files| without(files, &format!("{DAY}/"))),
    ("partition-parquet", |files| {
        txn(files, |state| {
            state.partitions.iter_mut().for_each(|partition| partition.parquet = false);
        });
    }),
    ("parquet-size", |files| {
        txn(files, |state| {
            state
                .partitions
                .iter_mut()
                .filter(|partition| partition.parquet)
                .for_each(|p| p.parquet_len -= 1);
        });
    }),
    ("parquet-file", |files| {
        let path = files.iter().map(|(path, _)| path.to_owned()).find(|path| path.ends_with("data.parquet"));
        // The footer's length.
        edit(files, &path.unwrap(), |bytes| {
            let at = bytes.len() - 8;
            add(bytes, at, 1);
        });
    }),
    ("column-file", |files| drop(files.remove(&format!("{DAY}/n.d")))),
    ("column-file", |files| drop(files.remove(&format!("{DAY}/s.d")))),
    ("column-short", |files| edit(files, &format!("{DAY}/u.d"), |bytes| bytes.truncate(1000))),
    ("column-short", |files| edit(files, &format!("{DAY}/s.i"), |bytes| bytes.truncate(1000))),
    ("column-short", |files| edit(files, &format!("{DAY}/v.d"), |bytes| bytes.truncate(500))),
    ("column-values", |files| edit(files, &format!("{DAY}/s.i"), |bytes| add(bytes, 80, 2))),
    ("column-values", |files| edit(files, &format!("{DAY}/s.i"), |bytes| add(bytes, 0, 2))),
    ("column-values", |files| {
        edit(files, &format!("{DAY}/v.i"), |bytes| {
            // A long value's copy of its beginning.
            let at = bytes.chunks(16).position(|entry| entry[0] & 5 == 0).unwrap() * 16;
            bytes[at + 5] ^= 1;
        });
    }),
    ("column-values", |files| {
        edit(files, &format!("{DAY}/a.i"), |bytes| {
            let at = bytes.chunks(16).position(|entry| entry[8] != 0).unwrap() * 16;
            bytes[at + 8] += 8;
        });
    }),
    ("column-values", |files| edit(files, &format!("{DAY}/b.i"), |bytes| add(bytes, 16, 1))),
    ("timestamp-order", |files| edit(files, &format!("{DAY}/ts.d"), |bytes| add(bytes, 80, 3_000_000_000))),
    ("timestamp-bounds", |files| {
        // The last of the day's 206 rows.
        edit(files, &format!("{DAY}/ts.d"), |bytes| add(bytes, 205 * 8, 86_400_000_000));
    }),
    ("symbol-key", |files| edit(files, &format!("{DAY}/k.d"), |bytes| put32(bytes, 40, 9))),
    ("symbol-key", |files| edit(files, &format!("{DAY}/k.d"), |bytes| put32(bytes, 40, -1))),
    ("symbol-null", |files| edit(files, &format!("{DIR}/k.o"), |bytes| bytes[8] = 0)),
    ("symbol-file", |files| drop(files.remove(&format!("{DIR}/k.o")))),
    ("symbol-capacity", |files| edit(files, &format!("{DIR}/k.o"), |bytes| put32(bytes, 0, 0))),
    ("symbol-values", |files| edit(files, &format!("{DIR}/k.o"), |bytes| add(bytes, 72, 2))),
    ("symbol-values", |files| edit(files, &format!("{DIR}/k.c"), |bytes| put32(bytes, 0, -1))),
    ("symbol-duplicate", |files| edit(files, &format!("{DIR}/k.c"), |bytes| bytes.copy_within(0..8, 8))),
    ("symbol-bucket", |files| edit(files, &format!("{DIR}/k.o"), |bytes| put32(bytes, 0, 2))),
    ("symbol-bucket", |files| {
        edit(files, &format!("{DIR}/k.k"), |bytes| {
            // A key's list is forgotten.
            let at = (64..bytes.len()).step_by(32).find(|at| bytes[*at] > 0).unwrap();
            bytes[at..at + 32].fill(0);
        });
    }),
    ("index-file", |files| drop(files.remove(&format!("{DAY}/k.k")))),
    ("index-file", |files| drop(files.remove(&format!("{DAY}/k.v")))),
    ("index-signature", |files| edit(files, &format!("{DAY}/k.k"), |bytes| bytes[0] = 0)),
    ("index-sequence", |files| edit(files, &format!("{DAY}/k.k"), |bytes| add(bytes, 1, 1))),
    ("index-header", |files| edit(files, &format!("{DAY}/k.k"), |bytes| put32(bytes, 17, 3))),
    ("index-count", |files| edit(files, &format!("{DAY}/k.k"), |bytes| add(bytes, 64 + 32, 1))),
    ("index-count", |files| {
        edit(files, &format!("{DAY}/k.k"), |bytes| {
            add(bytes, 64 + 32, 1 << 40);
            add(bytes, 64 + 32 + 24, 1 << 40);
        });
    }),
    ("index-block", |files| edit(files, &format!("{DAY}/k.k"), |bytes| add(bytes, 64 + 32 + 8, 1 << 30))),
    ("index-links", |files| edit(files, &format!("{DAY}/k.k"), |bytes| add(bytes, 64 + 32 + 16, 48))),
    ("index-links", |files| {
        // The second block of the first key does not link back to the first.
        let keys = files.read_all(&format!("{DAY}/k.k"), u64::MAX).unwrap();
        let first = u64::from_le_bytes(keys[64 + 40..64 + 48].try_into().unwrap()) as usize;
        edit(files, &format!("{DAY}/k.v"), |bytes| {
            let second = u64::from_le_bytes(bytes[first + 40..first + 48].try_into().unwrap()) as usize;
            add(bytes, second + 32, 48);
        });
    }),
    ("index-order", |files| edit(files, &format!("{DAY}/k.v"), |bytes| bytes.copy_within(8..16, 0))),
    ("index-row", |files| edit(files, &format!("{DAY}/k.d"), |bytes| put32(bytes, 40, i32::MIN))),
    ("index-missing", |files| edit(files, &format!("{DAY}/k.k"), |bytes| bytes[21] -= 1)),
    ("index-missing", |files| {
        let folder = format!("{DIR}/2024-03-02");
        let is_index = |path: &&str| path.starts_with(&folder) && path.ends_with("/k.k");
        let path = files.iter().map(|(path, _)| path).find(is_index).unwrap().to_owned();
        edit(files, &path, |bytes| put32(bytes, 21, 1));
    }),
    ("cv-decode", |files| drop(files.remove(&format!("{DIR}/_cv")))),
    ("cv-version", |files| edit(files, &format!("{DIR}/_cv"), |bytes| add(bytes, 0, 2))),
    ("cv-version", |files| txn(files, |state| state.column_version += 1)),
    ("cv-ahead", |files| edit(files, &format!("{DIR}/_cv"), |bytes| add(bytes, 0, 1))),
    ("cv-top", |files| cv(files, |versions| versions.set(1_709_251_200_000_000, 6, -1, 1 << 20))),
    ("cv-partition", |files| cv(files, |versions| versions.set(1_709_251_200_000_001, 6, -1, 0))),
    ("cv-column", |files| cv(files, |versions| versions.set_default(400, 1, 0))),
    ("cv-column", |files| cv(files, |versions| versions.set_symbol(1, 1000))),
    ("meta-decode", |files| edit(files, &format!("{DIR}/_meta"), |bytes| bytes[12] ^= 1)),
    ("meta-version", |files| meta(files, |meta| meta.metadata_version += 1)),
    ("meta-version", |files| {
        // What would be restored is older than what is applied.
        let mut old = TableMeta::applied(files, DIR).unwrap();
        old.metadata_version -= 1;
        files.insert(format!("{DIR}/_meta.prev"), encode_meta(&old));
        todo(files, 2);
    }),
    ("meta-checksum", |files| edit(files, &format!("{DIR}/_meta"), |bytes| bytes[41] ^= 1)),
    ("meta-checksum", |files| edit(files, &format!("{DIR}/_meta"), |bytes| bytes[43] = 0)),
    ("meta-id", |files| meta(files, |meta| meta.table_id += 1)),
    ("meta-wal", |files| meta(files, |meta| meta.wal_enabled = false)),
    ("meta-index", |files| {
        meta(files, |meta| {
            let index = column(meta, "n");
            meta.columns[index].indexed = true;
        });
    }),
    ("meta-timestamp", |files| meta(files, |meta| meta.timestamp = Some(column(meta, "n")))),
    ("meta-dedup", |files| {
        meta(files, |meta| {
            let index = column(meta, "k");
            meta.columns[index].dedup_key = true;
        });
    }),
    ("meta-replaced", |files| {
        meta(files, |meta| {
            let index = column(meta, "text");
            meta.columns[index].replaces = Some(1);
        });
    }),
    ("column-name", |files| {
        meta(files, |meta| {
            let index = column(meta, "y");
            meta.columns[index].name = "../y".into();
        });
    }),
    ("column-name", |files| {
        meta(files, |meta| {
            let index = column(meta, "y");
            meta.columns[index].name = "N".into();
        });
    }),
    ("todo-truncate", |files| todo(files, 1)),
    ("todo-code", |files| todo(files, 7)),
    ("todo-decode", |files| edit(files, &format!("{DIR}/_todo_"), |bytes| bytes.truncate(20))),
    ("convert-trigger", |files| files.insert(format!("{DIR}/_convert"), vec![1])),
    ("restore-trigger", |files| files.insert("_restore", vec![])),
    ("registry-decode", |files| edit(files, "tables.d.0", |bytes| bytes[8] = 7)),
    ("registry-short", |files| files.insert("tables.d.0", vec![8, 0, 0, 0, 0, 0, 0, 0])),
    ("registry-missing", |files| registry(files, |tables| drop(tables.remove(0)))),
    ("registry-directory", |files| drop(files.remove(&format!("{DIR}/_txn")))),
    ("registry-id", |files| registry(files, |tables| tables[0].id = tables[1].id)),
    ("registry-name", |files| registry(files, |tables| tables[0].name = tables[1].name.to_uppercase())),
    ("registry-dir-name", |files| {
        let dir = "d".repeat(254);
        let token = TableToken { name: "d".into(), dir, id: 9, kind: TableKind::Wal, dropped: false };
        registry(files, |tables| tables.push(token));
    }),
    ("tab-index", |files| files.insert("_tab_index.d", TabIndex { last_id: 8, instance: (1, 2) }.encode())),
    ("tab-index", |files| drop(files.remove("_tab_index.d"))),
    ("upgrade-version", |files| edit(files, "_upgrade.d", |bytes| bytes[0] += 1)),
    ("name-decode", |files| edit(files, &format!("{DIR}/_name"), |bytes| bytes.push(0))),
    ("name-registry", |files| files.insert(format!("{DIR}/_name"), files::encode_name("other"))),
    ("view-definition", |files| edit(files, "hourly~9/_mv", |bytes| bytes[60] ^= 1)),
    ("view-state", |files| edit(files, "hourly~9/_mv.s", |bytes| bytes[60] ^= 1)),
    ("seq-log", |files| edit(files, &format!("{DIR}/txn_seq/_txnlog"), |bytes| bytes[0] = 9)),
    ("seq-behind", |files| edit(files, &format!("{DIR}/txn_seq/_txnlog"), |bytes| add(bytes, 4, -1))),
    ("seq-record", |files| edit(files, &format!("{DIR}/txn_seq/_txnlog"), |bytes| bytes.truncate(90))),
    ("seq-part", |files| {
        as_v2(files);
        let log = SequencerLog::open(files, DIR).unwrap();
        edit(files, &log.place(log.max_txn).0, |bytes| bytes.truncate(bytes.len() - 1));
    }),
    ("seq-meta", |files| drop(files.remove(&format!("{DIR}/txn_seq/_meta")))),
    ("seq-structure", |files| sequencer(files, |meta| meta.structure_version += 1)),
    ("seq-changes", |files| {
        edit(files, &format!("{DIR}/txn_seq/_txnlog.meta.i"), |bytes| bytes.truncate(16));
    }),
    ("seq-id", |files| sequencer(files, |meta| meta.table_id += 1)),
    ("seq-columns", |files| sequencer(files, |meta| drop(meta.columns.pop()))),
    ("seq-columns", |files| sequencer(files, |meta| meta.columns[2].name.push('x'))),
    ("wal-index", |files| {
        files.insert(format!("{DIR}/txn_seq/_wal_index.d"), files::encode_wal_index(0));
    }),
    ("ahead-event", |files| append(files, |version| LogRecord::empty(version, OURS, 0, 5))),
    ("ahead-segment", |files| {
        append_empty(files);
        files.remove(&format!("{DIR}/wal77/0/n.d")).unwrap();
    }),
    ("ahead-order", |files| {
        append_empty(files);
        append_empty(files);
    }),
    ("ahead-rows", |files| {
        // Rows that are to be applied again, of a segment whose column is gone.
        let log = SequencerLog::open(files, DIR).unwrap();
        let old = log.records(files, 1..=1).unwrap()[0];
        append(files, |structure_version| LogRecord { structure_version, ..LogRecord::copy_of(&old) });
        let (segment, _) = old.segment().unwrap();
        files.remove(&format!("{}/n.d", segment.dir(DIR))).unwrap();
    }),
    ("ahead-symbols", |files| {
        append_empty(files);
        edit(files, &format!("{DIR}/wal77/0/_event"), |bytes| {
            // One symbol of column 1, key 0: "a".
            let at = bytes.len() - 8;
            bytes.truncate(at);
            bytes.extend(1i32.to_le_bytes());
            bytes.push(0);
            for n in [0, 1, 0, 1] {
                bytes.extend(i32::to_le_bytes(n));
            }
            bytes.extend([b'a', 0]);
            for n in [-1, -1, -1] {
                bytes.extend(i32::to_le_bytes(n));
            }
            let len = bytes.len() as i32 - 4 - 8;
            put32(bytes, 8, len);
        });
        edit(files, &format!("{DIR}/wal77/0/_event.i"), |bytes| add(bytes, 8, 27));
    }),
    ("ahead-change", |files| {
        append(files, |version| LogRecord {
            structure_version: version + 1,
            kind: TxnKind::Structure,
            commit_ts: 5,
            extent: (0, 0, 0),
        });
    }),
    ("ahead-structure", |files| {
        append_empty(files);
        append(files, |version| LogRecord::empty(version + 1, OURS, 0, 5));
    }),
];

#[test]
fn every_broken_rule_is_noticed() {
    let whole = whole();
    let mut silent = String::new();
    for (number, (rule, change)) in BROKEN.iter().enumerate() {
        let mut files = whole.clone();
        change(&mut files);
        let findings = checked(&files);
        if !findings.iter().any(|finding| finding.rule == *rule) {
            silent += &format!("{number} {rule}: {}\n", shown(&findings));
        }
        let tolerated = ["registry-missing", "txn-symbol-counts"].contains(rule);
        let serious = findings.iter().any(|finding| finding.severity == Severity::Error);
        if serious == tolerated {
            silent += &format!("{number} {rule}: has the wrong severity\n");
        }
    }
    assert!(silent.is_empty(), "{silent}");
}

#[test]
fn every_rule_has_a_way_to_break_it() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/src/table/files/check");
    let mut rules = BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for quoted in text.split('"').skip(1).step_by(2) {
            let word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
            if quoted.contains('-') && quoted.split('-').all(word) {
                rules.insert(quoted.to_owned());
            }
        }
    }
    assert!(rules.len() > 60, "{rules:?}");
    let tried: BTreeSet<String> = BROKEN.iter().map(|(rule, _)| rule.to_string()).collect();
    assert_eq!(rules.difference(&tried).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn damaged_directories_never_panic() {
    let whole = whole();
    let paths: Vec<String> = whole
        .iter()
        .map(|(path, _)| path.to_owned())
        .filter(|path| path.starts_with("upserts") || path.starts_with("hourly"))
        .collect();
    let mut state = 7u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let mut noticed = 0;
    for _ in 0..600 {
        let mut files = whole.clone();
        let path = &paths[random(paths.len())];
        edit(&mut files, path, |bytes| match random(3) {
            0 => bytes.truncate(random(bytes.len() + 1)),
            1 => {
                let (at, value) = (random(bytes.len()), random(256) as u8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            _ => {
                let at = random(bytes.len());
                bytes.iter_mut().skip(at).take(8).for_each(|byte| *byte = 255);
            }
        });
        noticed += usize::from(!check_table(&files, path.split('/').next().unwrap()).is_empty());
    }
    assert!(noticed > 60, "{noticed}");
}
