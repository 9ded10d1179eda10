//! Views: `_mv` and `_mv.s` of a materialized one, `_view` of a plain one.

use super::block::no_block;
use super::out::Out;
use super::{BlockFile, Patch};
use crate::wal::{Cursor, DataEvent, Event, RawEvent, Result};
use bytes::Bytes;

const STATE_FILE: &str = "_mv.s";
const VIEW_FILE: &str = "_view";
/// Types of blocks: the one that every file has, and those that later releases added.
const MAIN: i32 = 0;
const DEFINITION_EXTRA: i32 = 1;
const STATE_TIME: i32 = 1;
const STATE_PERIOD: i32 = 2;
const STATE_INTERVALS: i32 = 3;
/// Length, transaction and kind of an event, and the footer of one with a dedup mode.
const EVENT_HEAD: usize = 13;
const EVENT_FOOTER: usize = 25;

/// What a materialized view is: the content of `_mv`, which only statements change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatViewDefinition {
    /// When it is refreshed and whether at once after its creation, as QuestDB packs it.
    pub refresh_type: i32,
    /// The table that the query reads.
    pub base_table: String,
    /// Length and unit of the query's SAMPLE BY.
    pub sampling: (i64, char),
    /// Of the SAMPLE BY.
    pub time_zone: Option<String>,
    /// Of the SAMPLE BY.
    pub time_zone_offset: Option<String>,
    /// The query.
    pub sql: String,
    /// What releases since the first one added.
    pub extra: Option<MatViewExtra>,
}

/// The part of a [`MatViewDefinition`] that later releases added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatViewExtra {
    /// How far back rows of the base table are refreshed: hours, or negative months, 0 without limit.
    pub refresh_limit: i32,
    /// Length and unit of the timer's interval.
    pub timer: (i32, char),
    /// The timer's first moment, microseconds UTC.
    pub timer_start_us: i64,
    /// Of the timer.
    pub timer_time_zone: Option<String>,
    /// Length and unit of the period.
    pub period: (i32, char),
    /// Length and unit of the delay behind a period's end.
    pub period_delay: (i32, char),
}

impl MatViewDefinition {
    /// Decodes the whole content of `file`, a `_mv`.
    ///
    /// # Errors
    /// As [`BlockFile::decode`], and for a block that is missing or too short.
    pub fn decode(file: &str, bytes: &Bytes) -> Result<Self> {
        let blocks = BlockFile::decode(file, bytes)?;
        let block = blocks.block(MAIN).ok_or_else(|| no_block(file, "the definition"))?;
        let mut cursor = Cursor::new(file, 0, block);
        Ok(Self {
            refresh_type: cursor.i32("refresh type")?,
            base_table: cursor.name("base table")?,
            sampling: (cursor.i64("sampling interval")?, unit(&mut cursor)?),
            time_zone: cursor.text("time zone")?,
            time_zone_offset: cursor.text("offset from the time zone")?,
            sql: cursor.name("query")?,
            extra: blocks.block(DEFINITION_EXTRA).map(|block| decode_extra(file, block)).transpose()?,
        })
    }
}

fn decode_extra(file: &str, block: &Bytes) -> Result<MatViewExtra> {
    let mut cursor = Cursor::new(file, 0, block);
    Ok(MatViewExtra {
        refresh_limit: cursor.i32("refresh limit")?,
        timer: (cursor.i32("timer interval")?, unit(&mut cursor)?),
        timer_start_us: cursor.i64("start of the timer")?,
        timer_time_zone: cursor.text("time zone of the timer")?,
        period: (cursor.i32("period")?, unit(&mut cursor)?),
        period_delay: (cursor.i32("delay")?, unit(&mut cursor)?),
    })
}

/// A unit of time is a UTF-16 unit, 0 for none.
fn unit(cursor: &mut Cursor<'_>) -> Result<char> {
    let code = cursor.i16("unit of time")?;
    Ok(char::from_u32(u32::from(code as u16)).unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// How far a materialized view is refreshed: the content of `_mv.s`, which every refresh changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatViewState {
    /// The view is not refreshed any more.
    pub invalid: bool,
    /// The base table's transaction that the view is refreshed to, -1 for none.
    pub base_txn: i64,
    /// Why it is invalid.
    pub reason: Option<String>,
    /// When it was refreshed, microseconds UTC; `i64::MIN` for never.
    pub refresh_us: i64,
    /// End of the last period that is refreshed; `i64::MIN` for none.
    pub last_period: i64,
    /// The base table's transaction as of which `intervals` are, -1 for none.
    pub intervals_base_txn: i64,
    /// Pairs of bounds of what is to be refreshed. `None` is not the same as an empty list in the file.
    pub intervals: Option<Vec<i64>>,
}

impl Default for MatViewState {
    /// The state of a view that was never refreshed.
    fn default() -> Self {
        Self {
            invalid: false,
            base_txn: -1,
            reason: None,
            refresh_us: i64::MIN,
            last_period: i64::MIN,
            intervals_base_txn: -1,
            intervals: None,
        }
    }
}

impl MatViewState {
    /// Decodes the whole content of `file`, a `_mv.s`. What a block of a later release tells is as in the
    /// [default](Self::default) where it is missing.
    ///
    /// # Errors
    /// As [`BlockFile::decode`], and for a block that is missing or too short.
    pub fn decode(file: &str, bytes: &Bytes) -> Result<(BlockFile, Self)> {
        let blocks = BlockFile::decode(file, bytes)?;
        let block = blocks.block(MAIN).ok_or_else(|| no_block(file, "the state"))?;
        let mut cursor = Cursor::new(file, 0, block);
        let mut out = Self {
            invalid: cursor.flag("invalid flag")?,
            base_txn: cursor.i64("base transaction")?,
            reason: cursor.text("reason")?,
            ..Self::default()
        };
        if let Some(block) = blocks.block(STATE_TIME) {
            out.refresh_us = Cursor::new(file, 0, block).i64("refresh time")?;
        }
        if let Some(block) = blocks.block(STATE_PERIOD) {
            out.last_period = Cursor::new(file, 0, block).i64("last period")?;
        }
        if let Some(block) = blocks.block(STATE_INTERVALS) {
            let mut cursor = Cursor::new(file, 0, block);
            out.intervals_base_txn = cursor.i64("transaction of the intervals")?;
            out.intervals = decode_intervals(&mut cursor)?;
        }
        Ok((blocks, out))
    }

    /// Takes over what an event of the view's own log says about its state, `event` being `raw` decoded;
    /// answers whether it says anything.
    ///
    /// # Errors
    /// If the event is too short for what it says.
    pub fn apply(&mut self, raw: &RawEvent, event: &Event) -> Result<bool> {
        *self = match event {
            Event::Data(data) => match data.mat_view {
                Some((base_txn, refresh_us)) => {
                    let last_period = last_period(raw, data)?;
                    Self { base_txn, refresh_us, last_period, ..Self::default() }
                }
                None => return Ok(false),
            },
            Event::MatViewInvalidate { .. } => decode_invalidate(raw)?,
            _ => return Ok(false),
        };
        Ok(true)
    }

    /// A whole new `_mv.s`.
    pub fn first(&self) -> (BlockFile, Vec<u8>) {
        BlockFile::first(self.blocks())
    }

    /// The writes that bring `_mv.s` to this state, as [`BlockFile::next`] answers them.
    pub fn next(&self, file: &BlockFile) -> (BlockFile, [Patch; 3]) {
        file.next(STATE_FILE, self.blocks())
    }

    fn blocks(&self) -> Vec<(i32, Bytes)> {
        let mut main = Out::default();
        main.flag(self.invalid);
        main.i64(self.base_txn);
        main.text_or_null(self.reason.as_deref());
        let mut intervals = Out::default();
        intervals.i64(self.intervals_base_txn);
        match &self.intervals {
            None => intervals.i32(-1),
            Some(bounds) => {
                intervals.count32(bounds.len());
                bounds.iter().for_each(|bound| intervals.i64(*bound));
            }
        }
        vec![
            (MAIN, main.0.into()),
            (STATE_TIME, self.refresh_us.to_le_bytes().to_vec().into()),
            (STATE_PERIOD, self.last_period.to_le_bytes().to_vec().into()),
            (STATE_INTERVALS, intervals.0.into()),
        ]
    }
}

fn decode_intervals(cursor: &mut Cursor<'_>) -> Result<Option<Vec<i64>>> {
    let count = cursor.i32("number of bounds")?;
    let Ok(count) = usize::try_from(count) else { return Ok(None) };
    let most = cursor.remaining() / 8;
    if count > most {
        return Err(cursor.damaged_back(4, format_args!("at most {most} bounds in the bytes left"), count));
    }
    let mut bounds = Vec::with_capacity(count);
    for _ in 0..count {
        bounds.push(cursor.i64("bound of an interval")?);
    }
    Ok(Some(bounds))
}

/// The end of the last period, which a refresh carries where others have nothing.
fn last_period(raw: &RawEvent, data: &DataEvent) -> Result<i64> {
    if data.dedup_mode == 0 {
        return Ok(i64::MIN);
    }
    let at = raw.bytes.len().saturating_sub(EVENT_FOOTER);
    let footer = raw.bytes.get(at..).unwrap_or_default();
    Cursor::new(&raw.file, raw.offset.saturating_add(at as u64), footer).i64("last period")
}

fn decode_invalidate(raw: &RawEvent) -> Result<MatViewState> {
    let payload = raw.bytes.get(EVENT_HEAD..).unwrap_or_default();
    let mut cursor = Cursor::new(&raw.file, raw.offset.saturating_add(EVENT_HEAD as u64), payload);
    let mut out = MatViewState {
        base_txn: cursor.i64("base transaction")?,
        refresh_us: cursor.i64("refresh time")?,
        invalid: cursor.flag("invalid flag")?,
        // The server keeps an absent reason and absent intervals as empty ones.
        reason: Some(cursor.text("reason")?.unwrap_or_default()),
        intervals: Some(Vec::new()),
        ..MatViewState::default()
    };
    if cursor.remaining() >= 8 {
        out.last_period = cursor.i64("last period")?;
    }
    if cursor.remaining() >= 12 {
        out.intervals_base_txn = cursor.i64("transaction of the intervals")?;
        out.intervals = Some(decode_intervals(&mut cursor)?.unwrap_or_default());
    }
    Ok(out)
}

/// What a view is: the content of `_view`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewDefinition {
    /// The query.
    pub sql: String,
    /// The transaction of the view's log that it is from; -1 or 0 for its creation.
    pub seq_txn: i64,
    /// Tables that the query reads, each with the columns that it names.
    pub dependencies: Vec<(String, Vec<String>)>,
}

impl ViewDefinition {
    /// Decodes the whole content of `file`, a `_view`.
    ///
    /// # Errors
    /// As [`BlockFile::decode`], and for a block that is missing or too short.
    pub fn decode(file: &str, bytes: &Bytes) -> Result<(BlockFile, Self)> {
        let blocks = BlockFile::decode(file, bytes)?;
        let block = blocks.block(MAIN).ok_or_else(|| no_block(file, "the definition"))?;
        let mut cursor = Cursor::new(file, 0, block);
        let sql = cursor.name("query")?;
        let seq_txn = cursor.i64("transaction")?;
        let count = cursor.count(8, "tables")?;
        let mut dependencies = Vec::with_capacity(count);
        for _ in 0..count {
            let table = cursor.name("table")?;
            let count = cursor.count(4, "columns")?;
            let columns = (0..count).map(|_| cursor.name("column")).collect::<Result<_>>()?;
            dependencies.push((table, columns));
        }
        Ok((blocks, Self { sql, seq_txn, dependencies }))
    }

    /// A whole new `_view`.
    pub fn first(&self) -> (BlockFile, Vec<u8>) {
        BlockFile::first(self.blocks())
    }

    /// The writes that bring `_view` to this definition, as [`BlockFile::next`] answers them.
    pub fn next(&self, file: &BlockFile) -> (BlockFile, [Patch; 3]) {
        file.next(VIEW_FILE, self.blocks())
    }

    fn blocks(&self) -> Vec<(i32, Bytes)> {
        let mut out = Out::default();
        out.text(&self.sql);
        out.i64(self.seq_txn);
        out.count32(self.dependencies.len());
        for (table, columns) in &self.dependencies {
            out.text(table);
            out.count32(columns.len());
            columns.iter().for_each(|column| out.text(column));
        }
        vec![(MAIN, out.0.into())]
    }
}
