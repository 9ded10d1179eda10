use super::check;
use super::cursor::Gather;
use super::event_decode::read_event;
use super::path::{check_component, column_file};
use super::{
    Change, ColumnType, Commit, DataEvent, Error, Event, Files, MetaColumn, Result, SegmentId, SequencerMeta,
    Tag, TxnKind, TxnRecord, WalColumn, read_change,
};
use bytes::Bytes;
use foldhash::fast::FixedState;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a segment beyond this are a contradiction (QuestDB starts a new one at 200,000 rows or
/// 50 MiB); it keeps every offset computed from a row inside 63 bits.
const MAX_ROW: u64 = 1 << 48;

/// What a transaction does, read and validated.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Transaction {
    /// Rows, possibly none.
    Rows(Commit),
    /// Truncate, SQL, materialized view and view events.
    Event(Event),
    /// A structural change.
    Change(Change),
    /// The table was dropped.
    Drop,
}

/// Reads one transaction whole: its event and rows, or its structural change.
///
/// Asks for all that it can before it answers [`Error::Pending`].
///
/// # Errors
/// [`Error::Absent`] when the segment was purged: see [`Survey`](super::Survey) for telling that
/// from damage.
pub fn read_transaction(files: &dyn Files, table_dir: &str, record: &TxnRecord) -> Result<Transaction> {
    read_transaction_with(files, table_dir, record, &mut SegmentMetas::default())
}

/// As [`read_transaction`], for one transaction of a table after the other: what their segments have in
/// common is read once.
///
/// # Errors
/// As [`read_transaction`].
pub fn read_transaction_with(
    files: &dyn Files,
    table_dir: &str,
    record: &TxnRecord,
    metas: &mut SegmentMetas,
) -> Result<Transaction> {
    match head(files, table_dir, record, metas)? {
        Head::Rows(event, meta) => commit_of(files, table_dir, record, event, &meta).map(Transaction::Rows),
        Head::Whole(transaction) => Ok(transaction),
    }
}

/// Asks for all that [`read_transaction`] will need, as far as is known now, and checks nothing: for bytes
/// that arrive long before they are read. Answers the event of a transaction that is neither rows nor a change
/// of the structure.
///
/// # Errors
/// Those of [`read_transaction`] that come before values are looked at; [`Error::Pending`] where
/// something is on its way.
pub fn ask_transaction(
    files: &dyn Files,
    table_dir: &str,
    record: &TxnRecord,
    metas: &mut SegmentMetas,
) -> Result<Option<Event>> {
    match head(files, table_dir, record, metas)? {
        Head::Rows(event, meta) => {
            bytes_of(files, table_dir, record, &event, &meta)?;
            Ok(None)
        }
        Head::Whole(Transaction::Event(event)) => Ok(Some(event)),
        Head::Whole(_) => Ok(None),
    }
}

/// What a transaction is, before its rows are read.
enum Head {
    Rows(DataEvent, Arc<SequencerMeta>),
    Whole(Transaction),
}

/// The columns of the segments of one table that were read already.
///
/// A segment with rows keeps its columns: a writer that sees a structural change begins another. So they
/// are known by segment and structure version.
#[derive(Debug, Default)]
pub struct SegmentMetas(HashMap<(SegmentId, i64), Arc<SequencerMeta>, FixedState>);

/// Segments remembered, at most.
const METAS_MAX: usize = 1024;

impl SegmentMetas {
    /// The columns of a segment whose transactions are of this structure version.
    ///
    /// # Errors
    /// Those of [`SequencerMeta::of_segment`].
    pub fn read(
        &mut self,
        files: &dyn Files,
        table_dir: &str,
        segment: SegmentId,
        version: i64,
    ) -> Result<Arc<SequencerMeta>> {
        if let Some(meta) = self.0.get(&(segment, version)) {
            return Ok(meta.clone());
        }
        let meta = Arc::new(SequencerMeta::of_segment(files, table_dir, segment)?);
        if self.0.len() >= METAS_MAX {
            self.0.clear();
        }
        self.0.insert((segment, version), meta.clone());
        Ok(meta)
    }
}

impl SegmentMetas {
    /// The columns of a segment, if they were read.
    pub fn get(&self, segment: SegmentId, version: i64) -> Option<&SequencerMeta> {
        self.0.get(&(segment, version)).map(Arc::as_ref)
    }
}

fn head(files: &dyn Files, table_dir: &str, record: &TxnRecord, metas: &mut SegmentMetas) -> Result<Head> {
    let Some((segment, segment_txn)) = record.segment() else {
        return match record.kind {
            TxnKind::Structure => read_change(files, table_dir, record.structure_version)
                .map(|change| Head::Whole(Transaction::Change(change))),
            _ => Ok(Head::Whole(Transaction::Drop)),
        };
    };
    let mut gather = Gather::default();
    let meta = gather.add(metas.read(files, table_dir, segment, record.structure_version));
    let event = gather.add(read_event(files, table_dir, segment, segment_txn))?;
    match event {
        Some(Event::Data(event)) => {
            let meta = meta?.ok_or(Error::Pending)?;
            if meta.timestamp.is_none() && event.row_hi > event.row_lo {
                let file = format!("{}/_meta", segment.dir(table_dir));
                return Err(Error::damaged(&file, 20, "the index of a designated timestamp", "none"));
            }
            Ok(Head::Rows(event, meta))
        }
        // The segment's layout does not matter to these.
        Some(event) => Ok(Head::Whole(Transaction::Event(event))),
        None => Err(Error::Pending),
    }
}

/// Reads and validates the rows of a data transaction, given its event and its segment's `_meta`.
///
/// Asks for every column's bytes before it answers [`Error::Pending`]; the data of
/// variable-length columns can only be asked for once their offsets are here. No file's length is
/// trusted: what is read follows from the event's row range alone.
///
/// # Errors
/// [`Error::Damaged`] for anything that contradicts the event: row ids, timestamps, order, symbol
/// keys, offsets, array shapes. A DOUBLE[] value of other dimensions than its column's, which
/// QuestDB 9.3.4 lets `rnd_double_array` write and then fails to read itself, is such a contradiction.
pub fn read_commit(
    files: &dyn Files,
    table_dir: &str,
    record: &TxnRecord,
    event: &DataEvent,
    meta: &SequencerMeta,
) -> Result<Commit> {
    commit_of(files, table_dir, record, event.clone(), meta)
}

fn commit_of(
    files: &dyn Files,
    table_dir: &str,
    record: &TxnRecord,
    event: DataEvent,
    meta: &SequencerMeta,
) -> Result<Commit> {
    let (rows, slices, data) = bytes_of(files, table_dir, record, &event, meta)?;
    let mut columns = Vec::with_capacity(meta.columns.len());
    for (index, (slice, data)) in slices.into_iter().zip(data).enumerate() {
        columns.push(match (slice, meta.columns.get(index)) {
            (Some(slice), Some(column)) => {
                Some(finish_column(slice, data, column, Some(index) == meta.timestamp, index, &event)?)
            }
            _ => None,
        });
    }
    // A column that was dropped while rows were pending still has its diff, which means nothing.
    let mut symbols = event.symbols;
    symbols.retain(|diff| meta.columns.get(diff.column).is_some_and(|column| !column.dropped));
    Ok(Commit {
        seq_txn: record.seq_txn,
        commit_ts: record.commit_ts,
        rows,
        min_ts: event.min_ts,
        max_ts: event.max_ts,
        out_of_order: event.out_of_order,
        replace: event.replace,
        mat_view: event.mat_view,
        symbols,
        columns,
    })
}

/// The number of rows, and for each column the bytes of its first and its second file.
type RowBytes = (usize, Vec<Option<Slice>>, Vec<Option<Data>>);

fn bytes_of(
    files: &dyn Files,
    table_dir: &str,
    record: &TxnRecord,
    event: &DataEvent,
    meta: &SequencerMeta,
) -> Result<RowBytes> {
    let Some((segment, _)) = record.segment() else {
        let file = format!("{table_dir}/txn_seq/_txnlog");
        return Err(Error::damaged(&file, 0, "a transaction with rows", format_args!("{:?}", record.kind)));
    };
    let dir = segment.dir(table_dir);
    let rows = usize::try_from(event.row_hi.saturating_sub(event.row_lo)).ok();
    let Some(rows) = rows.filter(|_| event.row_hi <= MAX_ROW) else {
        let found = format_args!("{} to {}", event.row_lo, event.row_hi);
        return Err(Error::damaged(&format!("{dir}/_event"), 0, "a possible range of rows", found));
    };
    check::symbol_diffs(&dir, meta, event)?;
    let slices = read_slices(files, &dir, event, meta)?;
    let data = read_data(files, &dir, event, meta, &slices)?;
    Ok((rows, slices, data))
}

/// A column's `.d` (fixed size) or `.i` for the rows of a commit.
struct Slice {
    file: String,
    offset: u64,
    bytes: Bytes,
}

/// Name and byte range of the file that is read first for these rows of a column.
pub(super) fn first_range(
    dir: &str,
    column: &MetaColumn,
    designated: bool,
    range: Range<u64>,
) -> (String, u64, u64) {
    let rows = range.end - range.start;
    let (extension, offset, len) = match (designated, column.ty.tag()) {
        (true, _) => ("d", range.start * 16, rows * 16),
        (_, Tag::String | Tag::Binary) => ("i", range.start * 8, (rows + 1) * 8),
        (_, Tag::Varchar | Tag::Array) => ("i", range.start * 16, rows * 16),
        _ => {
            let size = column.ty.fixed_size().unwrap_or(0) as u64;
            ("d", range.start * size, rows * size)
        }
    };
    (column_file(dir, &column.name, extension), offset, len)
}

fn read_slices(
    files: &dyn Files,
    dir: &str,
    event: &DataEvent,
    meta: &SequencerMeta,
) -> Result<Vec<Option<Slice>>> {
    let empty = event.row_hi == event.row_lo;
    let mut gather = Gather::default();
    let mut out = Vec::with_capacity(meta.columns.len());
    for (index, column) in meta.columns.iter().enumerate() {
        if column.dropped {
            out.push(None);
            continue;
        }
        check_component(format_args!("{dir}/_meta"), &column.name)?;
        let (file, offset, len) =
            first_range(dir, column, Some(index) == meta.timestamp, event.row_lo..event.row_hi);
        // A commit without rows may have been written before the segment had column files.
        let bytes =
            if empty { Some(no_rows(column.ty)) } else { gather.add(files.read(&file, offset, len))? };
        out.push(bytes.map(|bytes| Slice { file, offset, bytes }));
    }
    gather.done()?;
    Ok(out)
}

fn no_rows(ty: ColumnType) -> Bytes {
    match ty.tag() {
        Tag::String | Tag::Binary => Bytes::from_static(&[0; 8]),
        _ => Bytes::new(),
    }
}

/// The `.d` bytes of a variable-length column that a commit's rows own.
struct Data {
    file: String,
    base: u64,
    bytes: Bytes,
}

fn read_data(
    files: &dyn Files,
    dir: &str,
    event: &DataEvent,
    meta: &SequencerMeta,
    slices: &[Option<Slice>],
) -> Result<Vec<Option<Data>>> {
    let mut gather = Gather::default();
    let mut out = Vec::with_capacity(slices.len());
    for (slice, column) in slices.iter().zip(&meta.columns) {
        let data = match slice {
            Some(slice) if column.ty.fixed_size().is_none() => {
                let file = column_file(dir, &column.name, "d");
                let (base, end) = check::data_range(column.ty, &slice.file, slice.offset, &slice.bytes)?;
                let bytes = if base == end || event.row_hi == event.row_lo {
                    Some(Bytes::new())
                } else {
                    gather.add(files.read(&file, base, end - base))?
                };
                bytes.map(|bytes| Data { file, base, bytes })
            }
            _ => None,
        };
        out.push(data);
    }
    gather.done()?;
    Ok(out)
}

fn finish_column(
    slice: Slice,
    data: Option<Data>,
    column: &MetaColumn,
    designated: bool,
    index: usize,
    event: &DataEvent,
) -> Result<WalColumn> {
    let Slice { file, offset, bytes } = slice;
    if designated {
        check::designated(&file, offset, &bytes, event)?;
        return Ok(WalColumn::Designated(bytes));
    }
    let Some(data) = data else {
        if column.ty.is_symbol() {
            let diff = event.symbols.iter().find(|diff| diff.column == index);
            check::symbol_keys(&file, offset, &bytes, diff)?;
        }
        return Ok(WalColumn::Fixed { ty: column.ty, values: bytes });
    };
    let aux = check::Aux { file: &file, offset, bytes: &bytes };
    let values = check::Aux { file: &data.file, offset: data.base, bytes: &data.bytes };
    match column.ty.tag() {
        _ if event.row_hi == event.row_lo => {}
        Tag::String => check::strings(&aux, &values)?,
        Tag::Binary => check::binaries(&aux, &values)?,
        Tag::Varchar => check::varchars(&aux, &values)?,
        _ => check::arrays(&aux, &values, column.ty.array_dims())?,
    }
    Ok(WalColumn::Var { ty: column.ty, aux: bytes, data: data.bytes, base: data.base })
}

impl SegmentId {
    /// True if the segment's event file exists: a purged segment has none.
    pub fn exists(self, files: &dyn Files, table_dir: &str) -> Result<bool> {
        match files.len(&format!("{}/_event", self.dir(table_dir))) {
            Ok(_) => Ok(true),
            Err(Error::Absent { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
