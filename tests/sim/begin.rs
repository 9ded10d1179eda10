//! Runs that begin with tables of a real history: recordings of a real QuestDB, of which any moment is gone on with.

#[path = "../common/mod.rs"]
mod common;

use self::common::recordings;
use super::{only, run, seeds, tell};
use std::collections::BTreeSet;
use understudy::replay::{History, Player, tables};
use understudy::sim::{Begin, BeginTable, Command, FORK_US, Fault, Faults, Scenario, Scripted, Sim};
use understudy::table::text::write_text;
use understudy::table::{Table, Value};
use understudy::wal::{MemoryFiles, PartitionBy, TableKind, Tag};

/// A table as a page reads it: cells as text.
fn begun(table: &Table) -> BeginTable {
    let partition = match table.schema.partition_by {
        PartitionBy::Hour => "HOUR",
        PartitionBy::Day => "DAY",
        PartitionBy::Week => "WEEK",
        PartitionBy::Month => "MONTH",
        _ => "YEAR",
    };
    let live: Vec<_> = table.schema.live().collect();
    let cell = |row, index| match table.value(row, index) {
        Value::Null => None,
        value => {
            let mut text = Vec::new();
            write_text(&mut text, value);
            Some(String::from_utf8_lossy(&text).into_owned())
        }
    };
    let keys = live.iter().filter(|(_, column)| column.upsert_key);
    BeginTable {
        name: table.name.clone(),
        partition: partition.to_owned(),
        timestamp: table.schema.columns[table.schema.timestamp].name.clone(),
        dedup: keys.map(|(_, column)| column.name.clone()).collect(),
        columns: live
            .iter()
            .map(|(index, column)| (*index as u32, column.name.clone(), column.ty.to_string()))
            .collect(),
        rows: (0..table.rows())
            .map(|row| live.iter().map(|(index, _)| cell(row, *index)).collect())
            .collect(),
        all: table.rows() as u64,
    }
}

/// A table of a recording after a transaction, by the engine that replays it.
fn at(files: &MemoryFiles, name: &str, seq_txn: u64) -> Table {
    let token = tables(files).unwrap().into_iter().find(|token| token.name == name).unwrap();
    let mut player = Player::new(History::read(files, &token).unwrap()).unwrap();
    player.seek(files, seq_txn).unwrap();
    player.table().clone()
}

fn forked(tables: Vec<BeginTable>) -> Scenario {
    Scenario {
        begin: Some(Begin { of: "a recording".into(), tables, names: Vec::new() }),
        ..Scenario::default()
    }
}

/// Whether a line can have all that a table of these types holds.
fn is_writable(table: &Table) -> bool {
    let bars = |tag| matches!(tag, Tag::Binary | Tag::Long128);
    table.schema.live().count() > 1 && !table.schema.live().any(|(_, column)| bars(column.ty.tag()))
}

#[test]
fn any_recorded_table_is_begun_with_to_the_last_bit() {
    let (mut compared, mut types, mut others) = (0, BTreeSet::new(), BTreeSet::new());
    for (name, recording) in recordings() {
        let files = &recording.files;
        for token in tables(files).unwrap().iter().filter(|token| token.kind == TableKind::Wal) {
            let Ok(history) = History::read(files, token) else { continue };
            let Ok(mut player) = Player::new(history) else { continue };
            let last = player.history().txn_count();
            for seq_txn in [last / 2, last] {
                if player.seek(files, seq_txn).is_err() || !is_writable(player.table()) {
                    continue;
                }
                let table = player.table();
                let scenario = forked(vec![begun(table)]);
                assert_eq!(scenario.fault(), None, "{name}: {} at {seq_txn}", token.name);
                let mut sim = Sim::new(&scenario, 3);
                sim.run_until(FORK_US - 1);
                let told = sim.told();
                assert_eq!(sim.violation(), None);
                if told.tables[0].digest != table.digest().to_string() {
                    others.insert(format!("{name}: {}", token.name));
                }
                assert_eq!((told.tables[0].written, told.rows.made), (0, 0));
                // Whoever comes later has them, too.
                for node in &told.nodes {
                    assert_eq!((node.rows, node.lag), (told.tables[0].rows, 0), "{name}: {node:?}");
                }
                compared += usize::from(table.rows() > 0);
                types.extend(table.schema.live().map(|(_, column)| column.ty.tag()));
            }
        }
    }
    println!("{compared} moments, {types:?}");
    let known = [
        // The text of an array without elements is `[]`, whatever the lengths of its other dimensions.
        "alltypes: arrays",
        // Text has no halves of surrogate pairs, and lines no CHAR that is not ASCII.
        "capacity: halves",
        "capacity: other_halves",
        "conversions: from_char",
        // Times in years that no reader of text takes.
        "conversions: from_double",
        "conversions: from_long",
        "conversions: from_string",
        "conversions: from_symbol",
        "conversions: from_varchar",
        // Rows with equal upsert keys, written before those were set.
        "dedup_keys: kc",
        "dedup_keys: ks",
        "v2log: v2",
        "writers: wr",
    ];
    assert_eq!(others, known.into_iter().map(String::from).collect());
    assert!(compared > 40 && types.len() > 20);
}

fn trading_day() -> Vec<BeginTable> {
    let (_, recording) = recordings().into_iter().find(|(name, _)| name == "trading_day").unwrap();
    let of = |name, seq_txn| begun(&at(&recording.files, name, seq_txn));
    vec![of("trades", 300), of("orders", 200), of("indicative", 0)]
}

#[test]
fn clients_go_on_with_the_real_tables_behind_their_newest_rows() {
    let tables = trading_day();
    let mut sim = Sim::new(&forked(tables.clone()), 11);
    assert_eq!(sim.told().nodes[0].rows, 0);
    while sim.step() {}
    assert_eq!(sim.violation(), None);
    let told = sim.told();
    assert_eq!(told.tables.iter().map(|table| table.written).sum::<u64>(), told.rows.in_history);
    for (table, begun) in told.tables.iter().zip(&tables) {
        assert_eq!((&table.name, table.began), (&begun.name, begun.rows.len() as u64));
        // Rows are like those that were there: none are where none were.
        assert!(table.written > 50 || table.name == "indicative" && table.rows == 0, "{table:?}");
        // Trades has no upsert keys; of orders some may take the place of others.
        assert!(table.rows <= table.began + table.written);
        assert!(table.name != "trades" || table.rows == table.began + table.written);
    }
    // Behind all that was there, and like that.
    let (table, begun) = (sim.table("trades").unwrap(), &tables[0]);
    let here = crate::begin::begun(table);
    assert_eq!(here.rows.len(), table.rows());
    let column = |name: &str| here.columns.iter().position(|(_, column, _)| column == name).unwrap();
    let (id, symbol) = (column("lab_row"), column("symbol"));
    for (n, row) in here.rows.iter().enumerate() {
        assert_eq!(row[id].is_some(), n >= begun.rows.len(), "row {n}");
        assert!(n < begun.rows.len() || begun.rows.iter().any(|real| real[1] == row[symbol]), "{row:?}");
    }
    let again = run(&forked(tables), 11);
    assert_eq!(again.trace(), sim.trace());
}

#[test]
fn a_forked_run_survives_what_any_run_survives() {
    let order = |at_us, command| Scripted { at_us, command };
    let by_hand = Scenario {
        operator: false,
        script: vec![
            order(8_000_000, Command::Kill { node: 0 }),
            order(9_000_000, Command::Promote { node: 1, planned: false }),
            order(15_000_000, Command::Start { node: 0 }),
            order(16_000_000, Command::AddNode),
        ],
        ..forked(trading_day())
    };
    let sim = run(&by_hand, 5);
    assert_eq!(sim.violation(), None);
    let told = sim.told();
    assert_eq!(told.nodes[1].role, "primary");
    let rows: u64 = told.tables.iter().map(|table| table.rows).sum();
    assert!(told.nodes.iter().all(|node| node.rows == rows), "{told:#?}");
}

/// `UNDERSTUDY_SEEDS=A..B` has those run.
#[test]
fn seeds_of_a_forked_run_hold() {
    let scenario = Scenario { begin: forked(trading_day()).begin, ..only(Fault::ALL.iter().copied()) };
    let holds = |seed: &u64| run(&scenario, *seed).violation().is_none();
    let bad: Vec<u64> = seeds(0..12, &[2_750]).into_iter().filter(|seed| !holds(seed)).collect();
    if let Some(seed) = bad.first() {
        tell(&scenario, *seed);
    }
    assert!(bad.is_empty(), "seeds that do not hold: {bad:?}");
}

type Change<'a> = &'a dyn Fn(&mut BeginTable);

#[test]
fn what_can_not_be_begun_with_is_refused_in_words() {
    let good = BeginTable {
        name: "t".into(),
        partition: "DAY".into(),
        timestamp: "ts".into(),
        columns: vec![(0, "ts".into(), "TIMESTAMP".into()), (1, "n".into(), "LONG".into())],
        rows: vec![vec![Some("2026-08-01T00:00:00.000000Z".into()), Some("7".into())]],
        ..BeginTable::default()
    };
    let fault = |change: Change<'_>| {
        let mut table = good.clone();
        change(&mut table);
        forked(vec![table]).fault()
    };
    assert_eq!(fault(&|_| {}), None);
    let wrong: [(&str, Change<'_>); 12] = [
        ("called", &|table| table.name = "a/b".into()),
        ("called", &|table| table.columns[1].1 = "lab_row".into()),
        ("one name", &|table| table.columns[1].1 = "TS".into()),
        ("no type", &|table| table.columns[1].2 = "NUMBER".into()),
        ("one place", &|table| table.columns[1].0 = 0),
        ("one place", &|table| table.columns[1].0 = u32::MAX),
        ("partitions", &|table| table.partition = "NONE".into()),
        ("no timestamp", &|table| table.timestamp = "n".into()),
        ("no column", &|table| table.dedup = vec!["other".into()]),
        ("is no LONG", &|table| table.rows[0][1] = Some("x".into())),
        ("no time", &|table| table.rows[0][0] = None),
        ("cells", &|table| table.rows[0].push(None)),
    ];
    for (words, change) in wrong {
        let said = fault(change).unwrap_or_default();
        assert!(said.contains(words), "{words}: {said}");
    }
    let twice = forked(vec![good.clone(), BeginTable { name: "T".into(), ..good.clone() }]);
    assert!(twice.fault().unwrap().contains("one name"));
    assert!(forked(Vec::new()).fault().is_some());
    let many = BeginTable { rows: vec![good.rows[0].clone(); 50_001], ..good.clone() };
    assert!(forked(vec![many]).fault().unwrap().contains("rows"));
    let policy = Scenario {
        node: understudy::sim::NodeSettings { policy: "TO PARQUET 1d".into(), ..Scenario::default().node },
        ..forked(vec![good])
    };
    assert!(policy.fault().unwrap().contains("policy"));
    let text = serde_json::to_string(&forked(trading_day())).unwrap();
    assert_eq!(Scenario::read(&text).unwrap(), forked(trading_day()));
    assert!(Scenario::read(&text.replace("\"columns\"", "\"colums\"")).is_err());
    assert_eq!(Scenario { faults: Faults::NONE, begin: None, ..forked(trading_day()) }, Scenario::default());
}
