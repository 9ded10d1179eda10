//! Replaying a recording and comparing with the server's answers.

use super::Recording;
use serde::Deserialize;
use understudy::replay::{History, Player, compare, tables};
use understudy::table::{Standing, Table, text};

/// A table of `recording.json`, as far as this reads it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordedTable {
    dir: String,
    /// "exact", or "multiset" where the log does not fix the order.
    #[serde(default)]
    order: Option<String>,
    #[serde(default)]
    snapshots: Vec<Snapshot>,
    #[serde(default)]
    expect: Option<Expect>,
}

/// The server's answer at an earlier transaction.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Snapshot {
    seq_txn: u64,
    file: String,
}

/// What a replay is expected to say other than "exact".
#[derive(Debug, Deserialize)]
struct Expect {
    #[serde(default)]
    diverged: Option<serde_json::Value>,
    #[serde(default)]
    suspended: Option<serde_json::Value>,
    /// Partitions that the server changed without a record in the log.
    #[serde(default)]
    differs: Option<Vec<String>>,
    /// Transactions whose segments the server deleted after applying them.
    #[serde(default)]
    purged: Option<Vec<u64>>,
}

impl Recording {
    /// Replays every table to its end, and to each snapshot, forth and back; answers what differs
    /// from the server, and how many answers were compared.
    pub fn check(&self) -> (usize, Vec<String>) {
        let mut compared = 0;
        let mut wrong = Vec::new();
        for table in self.tables() {
            let table: RecordedTable =
                serde_json::from_value(table.clone()).expect("a table of recording.json");
            match self.check_table(&table) {
                Ok(count) => compared += count,
                Err(problem) => wrong.push(format!("{}/{}: {problem}", self.about["name"], table.dir)),
            }
        }
        (compared, wrong)
    }

    fn check_table(&self, table: &RecordedTable) -> Result<usize, String> {
        let Some(expected) = self.answers.get(&format!("{}.csv", table.dir)) else { return Ok(0) };
        let tokens = tables(&self.files).map_err(|error| error.to_string())?;
        let token = tokens.iter().find(|token| token.dir == table.dir).ok_or("not in the registry")?;
        let history = History::read(&self.files, token).map_err(|error| error.to_string())?;
        if let Some(purged) = table.expect.as_ref().and_then(|expect| expect.purged.as_ref()) {
            return check_purged(&history, purged);
        }
        let mut player = Player::new(history).map_err(|error| error.to_string())?;
        let mut compared = 0;
        // Forth, then back, then forth again: a state must not depend on the way to it.
        let snapshots = || table.snapshots.iter().map(|snapshot| (snapshot.seq_txn, &snapshot.file));
        let mut stops: Vec<(u64, &[u8])> = Vec::new();
        for (txn, file) in snapshots().chain(snapshots().rev()) {
            let name = file.trim_start_matches("answers/");
            let answer = self.answers.get(name).ok_or_else(|| format!("{file} is not in the recording"))?;
            stops.push((txn, answer));
        }
        stops.push((u64::MAX, expected));
        for (txn, expected) in stops {
            player.seek(&self.files, txn).map_err(|error| format!("at {txn}: {error}"))?;
            let standing = &player.table().standing;
            let tolerated =
                table.expect.is_some() || matches!(standing, Standing::Exact | Standing::Dropped { .. });
            if !tolerated {
                return Err(format!("{standing:?}"));
            }
            if table.expect.as_ref().is_some_and(|expect| expect.suspended.is_some())
                && txn == u64::MAX
                && !matches!(standing, Standing::Suspended { .. })
            {
                return Err(format!("expected to be suspended, stands {standing:?}"));
            }
            if table.expect.as_ref().is_some_and(|expect| expect.diverged.is_some()) {
                if txn == u64::MAX && !matches!(standing, Standing::Diverged { .. }) {
                    return Err(format!("expected to diverge, stands {standing:?}"));
                }
                if matches!(standing, Standing::Diverged { .. }) {
                    continue;
                }
            }
            let differences = match (standing, &player.history().applied) {
                (Standing::Exact, Some(applied)) => compare(player.table(), applied).unwrap_or_default(),
                _ => Vec::new(),
            };
            if let (u64::MAX, Some(differs)) = (txn, table.expect.as_ref().and_then(|e| e.differs.as_ref())) {
                let found: Vec<&String> =
                    differences.iter().map(|difference| &difference.partition).collect();
                if !found.iter().copied().eq(differs) {
                    return Err(format!("expected to differ in {differs:?}, differs in {found:?}"));
                }
                compared += 1;
                continue;
            }
            if let Some(difference) = differences.first() {
                return Err(format!(
                    "at {}: the server's own files differ: {difference:?}",
                    player.table().seq_txn
                ));
            }
            let exact = table.order.as_deref() != Some("multiset");
            // Floats of older releases have fewer digits.
            let by_value = self.about["questdb"] != "9.3.4";
            same_rows(&csv(player.table()), expected, exact)
                .or_else(|difference| {
                    let same = by_value && same_values(&csv(player.table()), expected);
                    if same { Ok(()) } else { Err(difference) }
                })
                .map_err(|difference| format!("at {}: {difference}", player.table().seq_txn))?;
            compared += 1;
        }
        Ok(compared)
    }
}

/// A log whose beginning was purged is told from a damaged one.
fn check_purged(history: &History, expected: &[u64]) -> Result<usize, String> {
    let survey = &history.survey;
    let covered = |txn: &u64| survey.purged.iter().any(|range| range.contains(txn));
    let as_expected = expected.iter().all(covered) && history.is_replayable() == expected.is_empty();
    if !survey.missing.is_empty() || !as_expected {
        return Err(format!("expected {expected:?} to be purged, found {survey:?}"));
    }
    Ok(1)
}

/// Compares two CSV texts cell by cell, numbers up to the fourth decimal.
fn same_values(ours: &[u8], theirs: &[u8]) -> bool {
    let (ours, theirs) = (String::from_utf8_lossy(ours), String::from_utf8_lossy(theirs));
    let (mut a, mut b) = (ours.split([',', '\n']), theirs.split([',', '\n']));
    let same = a.by_ref().zip(b.by_ref()).all(|(a, b)| {
        let close = |a: f64, b: f64| (a - b).abs() <= 6e-5;
        a == b || matches!((a.parse(), b.parse()), (Ok(a), Ok(b)) if close(a, b))
    });
    same && ours.lines().count() == theirs.lines().count()
}

/// A table as QuestDB's `/exp` prints it.
pub fn csv(table: &Table) -> Vec<u8> {
    let mut out = Vec::new();
    let schema = &table.schema;
    text::write_csv_header(&mut out, schema.live().map(|(_, column)| column.name.as_str()));
    for block in table.blocks() {
        for row in 0..block.rows {
            for (position, (index, column)) in schema.live().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                let value = block.value(row, index, schema, table.dictionary(index));
                text::write_csv(&mut out, value, column.ty);
            }
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

/// Compares two CSV texts line by line, in order or as multisets.
pub fn same_rows(ours: &[u8], theirs: &[u8], exact: bool) -> Result<(), String> {
    if ours == theirs {
        return Ok(());
    }
    let lines = |bytes: &[u8]| -> Vec<String> {
        String::from_utf8_lossy(bytes).split("\r\n").map(str::to_owned).collect()
    };
    let (mut a, mut b) = (lines(ours), lines(theirs));
    if !exact {
        a.sort();
        b.sort();
        if a == b {
            return Ok(());
        }
    }
    let first = a.iter().zip(&b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
    let at = |lines: &[String]| lines.get(first).cloned().unwrap_or_else(|| "(nothing)".to_owned());
    Err(format!(
        "{} lines, the server has {}; line {first}:\n ours   {}\n server {}",
        a.len(),
        b.len(),
        at(&a),
        at(&b)
    ))
}
