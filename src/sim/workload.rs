//! What clients send: lines of ILP, to several tables, some of them late, with columns that come one after the other.

use super::begin::Model;
use super::clock::EPOCH_US;
use super::scenario::ClientSettings;
use super::{Chance, Micros};
use std::fmt::Write;
use std::sync::Arc;

/// The tables' names.
pub(super) const TABLES: [&str; 6] = ["trades", "orders", "quotes", "fills", "ticks", "marks"];
/// Rows' timestamps run this many times as fast as the simulation: 40 s are four days and a half.
pub(super) const PACE: i64 = 10_000;
/// A late row is late by up to two days of its own time.
const LATE_US: u64 = 2 * 86_400_000_000;
/// The columns that come later, one after so many rows of a client.
const LATER: [&str; 4] = ["venue", "fee", "flags", "active"];
const ROWS_PER_LATER: u64 = 12;

/// The rows of one client.
#[derive(Debug)]
pub(super) struct Workload {
    client: u32,
    chance: Chance,
    next: u64,
    /// Rows are like these, in their tables; else as here.
    models: Option<Arc<[Model]>>,
}

/// A row that was made: whose, which, and where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub id: i64,
}

/// A row that is made like one of a real history.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    pub id: i64,
    /// Its client's rows before it.
    pub number: u64,
    pub now: Micros,
    pub late: bool,
}

/// The identity of a client's row, as its column `id` has it.
pub(super) fn id(client: u32, number: u64) -> i64 {
    (i64::from(client) + 1) << 32 | i64::try_from(number).unwrap_or(i64::MAX)
}

/// Whose row it is, and which.
pub(super) fn of_id(id: i64) -> Option<(u32, u64)> {
    let client = u32::try_from((id >> 32).checked_sub(1)?).ok()?;
    Some((client, (id & 0xffff_ffff) as u64))
}

/// A clock that runs as fast as the rows' time: by it rows grow old, and storage policies have something to do.
pub(super) fn paced(wall_us: i64) -> i64 {
    EPOCH_US.saturating_add(wall_us.saturating_sub(EPOCH_US).saturating_mul(PACE))
}

impl Workload {
    pub(super) fn new(seed: u64, client: u32, models: Option<Arc<[Model]>>) -> Self {
        let chance = Chance::new(seed ^ u64::from(client) << 32, "workload");
        Self { client, chance, next: 0, models }
    }

    /// The next frame.
    pub(super) fn frame(&mut self, settings: &ClientSettings, now: Micros) -> (Vec<u8>, Vec<Row>) {
        let mut rows = Vec::with_capacity(settings.rows as usize);
        if let Some(models) = self.models.clone() {
            let mut lines = Vec::new();
            rows.extend((0..settings.rows).map(|_| self.model_row(&models, settings, now, &mut lines)));
            return (lines, rows);
        }
        let mut lines = String::with_capacity(96 * settings.rows as usize);
        for _ in 0..settings.rows {
            rows.push(self.row(settings, now, &mut lines));
        }
        (lines.into_bytes(), rows)
    }

    /// A row like one of the real history.
    fn model_row(
        &mut self,
        models: &[Model],
        settings: &ClientSettings,
        now: Micros,
        lines: &mut Vec<u8>,
    ) -> Row {
        let (number, chance) = (self.next, &mut self.chance);
        self.next += 1;
        let id = id(self.client, number);
        let late = chance.per_mille(settings.late_per_mille.into());
        // Where nothing was, nothing tells what rows are like.
        let known = models.iter().filter(|model| model.rows > 0);
        let chosen = chance.below(known.clone().count() as u64) as usize;
        if let Some(model) = known.clone().nth(chosen).or(models.first()) {
            model.line(chance, Made { id, number, now, late }, lines);
        }
        Row { id }
    }

    fn row(&mut self, settings: &ClientSettings, now: Micros, lines: &mut String) -> Row {
        let (number, chance) = (self.next, &mut self.chance);
        self.next += 1;
        let id = id(self.client, number);
        let table = chance.below(settings.tables.into()) as usize;
        let name = TABLES.get(table).copied().unwrap_or("trades");
        let late = if chance.per_mille(settings.late_per_mille.into()) { chance.below(LATE_US) } else { 0 };
        // No two rows of a client have the same time.
        let time = EPOCH_US + i64::try_from(now).unwrap_or(0) * PACE + (number % 1_000) as i64;
        let time = (time - i64::try_from(late).unwrap_or(0)) * 1_000;
        let symbol = chance.below(12);
        let (quarters, side) = (chance.between(400, 800), if chance.per_mille(500) { "buy" } else { "sell" });
        let drawn = write!(lines, "{name},sym=S{symbol},side={side}");
        let later = number / ROWS_PER_LATER;
        let venue = if later > 0 { write!(lines, ",{}=V{}", LATER[0], symbol % 3) } else { Ok(()) };
        let (whole, cents) = (quarters / 4, quarters % 4 * 25);
        let fields = write!(lines, " id={id}i,price={whole}.{cents:02},qty={}i", chance.between(1, 99));
        let more = if later > 1 { write!(lines, ",{}=0.{}", LATER[1], 1 + symbol) } else { Ok(()) };
        let text = if later > 2 { write!(lines, ",{}=\"f {symbol}\"", LATER[2]) } else { Ok(()) };
        let flag = if later > 3 { write!(lines, ",{}=t", LATER[3]) } else { Ok(()) };
        let end = writeln!(lines, " {time}");
        // Writing into a string does not fail.
        debug_assert!([drawn, venue, fields, more, text, flag, end].iter().all(Result::is_ok));

        Row { id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_apart_and_find_their_client_again() {
        let settings =
            ClientSettings { rows: 100, tables: 6, late_per_mille: 300, ..ClientSettings::default() };
        let mut workload = Workload::new(1, 3, None);
        let (lines, rows) = workload.frame(&settings, 5_000_000);
        let lines = String::from_utf8(lines).unwrap();
        assert_eq!((lines.lines().count(), rows.len()), (100, 100));
        assert!(rows.iter().enumerate().all(|(n, row)| of_id(row.id) == Some((3, n as u64))));
        assert!(lines.contains(",venue=V") && lines.contains(",active=t"));
        assert!(lines.contains("\nmarks,"));
        assert_eq!(Workload::new(1, 3, None).frame(&settings, 5_000_000).0, lines.into_bytes());
        assert_eq!((of_id(0), of_id(-1)), (None, None));
    }
}
