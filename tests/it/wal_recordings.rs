//! Every transaction of every recording can be read, and means what the server made of it.

use crate::common::{Recording, recording, recordings};
use std::collections::{BTreeMap, HashSet};
use understudy::wal::{
    Applied, Cause, Commit, Event, Files, Layout, LayoutOptions, RawValue, Registry, SequencerLog,
    SequencerMeta, SqlEvent, Survey, SymbolText, TableKind, TableMeta, TableToken, Transaction, TxnRecord,
    read_clean_symbols, read_transaction,
};

/// The command of an UPDATE in the log.
const UPDATE: i32 = 3;

fn wal_tables(recording: &Recording) -> Vec<TableToken> {
    let registry = Registry::read(&recording.files).expect("the registry is readable");
    let with_files = |token: &TableToken| {
        token.kind != TableKind::Plain && recording.files.iter().any(|(path, _)| path.starts_with(&token.dir))
    };
    registry.tables.into_iter().filter(with_files).collect()
}

fn transactions(recording: &Recording, token: &TableToken) -> Vec<(TxnRecord, Transaction)> {
    let files = &recording.files;
    let log = SequencerLog::open(files, &token.dir).expect("the log's header is readable");
    let records = log.records(files, 1..=log.max_txn).expect("the log's records are readable");
    assert_eq!(records.len() as u64, log.max_txn);
    let read = |record: TxnRecord| {
        let transaction = read_transaction(files, &token.dir, &record);
        (record, transaction.unwrap_or_else(|error| panic!("{} {}: {error}", token.name, record.seq_txn)))
    };
    records.into_iter().map(read).collect()
}

#[test]
fn every_transaction_reads_without_error() {
    let mut rows = BTreeMap::new();
    for (name, recording) in recordings() {
        for token in wal_tables(&recording) {
            let log = SequencerLog::open(&recording.files, &token.dir).expect("a log");
            let survey = Survey::read(&recording.files, &log).expect("a survey");
            assert!(survey.is_complete(), "{name} {}: {survey:?}", token.name);
            let transactions = transactions(&recording, &token);
            for (record, transaction) in &transactions {
                if let (Transaction::Rows(commit), Some((min, max, count))) = (transaction, record.extent) {
                    assert_eq!((commit.min_ts, commit.max_ts, commit.rows as u64), (min, max, count));
                }
            }
            rows.insert(format!("{name}/{}", token.name), transactions.len());
        }
    }
    assert!(rows.values().sum::<usize>() > 100, "{rows:?}");
}

#[test]
fn tables_are_those_of_the_recording() {
    for (name, recording) in recordings() {
        let tokens = wal_tables(&recording);
        for table in recording.tables() {
            let dir = table["dir"].as_str().expect("a directory");
            let token = tokens.iter().find(|token| token.dir == dir).expect("the registry knows the table");
            assert_eq!(Some(token.name.as_str()), table["name"].as_str(), "{name}");
            assert_eq!(Some(i64::from(token.id)), table["id"].as_i64(), "{name}");
            let kind = if table["type"] == "matview" { TableKind::MatView } else { TableKind::Wal };
            assert_eq!((token.kind, token.dropped), (kind, false), "{name}");
            let log = SequencerLog::open(&recording.files, dir).expect("a log");
            // Of a suspended table the server counts no structural change.
            let counted = table["sequencerTxn"].as_u64().expect("a number");
            let suspended = table["expect"]["suspended"].is_u64();
            assert!(log.max_txn == counted || suspended && log.max_txn > counted, "{name} {dir}");
            let applied = Applied::read(&recording.files, dir).expect("an applied table");
            let counted = table["seqTxn"].as_u64().expect("a number");
            // A statement that fails late has moved a suspended table's own position already.
            assert!(
                applied.seq_txn == counted || suspended && applied.seq_txn == counted + 1,
                "{name} {dir}: {} applied, the server says {counted}",
                applied.seq_txn
            );
            assert_eq!(Some(applied.rows), table["rows"].as_u64(), "{name}");
            assert_eq!(applied.rows, applied.partitions.iter().map(|partition| partition.rows).sum::<u64>());
        }
    }
}

#[test]
fn definitions_agree_with_the_servers_columns() {
    for (name, recording) in recordings() {
        for table in recording.tables() {
            let dir = table["dir"].as_str().expect("a directory");
            let meta = TableMeta::applied(&recording.files, dir).expect("metadata");
            let sequencer = SequencerMeta::of_table(&recording.files, dir).expect("metadata");
            let creation = TableMeta::at_creation(&recording.files, dir).expect("metadata");
            assert_eq!(creation.table_id, meta.table_id);
            let upsert: Vec<_> = table["columns"].as_array().expect("columns").iter().collect();
            let live: Vec<_> = meta.columns.iter().filter(|column| !column.dropped).collect();
            assert_eq!(live.len(), upsert.len(), "{name} {dir}");
            for column in upsert {
                let found = live.iter().find(|live| Some(live.name.as_str()) == column["name"].as_str());
                let found = found.unwrap_or_else(|| panic!("{name} {dir}: no {}", column["name"]));
                assert_eq!(Some(found.dedup_key), column["upsertKey"].as_bool(), "{name} {dir}");
            }
            assert_eq!(Some(meta.dedup()), table["dedup"].as_bool(), "{name} {dir}");
            if table["seqTxn"] == table["sequencerTxn"] {
                let names: Vec<_> =
                    sequencer.columns.iter().filter(|c| !c.dropped).map(|c| c.name.as_str()).collect();
                assert_eq!(names, live.iter().map(|column| column.name.as_str()).collect::<Vec<_>>());
                assert_eq!(sequencer.timestamp, meta.timestamp);
            }
        }
    }
}

/// Each kind of transaction is laid out whole, with every field inside its file.
#[test]
fn transactions_are_laid_out_to_their_bytes() {
    let text = |ty, raw: RawValue<'_>| format!("{ty} {raw:?}");
    let options = LayoutOptions { items: 5, text: &text };
    for (name, recording) in recordings() {
        for token in wal_tables(&recording) {
            let log = SequencerLog::open(&recording.files, &token.dir).expect("a log");
            for record in log.records(&recording.files, 1..=60).expect("records") {
                let layout = Layout::read(&recording.files, &log, &record, &options).expect("a layout");
                assert!(layout.fields.len() > 5);
                for field in &layout.fields {
                    let path = &layout.files[field.file].path;
                    assert_ne!(field.name, "can't be read", "{name} {path}: {}", field.value);
                    let len = recording.files.len(path).expect("the file exists");
                    assert!(field.offset + field.len <= len, "{name} {path}: {field:?}");
                }
            }
        }
    }
}

/// Rows before upserts and deletes are at least those of the table.
#[test]
fn commits_hold_the_rows_of_the_table() {
    for (name, recording) in recordings() {
        for token in wal_tables(&recording).iter().filter(|token| !token.dropped) {
            let transactions = transactions(&recording, token);
            let rows: usize = transactions
                .iter()
                .map(|(_, transaction)| match transaction {
                    Transaction::Rows(Commit { rows, .. }) => *rows,
                    _ => 0,
                })
                .sum();
            let applied = Applied::read(&recording.files, &token.dir).expect("an applied table");
            assert!(rows as u64 >= applied.rows, "{name} {}: {rows} rows", token.name);
        }
    }
}

/// A dictionary grows by the new symbols of each commit, in their order; the link that a writer
/// keeps holds what its commits take for known.
#[test]
fn links_hold_the_clean_symbols_of_commits() {
    let mut checked = 0;
    for (name, recording) in recordings() {
        for token in wal_tables(&recording) {
            let mut dictionaries: BTreeMap<usize, (Vec<SymbolText>, HashSet<SymbolText>)> = BTreeMap::new();
            for (record, transaction) in transactions(&recording, &token) {
                let commit = match transaction {
                    Transaction::Rows(commit) => commit,
                    // It may add symbols that no commit carries.
                    Transaction::Event(Event::Sql(SqlEvent { command: UPDATE, .. })) => break,
                    _ => continue,
                };
                let (segment, _) = record.segment().expect("rows are in a segment");
                let meta =
                    SequencerMeta::of_segment(&recording.files, &token.dir, segment).expect("metadata");
                for diff in commit.symbols {
                    let (known, all) = dictionaries.entry(diff.column).or_default();
                    let column = &meta.columns[diff.column].name;
                    let link =
                        read_clean_symbols(&recording.files, &token.dir, segment.wal, column, diff.clean);
                    // The link has the column's name of the time when the writer opened it.
                    if let Ok(link) = link {
                        assert_eq!(
                            known.get(..link.len()),
                            Some(&link[..]),
                            "{name} {} {column}",
                            token.name
                        );
                        checked += usize::from(diff.clean > 0);
                    }
                    known.extend(diff.entries.into_iter().filter(|symbol| all.insert(symbol.clone())));
                }
            }
        }
    }
    assert!(checked > 0);
}

/// The ordinary case of a server that purges: the first segments are gone, the log is whole.
#[test]
fn purged_segments_are_told_from_missing_ones() {
    let recording = recording("trading_day");
    let mut seen = 0;
    for token in wal_tables(&recording) {
        let log = SequencerLog::open(&recording.files, &token.dir).expect("a log");
        let records = log.records(&recording.files, 1..=log.max_txn).expect("records");
        let Some((first, _)) = records.iter().find_map(TxnRecord::segment) else { continue };
        let mut files = recording.files.clone();
        let gone: Vec<_> = files.iter().map(|(path, _)| path.to_owned()).collect();
        let dir = format!("{}/", first.dir(&token.dir));
        for path in gone.iter().filter(|path| path.starts_with(&dir)) {
            files.remove(path);
        }
        let expected: Vec<_> = records
            .iter()
            .filter(|record| record.segment().is_some_and(|(segment, _)| segment == first))
            .map(|record| record.seq_txn)
            .collect();
        let survey = Survey::read(&files, &log).expect("a survey");
        assert!(survey.missing.is_empty());
        for record in &records {
            let purged = survey.purged.iter().any(|range| range.contains(&record.seq_txn));
            assert_eq!(purged, expected.contains(&record.seq_txn) || record.segment().is_none() && purged);
            if let Err(error) = read_transaction(&files, &token.dir, record) {
                assert_eq!(survey.cause(record.seq_txn, &error), Cause::Purged);
                seen += 1;
            }
        }
        assert_eq!(Some(survey.first_readable - 1), survey.purged.last().map(|range| *range.end()));
        // The same is damage where nothing has been applied.
        files.insert(format!("{}/_txn", token.dir), vec![0; 300]);
        let survey = Survey::read(&files, &log).expect("a survey");
        assert_eq!((survey.applied, survey.purged_count()), (Some(0), 0));
        assert_eq!(survey.missing.first().map(|range| *range.start()), expected.first().copied());
    }
    assert!(seen > 5);
}
