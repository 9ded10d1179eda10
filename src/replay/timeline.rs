use super::History;
use crate::wal::{Error, Event, Files, Result, TxnKind, TxnRecord, read_event};

/// What kind of thing a transaction is, for drawing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Its event was purged or can't be read.
    #[default]
    Unknown = 0,
    /// Rows in order.
    Data = 1,
    /// Rows out of order within the transaction.
    OutOfOrder = 2,
    /// Rows that replace a range (a materialized view's refresh).
    ReplaceRange = 3,
    /// TRUNCATE.
    Truncate = 4,
    /// A structural change.
    Structure = 5,
    /// A statement.
    Sql = 6,
    /// A view's or materialized view's own event.
    View = 7,
    /// The table was dropped.
    Drop = 8,
}

/// One transaction on the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// See [`Kind`].
    pub kind: Kind,
    /// Microseconds UTC.
    pub commit_ts: i64,
    /// Rows of a data transaction, where known.
    pub rows: Option<u64>,
}

/// Kind, time and rows of every transaction, from events alone; entry i is `seqTxn` i + 1.
///
/// `known` holds what an earlier call gave before it had to wait; it grows in place.
///
/// # Errors
/// [`Error::Pending`] once all needed bytes were asked for.
pub fn timeline(files: &dyn Files, history: &History, known: &mut Vec<Mark>) -> Result<()> {
    let mut pending = false;
    for seq_txn in known.len() as u64 + 1..=history.txn_count() {
        let mark = match history.record(seq_txn) {
            Some(record) => mark(files, &history.token.dir, record),
            None => Ok(Mark { kind: Kind::Unknown, commit_ts: history.log.created_us, rows: None }),
        };
        match mark {
            // Behind the first gap there is only asking.
            Ok(mark) if !pending => known.push(mark),
            Ok(_) => {}
            Err(_) => pending = true,
        }
    }
    if pending { Err(Error::Pending) } else { Ok(()) }
}

fn mark(files: &dyn Files, dir: &str, record: &TxnRecord) -> Result<Mark> {
    let of = |kind, rows| Mark { kind, commit_ts: record.commit_ts, rows };
    let Some((segment, segment_txn)) = record.segment() else {
        return Ok(of(if record.kind == TxnKind::Drop { Kind::Drop } else { Kind::Structure }, None));
    };
    match read_event(files, dir, segment, segment_txn) {
        Ok(Event::Data(data)) => {
            let kind = match (data.replace, data.out_of_order) {
                (Some(_), _) => Kind::ReplaceRange,
                (None, true) => Kind::OutOfOrder,
                (None, false) => Kind::Data,
            };
            Ok(of(kind, Some(data.row_hi.saturating_sub(data.row_lo))))
        }
        Ok(Event::Truncate) => Ok(of(Kind::Truncate, None)),
        Ok(Event::Sql(_)) => Ok(of(Kind::Sql, None)),
        Ok(_) => Ok(of(Kind::View, None)),
        Err(Error::Pending) => Err(Error::Pending),
        // Purged or damaged: the record's own extent (V2 logs) still tells the rows.
        Err(_) => Ok(of(Kind::Unknown, record.extent.map(|(_, _, rows)| rows))),
    }
}
