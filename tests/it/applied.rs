//! Tables as a real QuestDB applied them, read from its own files.

use crate::common::{Recording, csv};
use understudy::replay::{History, Player, tables};
use understudy::table::Table;
use understudy::table::files::read::{AppliedTable, read_partition, read_table};
use understudy::wal::{TableKind, Tag};

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
            if token.kind == TableKind::View {
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
            let history = History::read(&recording.files, &token).unwrap();
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
