use super::cursor::{Cursor, Gather};
use super::event_decode::{RECORD_HEAD, check_head, decode_event};
use super::{Error, Event, Files, Result, SegmentId};

/// Bytes of events that are read at a time, unless a single one is larger.
const BATCH_BYTES: u64 = 4 << 20;
/// Events that are read at a time.
const BATCH_EVENTS: u32 = 64 * 1024;

/// Reads the events of neighbouring transactions of a segment, from `first` on: at least one, at most
/// `count`, fewer where they are many or large.
///
/// What [`read_event`](super::read_event) answers for each of them, in two reads for all.
///
/// # Errors
/// Those of [`read_event`](super::read_event), of the first event; a later one that can't be read ends the answer
/// before it.
pub fn read_events(
    files: &dyn Files,
    table_dir: &str,
    segment: SegmentId,
    first: u32,
    count: u32,
) -> Result<Vec<Event>> {
    let dir = segment.dir(table_dir);
    let (file, index_file) = (format!("{dir}/_event"), format!("{dir}/_event.i"));
    let count = count.clamp(1, BATCH_EVENTS);
    let index_offset = u64::from(first) * 8;
    let mut gather = Gather::default();
    let head = gather.add(files.read(&file, 0, 8))?;
    let index = gather.add(files.read(&index_file, index_offset, (u64::from(count) + 1) * 8))?;
    let (Some(head), Some(index)) = (head, index) else { return Err(Error::Pending) };
    check_head(&file, &head)?;
    let mut cursor = Cursor::new(&index_file, index_offset, &index);
    let begin = cursor.u63("start of the event")?;
    if begin < 8 {
        return Err(cursor.damaged_back(8, "an offset of 8 or more", begin));
    }
    let mut ends = Vec::with_capacity(count as usize);
    let mut last = begin;
    for _ in 0..count {
        let end = cursor.u63("end of the event")?;
        if end.checked_sub(last).is_none_or(|len| len < RECORD_HEAD as u64) {
            if ends.is_empty() {
                let expected = format_args!("an end of {} or more", last.saturating_add(RECORD_HEAD as u64));
                return Err(cursor.damaged_back(8, expected, end));
            }
            break;
        }
        if !ends.is_empty() && end - begin > BATCH_BYTES {
            break;
        }
        ends.push(end);
        last = end;
    }
    let bytes = match files.read(&file, begin, last - begin) {
        // The file may end inside a later event.
        Err(Error::Short { .. }) if ends.len() > 1 => {
            return read_events(files, table_dir, segment, first, 1);
        }
        bytes => bytes?,
    };
    let mut events = Vec::with_capacity(ends.len());
    let mut start = begin;
    for (end, txn) in ends.into_iter().zip(first..) {
        let record = bytes.slice((start - begin) as usize..(end - begin) as usize);
        match decode_event(&file, start, &record, txn) {
            Ok(event) => events.push(event),
            Err(error) if events.is_empty() => return Err(error),
            Err(_) => break,
        }
        start = end;
    }
    Ok(events)
}
