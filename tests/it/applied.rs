//! Tables as a real QuestDB applied them, read from its own files.

use crate::common::{Recording, csv, same_rows};
use crate::wal_lazy::Remote;
use std::collections::BTreeMap;
use understudy::replay::{History, Player, PlayerOptions, tables};
use understudy::table::Table;
use understudy::table::files::read::{AppliedTable, read_partition, read_table};
use understudy::wal::{Applied, Error, MemoryFiles, TableKind, TableToken, Tag};

/// Recordings with the applied tables' files; `APPLIED` names a folder with more of them.
fn recordings() -> Vec<(String, Recording)> {
    let mut folders = vec![concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/files").to_owned()];
    folders.extend(std::env::var("APPLIED"));
    let mut found = Vec::new();
    for folder in folders {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.push((name, Recording::unpack(&std::fs::read(&path).unwrap())));
        }
    }
    found
}

/// By row, for each column whose rows from before it was added matter: whether the row is one.
fn absent(table: &Table) -> Vec<(usize, Vec<bool>)> {
    let matters = |tag| matches!(tag, Tag::Boolean | Tag::Byte | Tag::Short);
    // Of other types nulls that were written are nulls like the others; after a change of type they aren't.
    let written = |replaced: Option<usize>| {
        replaced.and_then(|index| table.schema.columns.get(index)).is_none_or(|old| matters(old.ty.tag()))
    };
    let live = table.schema.live();
    let columns = live.filter(|(_, column)| matters(column.ty.tag()) && written(column.replaces));
    let rows = |index: usize| {
        let of = |block: &understudy::table::Block| vec![block.chunk(index).is_none(); block.rows];
        table.blocks().flat_map(of).collect()
    };
    columns.map(|(index, _)| (index, rows(index))).collect()
}

#[test]
fn applied_tables_hold_what_the_server_answers() {
    let mut compared = 0;
    for (name, recording) in recordings() {
        for token in tables(&recording.files).unwrap() {
            let what = format!("{name}: {}", token.dir);
            let Some(answer) = recording.answers.get(&format!("{}.csv", token.dir)) else { continue };
            // Of `half_applied` the answers are later than the files.
            let history = History::read(&recording.files, &token).unwrap();
            let behind = history.applied.as_ref().is_some_and(|a| a.seq_txn != history.txn_count());
            if token.kind == TableKind::View || behind {
                continue;
            }
            let table =
                read_table(&recording.files, &token).unwrap_or_else(|error| panic!("{what}: {error}"));
            let ours = csv(&table);
            let differs =
                ours.split(|b| *b == b'\n').zip(answer.split(|b| *b == b'\n')).find(|(a, b)| a != b);
            if let Some((ours, theirs)) = differs {
                panic!(
                    "{what}:\n ours   {}\n server {}",
                    String::from_utf8_lossy(ours),
                    String::from_utf8_lossy(theirs)
                );
            }
            assert_eq!(ours.len(), answer.len(), "{what}");
            compared += 1;

            let applied = AppliedTable::read(&recording.files, &token).unwrap();
            assert_eq!(table.rows() as u64, applied.applied.rows, "{what}");
            for (index, partition) in table.partitions.values().enumerate() {
                let read = read_partition(&recording.files, &applied, index).unwrap();
                assert_eq!(table.partition_digest(&read), table.partition_digest(partition), "{what}");
                assert!(partition.blocks.iter().all(|block| block.rows > 0), "{what}");
            }
            // The log, where it is whole, gives the same table.
            if !history.is_replayable() {
                continue;
            }
            let mut player = Player::new(history).unwrap();
            player.seek(&recording.files, table.seq_txn).unwrap();
            let replayed = player.table();
            if replayed.standing != understudy::table::Standing::Exact {
                continue;
            }
            assert_eq!(replayed.digest(), table.digest(), "{what}");
            assert_eq!(replayed.schema.order, table.schema.order, "{what}");
            assert_eq!(replayed.schema.version, table.schema.version, "{what}");
            assert_eq!(absent(replayed), absent(&table), "{what}: rows from before a column");
            for (index, column) in table.schema.live().filter(|(_, column)| column.ty.is_symbol()) {
                let texts = |table: &Table| -> Vec<String> {
                    table.dictionary(index).unwrap().iter().map(str::to_owned).collect()
                };
                assert_eq!(texts(replayed), texts(&table), "{what}: {}", column.name);
            }
        }
    }
    assert!(compared > 1);
    println!("{compared} tables compared");
}

fn half_applied() -> Recording {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/files/half_applied.tar.gz");
    Recording::unpack(&std::fs::read(path).unwrap())
}

fn named(recording: &Recording, name: &str) -> TableToken {
    tables(&recording.files).unwrap().into_iter().find(|token| token.name == name).unwrap()
}

#[test]
fn a_purged_history_begins_with_the_servers_table() {
    let recording = half_applied();
    let mut later = 0;
    for name in ["events", "latest", "nanos", "whole", "empty"] {
        let token = named(&recording, name);
        let history = History::read(&recording.files, &token).unwrap();
        let applied = Applied::read(&recording.files, &token.dir).unwrap();
        let first = if ["whole", "empty"].contains(&name) { 0 } else { applied.seq_txn };
        assert_eq!(history.first_state(), Some(first), "{name}");
        assert_eq!(history.is_replayable(), first == 0, "{name}");
        let last = history.txn_count();
        later += last - first;
        let mut player = Player::new(history).unwrap();
        player.seek(&recording.files, u64::MAX).unwrap();
        assert_eq!(player.table().seq_txn, last);
        let answer = &recording.answers[&format!("{}.csv", token.dir)];
        same_rows(&csv(player.table()), answer, name != "latest").unwrap();
        let end = player.table().digest();

        // Back to the beginning, which is as far as it goes, and forth step by step.
        player.seek(&recording.files, 0).unwrap();
        assert_eq!((player.table().seq_txn, player.first()), (first, first));
        assert!(player.effect().is_none());
        if first > 0 {
            assert_eq!(player.table().rows() as u64, applied.rows, "{name}");
            assert_eq!(player.table().digest(), read_table(&recording.files, &token).unwrap().digest());
        }
        for txn in first..=last {
            player.seek(&recording.files, txn).unwrap();
            assert_eq!(player.table().seq_txn, txn);
            assert!(player.effect().is_some() || txn == first, "{name} at {txn}");
        }
        assert_eq!(player.table().digest(), end, "{name}");
        player.seek(&recording.files, first + 1).unwrap();
        player.seek(&recording.files, last).unwrap();
        assert_eq!(player.table().digest(), end, "{name}");
    }
    assert!(later > 15, "{later} transactions after the servers' tables");
}

#[test]
fn a_beginning_that_has_to_be_fetched_takes_few_round_trips() {
    let recording = half_applied();
    let token = named(&recording, "events");
    let remote = Remote::new(&recording.files);
    let history = remote.run(|| History::read(&remote, &token)).0.unwrap();
    let mut player = Player::new(history).unwrap();
    let first = player.history().first_state().unwrap();
    let (done, waits) = remote.run(|| player.seek(&remote, first));
    done.unwrap();
    // What the table is; offsets of symbols; symbols and columns; what is in variable-size columns.
    assert!(waits <= 6, "{waits} waits");
    assert_eq!(player.table().digest(), read_table(&recording.files, &token).unwrap().digest());
}

#[test]
fn a_beginning_larger_than_the_memory_is_read_where_it_is_looked_at() {
    let recording = half_applied();
    let token = named(&recording, "events");
    let whole = read_table(&recording.files, &token).unwrap();
    let history = History::read(&recording.files, &token).unwrap();
    let options = PlayerOptions { memory: whole.memory() / 2, ..PlayerOptions::default() };
    let mut all = Player::new(history.clone()).unwrap();
    let mut player = Player::with_options(history, options).unwrap();
    player.seek(&recording.files, 0).unwrap();
    assert!(!player.table().is_whole() && whole.partitions.len() > 3);
    assert!(player.memory() < whole.memory());
    for target in [whole.seq_txn, u64::MAX] {
        all.seek(&recording.files, target).unwrap();
        player.seek(&recording.files, target).unwrap();
        assert_eq!(player.table().rows(), all.table().rows());
        let mut first = 0;
        let partitions: BTreeMap<i64, usize> =
            all.table().partitions.iter().map(|(floor, partition)| (*floor, partition.rows)).collect();
        for (floor, rows) in partitions {
            if player.focus(first..first + rows) {
                player.seek(&recording.files, target).unwrap();
            }
            let digest = |player: &Player| {
                let partition = &player.table().partitions[&floor];
                assert!(!partition.let_go);
                player.table().partition_digest(partition)
            };
            assert_eq!(digest(&player), digest(&all), "partition {floor} at {target}");
            first += rows;
        }
    }
}

#[test]
fn a_table_that_changes_while_it_is_read_is_read_again() {
    let recording = half_applied();
    let token = named(&recording, "events");
    let dir = &token.dir;
    let good = &recording.files;
    // Partitions are gone: without a newer `_txn` the table is damaged.
    let mut files = good.clone();
    let victim = good.iter().map(|(path, _)| path.to_owned()).find(|path| path.ends_with("/n.d")).unwrap();
    files.remove(&victim);
    assert!(matches!(read_table(&files, &token), Err(Error::Absent { .. })));
    // A `_meta` of another version than `_txn` names is no state.
    let mut files: MemoryFiles = good.clone();
    let mut meta = files.remove(&format!("{dir}/_meta")).unwrap().to_vec();
    meta[32] ^= 1;
    files.insert(format!("{dir}/_meta"), meta);
    assert!(matches!(AppliedTable::read(&files, &token), Err(Error::Io { .. })));
}

#[test]
fn damaged_files_are_errors() {
    let recording = half_applied();
    let token = named(&recording, "events");
    let names =
        ["_meta", "_cv", "_txn", "s.o", "s.c", "n.d", "ts.d", "t.i", "t.d", "w.i", "a.i", "a.d", "s.d"];
    let mut damaged = 0;
    for (path, content) in recording.files.iter() {
        let Some(rest) = path.strip_prefix(&format!("{}/", token.dir)) else { continue };
        let last = rest.rsplit('/').next().unwrap();
        if rest.contains("wal")
            || rest.contains("txn_seq")
            || !names.iter().any(|name| last.starts_with(name))
        {
            continue;
        }
        for at in (0..content.len().min(600)).step_by(7) {
            let mut files = recording.files.clone();
            let mut bad = content.to_vec();
            bad[at] ^= 0xff;
            files.insert(path, bad);
            // Whatever is read, it is read without a panic, and printed, too.
            match read_table(&files, &token) {
                Ok(table) => drop(csv(&table)),
                Err(_) => damaged += 1,
            }
        }
        let mut files = recording.files.clone();
        files.insert(path, content.slice(..content.len().min(20)));
        damaged += usize::from(read_table(&files, &token).is_err());
    }
    assert!(damaged > 200, "{damaged}");
}
