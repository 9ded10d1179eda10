//! The record of a commit in a segment's `_event`.

use super::out::Out;

/// Rows of a segment that a commit has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRows {
    /// The first one.
    pub lo: u64,
    /// Behind the last one.
    pub hi: u64,
    /// Smallest timestamp.
    pub min_ts: i64,
    /// Largest one.
    pub max_ts: i64,
    /// Whether a timestamp is below the one before it.
    pub out_of_order: bool,
}

/// A column's symbols in a commit. Its keys count from 0: none of the table's dictionary is presumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSymbols<'a> {
    /// Writer index.
    pub column: usize,
    /// Whether there are nulls.
    pub has_null: bool,
    /// In order of key.
    pub symbols: &'a [Box<str>],
}

/// The whole record of transaction `txn` of a segment, its length included.
pub fn encode_rows_event(txn: u32, rows: EventRows, columns: &[EventSymbols<'_>]) -> Vec<u8> {
    let mut out = Out::with_capacity(64);
    out.i32(0);
    out.i64(i64::from(txn));
    // Rows.
    out.byte(0);
    out.u63(rows.lo);
    out.u63(rows.hi);
    out.i64(rows.min_ts);
    out.i64(rows.max_ts);
    out.flag(rows.out_of_order);
    for column in columns {
        out.count32(column.column);
        out.flag(column.has_null);
        out.i32(0);
        out.count32(column.symbols.len());
        for (key, symbol) in (0..).zip(column.symbols) {
            out.i32(key);
            out.text(symbol);
        }
        out.i32(-1);
    }
    out.i32(-1);
    out.put_i32(0, out.len() as i32);
    out.0
}
