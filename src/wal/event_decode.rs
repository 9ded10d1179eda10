use super::bind::decode_bind;
use super::cursor::{Cursor, Gather};
use super::{DataEvent, Error, Event, Files, Result, SegmentId, SqlEvent, SymbolDiff};
use bytes::Bytes;

/// Length, transaction and type in front of every record.
pub(super) const RECORD_HEAD: usize = 13;
/// What follows the symbol diffs of a commit with a dedup mode of its own.
const FOOTER: usize = 25;
const DEDUP_MODE_REPLACE_RANGE: u8 = 3;

/// A record of `_event` as it lies in the file.
#[derive(Debug, Clone)]
pub struct RawEvent {
    /// Path of the `_event` file.
    pub file: String,
    /// Offset of the record in the file.
    pub offset: u64,
    /// The whole record, its length field included.
    pub bytes: Bytes,
}

/// Reads and decodes the event of one transaction of a segment.
///
/// # Errors
/// [`Error::Unsupported`] for an event version or type that is not known; [`Error::Damaged`] when
/// the index, the record's length or its own number contradict each other.
pub fn read_event(files: &dyn Files, table_dir: &str, segment: SegmentId, segment_txn: u32) -> Result<Event> {
    read_raw_event(files, table_dir, segment, segment_txn)?.decode(segment_txn)
}

/// Finds the record of one transaction by the index, which is the only thing that tells where
/// records end: `_event` is longer than its content while it is open for writing.
pub fn read_raw_event(
    files: &dyn Files,
    table_dir: &str,
    segment: SegmentId,
    segment_txn: u32,
) -> Result<RawEvent> {
    let dir = segment.dir(table_dir);
    let (file, index_file) = (format!("{dir}/_event"), format!("{dir}/_event.i"));
    let index_offset = u64::from(segment_txn) * 8;
    let mut gather = Gather::default();
    let head = gather.add(files.read(&file, 0, 8))?;
    let index = gather.add(files.read(&index_file, index_offset, 16))?;
    let (Some(head), Some(index)) = (head, index) else { return Err(Error::Pending) };
    check_head(&file, &head)?;
    let mut index = Cursor::new(&index_file, index_offset, &index);
    let offset = index.u63("start of the event")?;
    if offset < 8 {
        return Err(index.damaged_back(8, "an offset of 8 or more", offset));
    }
    let end = index.u63("end of the event")?;
    let len = end.checked_sub(offset).filter(|len| *len >= RECORD_HEAD as u64);
    let Some(len) = len else {
        let expected = format_args!("an end of {} or more", offset.saturating_add(RECORD_HEAD as u64));
        return Err(index.damaged_back(8, expected, end));
    };
    let bytes = files.read(&file, offset, len)?;
    Ok(RawEvent { file, offset, bytes })
}

pub(super) fn check_head(file: &str, head: &[u8]) -> Result<()> {
    let mut cursor = Cursor::new(file, 0, head);
    cursor.i32("last transaction")?;
    let version = cursor.i32("event version")?;
    if version & 0xffff > 2 {
        return Err(cursor.unsupported_back(4, format_args!("event version {version}; 0, 1 and 2 are known")));
    }
    Ok(())
}

impl RawEvent {
    /// Decodes the record, which must be that of `segment_txn`.
    pub fn decode(&self, segment_txn: u32) -> Result<Event> {
        decode_event(&self.file, self.offset, &self.bytes, segment_txn)
    }
}

/// Decodes a whole record of `file`, which must be that of `segment_txn`.
pub(super) fn decode_event(file: &str, offset: u64, bytes: &Bytes, segment_txn: u32) -> Result<Event> {
    let mut cursor = Cursor::new(file, offset, bytes);
    let len = cursor.i32("length of the event")?;
    if i64::from(len) != bytes.len() as i64 {
        return Err(cursor.damaged_back(4, format_args!("a length of {}", bytes.len()), len));
    }
    let txn = cursor.i64("segment transaction")?;
    if txn != i64::from(segment_txn) {
        return Err(cursor.damaged_back(8, format_args!("segment transaction {segment_txn}"), txn));
    }
    let kind = cursor.i8("event type")?;
    let event = match kind {
        0 | 3 => Event::Data(decode_data(&mut cursor, kind == 3)?),
        1 => Event::Sql(decode_sql(&mut cursor, bytes)?),
        2 => Event::Truncate,
        4 => return decode_invalidate(&mut cursor),
        5 => decode_view(&mut cursor)?,
        _ => return Err(cursor.unsupported_back(1, format_args!("event type {kind} is not known"))),
    };
    if cursor.remaining() > 0 {
        return Err(cursor.damaged("the end of the event", format_args!("{} more bytes", cursor.remaining())));
    }
    Ok(event)
}

fn decode_data(cursor: &mut Cursor<'_>, mat_view: bool) -> Result<DataEvent> {
    let row_lo = cursor.u63("first row")?;
    let row_hi = cursor.u63("row after the last")?;
    if row_hi < row_lo {
        return Err(cursor.damaged_back(8, format_args!("a row of {row_lo} or more"), row_hi));
    }
    let min_ts = cursor.i64("smallest timestamp")?;
    let max_ts = cursor.i64("largest timestamp")?;
    let out_of_order = cursor.flag("out-of-order flag")?;
    let mat_view = match mat_view {
        true => Some((cursor.i64("base transaction")?, cursor.i64("refresh time")?)),
        false => None,
    };
    let symbols = decode_symbols(cursor)?;
    let (mut dedup_mode, mut replace) = (0, None);
    // Mat views of a future version may append more: only these 25 bytes are known.
    if cursor.remaining() >= FOOTER {
        cursor.i64("last period")?;
        let lo = cursor.i64("start of the replaced range")?;
        let hi = cursor.i64("end of the replaced range")?;
        dedup_mode = cursor.i8("dedup mode")? as u8;
        match dedup_mode {
            DEDUP_MODE_REPLACE_RANGE if lo < hi => replace = Some((lo, hi)),
            DEDUP_MODE_REPLACE_RANGE => {
                return Err(cursor.damaged_back(9, format_args!("a range that ends after {lo}"), hi));
            }
            0..=2 => {}
            mode => return Err(cursor.unsupported_back(1, format_args!("dedup mode {mode} is not known"))),
        }
    }
    Ok(DataEvent { row_lo, row_hi, min_ts, max_ts, out_of_order, symbols, dedup_mode, replace, mat_view })
}

fn decode_symbols(cursor: &mut Cursor<'_>) -> Result<Vec<SymbolDiff>> {
    let mut out: Vec<SymbolDiff> = Vec::new();
    loop {
        let column = cursor.i32("column of the symbols")?;
        if column == -1 {
            return Ok(out);
        }
        // Columns come in ascending order, each once.
        let least = out.last().map_or(0, |last| last.column + 1);
        let Some(column) = usize::try_from(column).ok().filter(|column| *column >= least) else {
            return Err(cursor.damaged_back(4, format_args!("a column of {least} or more, or -1"), column));
        };
        let has_null = cursor.flag("null flag")?;
        let clean = cursor.u31("number of clean symbols")?;
        let count = cursor.count(8, "symbols")?;
        let mut entries = Vec::with_capacity(count);
        for i in 0..count {
            let expected = u64::from(clean) + i as u64;
            let key = cursor.i32("symbol key")?;
            if i64::from(key) != expected as i64 {
                return Err(cursor.damaged_back(4, format_args!("symbol key {expected}"), key));
            }
            entries.push(cursor.symbol()?);
        }
        let end = cursor.i32("end of the symbols")?;
        if end != -1 {
            return Err(cursor.damaged_back(4, "-1 after the last symbol", end));
        }
        out.push(SymbolDiff { column, has_null, clean, entries });
    }
}

fn decode_sql(cursor: &mut Cursor<'_>, record: &Bytes) -> Result<SqlEvent> {
    let command = cursor.i32("command")?;
    let sql = cursor.name("statement")?;
    let seeds = (cursor.i64("seed")?, cursor.i64("seed")?);
    let count = cursor.count(5, "indexed bind values")?;
    let mut indexed = Vec::with_capacity(count);
    for _ in 0..count {
        indexed.push(decode_bind(cursor, record)?);
    }
    let count = cursor.count(9, "named bind values")?;
    let mut named = Vec::with_capacity(count);
    for _ in 0..count {
        named.push((cursor.name("name of a bind value")?, decode_bind(cursor, record)?));
    }
    Ok(SqlEvent { command, sql, seeds, indexed, named })
}

fn decode_invalidate(cursor: &mut Cursor<'_>) -> Result<Event> {
    let base_txn = cursor.i64("base transaction")?;
    let refresh_ts = cursor.i64("refresh time")?;
    let invalid = cursor.flag("invalid flag")?;
    let reason = cursor.text("reason")?;
    // What may follow (last period, refresh intervals) schedules the primary's own refreshes.
    if cursor.remaining() > 0 {
        cursor.i64("last period")?;
        cursor.i64("transaction of the refresh intervals")?;
        let intervals = cursor.i32("number of refresh intervals")?;
        let bytes = usize::try_from(intervals).unwrap_or(0).saturating_mul(8);
        cursor.take(bytes, "refresh intervals")?;
    }
    Ok(Event::MatViewInvalidate { base_txn, refresh_ts, invalid, reason })
}

fn decode_view(cursor: &mut Cursor<'_>) -> Result<Event> {
    let sql = cursor.name("view definition")?;
    let count = cursor.count(8, "tables of the view")?;
    let mut dependencies = Vec::with_capacity(count);
    for _ in 0..count {
        let table = cursor.name("table of the view")?;
        let count = cursor.count(4, "columns of the view")?;
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            columns.push(cursor.name("column of the view")?);
        }
        dependencies.push((table, columns));
    }
    Ok(Event::ViewDefinition { sql, dependencies })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::{BindValue, MemoryFiles};

    /// A payload being written.
    #[derive(Default)]
    struct Payload(Vec<u8>);

    impl Payload {
        fn ints(mut self, numbers: &[i32]) -> Self {
            numbers.iter().for_each(|n| self.0.extend(n.to_le_bytes()));
            self
        }
        fn longs(mut self, numbers: &[i64]) -> Self {
            numbers.iter().for_each(|n| self.0.extend(n.to_le_bytes()));
            self
        }
        fn byte(mut self, byte: u8) -> Self {
            self.0.push(byte);
            self
        }
        fn text(self, text: &str) -> Self {
            let units: Vec<u16> = text.encode_utf16().collect();
            let mut out = self.ints(&[units.len() as i32]);
            units.iter().for_each(|unit| out.0.extend(unit.to_le_bytes()));
            out
        }
        fn record(&self, kind: u8) -> Vec<u8> {
            let mut out = ((RECORD_HEAD + self.0.len()) as i32).to_le_bytes().to_vec();
            out.extend(4i64.to_le_bytes());
            out.push(kind);
            out.extend(&self.0);
            out
        }
        fn decode(&self, kind: u8) -> Result<Event> {
            RawEvent { file: "f".to_owned(), offset: 100, bytes: self.record(kind).into() }.decode(4)
        }
    }

    fn rows() -> Payload {
        Payload::default().longs(&[10, 12, 100, 200]).byte(1)
    }

    #[test]
    fn decodes_rows_with_symbols() {
        let payload = rows()
            .ints(&[3])
            .byte(1)
            .ints(&[5, 2, 5])
            .text("a")
            .ints(&[6])
            .text("")
            .ints(&[-1])
            .ints(&[7])
            .byte(0)
            .ints(&[1, 0, -1])
            .ints(&[-1]);
        let Ok(Event::Data(event)) = payload.decode(0) else { panic!("not rows") };
        assert_eq!((event.row_lo, event.row_hi, event.min_ts, event.max_ts), (10, 12, 100, 200));
        assert!(event.out_of_order);
        let first = SymbolDiff { column: 3, has_null: true, clean: 5, entries: vec!["a".into(), "".into()] };
        let second = SymbolDiff { column: 7, has_null: false, clean: 1, entries: Vec::new() };
        assert_eq!(event.symbols, [first, second]);
        assert_eq!((event.dedup_mode, event.replace, event.mat_view), (0, None, None));
    }

    #[test]
    fn decodes_a_refresh_that_replaces_a_range() {
        let payload = rows().longs(&[77, 88]).ints(&[-1]).longs(&[i64::MIN, 50, 300]).byte(3);
        let Ok(Event::Data(event)) = payload.decode(3) else { panic!("not rows") };
        assert_eq!((event.mat_view, event.replace, event.dedup_mode), (Some((77, 88)), Some((50, 300)), 3));
        let empty = rows().longs(&[77, 88]).ints(&[-1]).longs(&[i64::MIN, 300, 300]).byte(3);
        assert!(matches!(empty.decode(3), Err(Error::Damaged { .. })));
        let unknown = rows().ints(&[-1]).longs(&[0, 0, 1]).byte(9);
        assert!(matches!(unknown.decode(0), Err(Error::Unsupported { .. })));
    }

    #[test]
    fn decodes_statements_with_bind_values() {
        let payload = Payload::default()
            .ints(&[3])
            .text("UPDATE t SET x = $1")
            .longs(&[1, 2])
            .ints(&[1, 5, 42])
            .ints(&[1])
            .text("who")
            .ints(&[11])
            .text("me");
        let Ok(Event::Sql(sql)) = payload.decode(1) else { panic!("not SQL") };
        assert_eq!((sql.command, sql.sql.as_str(), sql.seeds), (3, "UPDATE t SET x = $1", (1, 2)));
        let number = BindValue { type_code: 5, bytes: Some(Bytes::from_static(&[42, 0, 0, 0])) };
        assert_eq!(sql.indexed, [number]);
        let text = BindValue { type_code: 11, bytes: Some(Bytes::from_static(&[b'm', 0, b'e', 0])) };
        assert_eq!(sql.named, [("who".to_owned(), text)]);
    }

    #[test]
    fn decodes_what_has_no_rows() {
        assert_eq!(Payload::default().decode(2), Ok(Event::Truncate));
        let reason = Payload::default().longs(&[5, 6]).byte(1).text("base table dropped");
        let event = Event::MatViewInvalidate {
            base_txn: 5,
            refresh_ts: 6,
            invalid: true,
            reason: Some("base table dropped".into()),
        };
        assert_eq!(reason.decode(4), Ok(event.clone()));
        let intervals = Payload(reason.0).longs(&[1, 2]).ints(&[2]).longs(&[3, 4]);
        assert_eq!(intervals.decode(4), Ok(event));
        let view = Payload::default().text("SELECT a FROM t").ints(&[1]).text("t").ints(&[1]).text("a");
        let dependencies = vec![("t".to_owned(), vec!["a".to_owned()])];
        assert_eq!(view.decode(5), Ok(Event::ViewDefinition { sql: "SELECT a FROM t".into(), dependencies }));
    }

    #[test]
    fn refuses_what_contradicts_itself() {
        assert!(matches!(Payload::default().decode(6), Err(Error::Unsupported { offset: 112, .. })));
        assert!(matches!(Payload::default().byte(0).decode(2), Err(Error::Damaged { offset: 113, .. })));
        let key = rows().ints(&[3]).byte(0).ints(&[5, 1, 9]).text("a").ints(&[-1, -1]);
        assert!(matches!(key.decode(0), Err(Error::Damaged { .. })), "keys count up from the clean ones");
        let order = rows().ints(&[3]).byte(0).ints(&[0, 0, -1, 3]).byte(0).ints(&[0, 0, -1, -1]);
        assert!(matches!(order.decode(0), Err(Error::Damaged { .. })), "a column comes once");
        let backwards = Payload::default().longs(&[10, 9, 0, 0]).byte(0).ints(&[-1]);
        assert!(matches!(backwards.decode(0), Err(Error::Damaged { .. })));
        let raw = RawEvent { file: "f".to_owned(), offset: 100, bytes: Payload::default().record(2).into() };
        assert!(matches!(raw.decode(5), Err(Error::Damaged { offset: 104, .. })), "another transaction's");
    }

    #[test]
    fn finds_a_record_by_the_index_and_not_by_the_files_length() {
        let record = Payload::default().record(2);
        let mut events = [0i32.to_le_bytes(), 0i32.to_le_bytes()].concat();
        events.extend(&record);
        let end = events.len() as i64;
        events.resize(4096, 0);
        let mut index: Vec<u8> = vec![0; 32];
        index.extend(8i64.to_le_bytes());
        index.extend(end.to_le_bytes());
        index.resize(4096, 0);
        let id = SegmentId { wal: 1, segment: 0 };
        let mut files = MemoryFiles::default();
        files.insert("t/wal1/0/_event", events.clone());
        files.insert("t/wal1/0/_event.i", index);
        assert_eq!(read_event(&files, "t", id, 4), Ok(Event::Truncate));
        assert!(matches!(read_event(&files, "t", id, 5), Err(Error::Damaged { .. })), "an index of zeros");
        events[4] = 3;
        files.insert("t/wal1/0/_event", events);
        assert!(matches!(read_event(&files, "t", id, 4), Err(Error::Unsupported { offset: 4, .. })));
    }
}
