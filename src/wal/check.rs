//! What the rows of a commit promise each other, checked at a few instructions per value.
//!
//! Each check runs over all rows without branching out where it can, and only looks for the row
//! to blame once something is wrong.

use super::{ColumnType, DataEvent, Error, Result, SequencerMeta, SymbolDiff, Tag};

/// Bytes of a file from an offset on.
pub(crate) struct Aux<'a> {
    pub(crate) file: &'a str,
    pub(crate) offset: u64,
    pub(crate) bytes: &'a [u8],
}

const SYMBOL_NULL: i32 = i32::MIN;
const OFFSET_BITS: u64 = (1 << 48) - 1;
const VARCHAR_INLINED: u32 = 1;
const VARCHAR_NULL: u32 = 4;
const VARCHAR_MAX_INLINED: usize = 9;

/// Every symbol diff belongs to a SYMBOL column of the segment, or to a dropped column.
pub(crate) fn symbol_diffs(dir: &str, meta: &SequencerMeta, event: &DataEvent) -> Result<()> {
    for diff in &event.symbols {
        let column = meta.columns.get(diff.column);
        if !column.is_some_and(|column| column.dropped || column.ty.is_symbol()) {
            let found = format_args!("new symbols of column {}", diff.column);
            return Err(Error::damaged(&format!("{dir}/_event"), 0, "symbols of a SYMBOL column", found));
        }
    }
    Ok(())
}

/// Row ids count up from the event's first row, timestamps keep what the event says of them.
pub(crate) fn designated(file: &str, offset: u64, bytes: &[u8], event: &DataEvent) -> Result<()> {
    let mut ids_right = true;
    let mut sorted = true;
    let (mut min, mut max, mut last) = (i64::MAX, i64::MIN, i64::MIN);
    for (row, id) in bytes.chunks_exact(16).zip(event.row_lo..) {
        let ts = i64_at(row, 0);
        ids_right &= i64_at(row, 8) as u64 == id;
        sorted &= ts >= last;
        last = ts;
        min = min.min(ts);
        max = max.max(ts);
    }
    if !ids_right {
        let mut rows = bytes.chunks_exact(16).zip(event.row_lo..).enumerate();
        if let Some((i, (row, id))) = rows.find(|(_, (row, id))| i64_at(row, 8) as u64 != *id) {
            let at = offset + i as u64 * 16 + 8;
            return Err(Error::damaged(file, at, format_args!("row id {id}"), i64_at(row, 8)));
        }
    }
    if bytes.is_empty() {
        return Ok(());
    }
    if (min, max) != (event.min_ts, event.max_ts) {
        let expected = format_args!("timestamps from {} to {}", event.min_ts, event.max_ts);
        return Err(Error::damaged(file, offset, expected, format_args!("{min} to {max}")));
    }
    if !sorted && !event.out_of_order {
        return Err(Error::damaged(
            file,
            offset,
            "timestamps that do not decrease",
            "an earlier one after a later",
        ));
    }
    match event.replace {
        Some((lo, hi)) if min < lo || max >= hi => {
            let expected = format_args!("timestamps inside the replaced range {lo} to {hi}");
            Err(Error::damaged(file, offset, expected, format_args!("{min} to {max}")))
        }
        _ => Ok(()),
    }
}

/// Keys are null, clean ones of the table's dictionary, or entries of this commit.
pub(crate) fn symbol_keys(file: &str, offset: u64, bytes: &[u8], diff: Option<&SymbolDiff>) -> Result<()> {
    let end = diff.map_or(0, |diff| diff.clean as usize + diff.entries.len());
    let end = i32::try_from(end).unwrap_or(i32::MAX);
    let bad = |key: i32| key != SYMBOL_NULL && (key < 0 || key >= end);
    let any = bytes.chunks_exact(4).fold(false, |any, key| any | bad(i32_at(key, 0)));
    if !any {
        return Ok(());
    }
    let mut keys = bytes.chunks_exact(4).map(|key| i32_at(key, 0)).enumerate();
    match keys.find(|(_, key)| bad(*key)) {
        Some((i, key)) => {
            let expected = format_args!("a symbol key below {end}, or null");
            Err(Error::damaged(file, offset + i as u64 * 4, expected, key))
        }
        None => Ok(()),
    }
}

/// Start and end in `.d` of the values of these `.i` entries.
pub(crate) fn data_range(ty: ColumnType, file: &str, offset: u64, aux: &[u8]) -> Result<(u64, u64)> {
    let (start, end) = match ty.tag() {
        Tag::String | Tag::Binary => {
            let last = aux.len().saturating_sub(8);
            (i64_at(aux, 0) as u64, i64_at(aux, last) as u64)
        }
        Tag::Varchar => (varchar_offset(aux), aux.rchunks_exact(16).next().map_or(0, varchar_end)),
        _ => {
            let end = aux.rchunks_exact(16).next().map_or(0, |last| {
                let size = u64::from(i32_at(last, 8) as u32);
                (i64_at(last, 0) as u64 & OFFSET_BITS) + size
            });
            (i64_at(aux, 0) as u64 & OFFSET_BITS, end)
        }
    };
    if start > end || end > OFFSET_BITS {
        let expected = "offsets that do not decrease, of 48 bits";
        return Err(Error::damaged(file, offset, expected, format_args!("{start} to {end}")));
    }
    Ok((start, end))
}

/// Each STRING begins where the one before ends.
pub(crate) fn strings(aux: &Aux<'_>, data: &Aux<'_>) -> Result<()> {
    var_entries(aux, data, "STRING", |value| {
        let units = i64::from(i32_at(value.get(..4)?, 0));
        match units {
            -1 => Some(4),
            0.. => Some(4 + units as u64 * 2),
            _ => None,
        }
    })
}

/// Each BINARY begins where the one before ends.
pub(crate) fn binaries(aux: &Aux<'_>, data: &Aux<'_>) -> Result<()> {
    var_entries(aux, data, "BINARY", |value| {
        let len = i64_at(value.get(..8)?, 0);
        match len {
            -1 => Some(8),
            0.. => (len as u64).checked_add(8),
            _ => None,
        }
    })
}

fn var_entries(aux: &Aux<'_>, data: &Aux<'_>, what: &str, size: impl Fn(&[u8]) -> Option<u64>) -> Result<()> {
    let mut offsets = aux.bytes.chunks_exact(8).map(|entry| i64_at(entry, 0) as u64);
    let Some(mut start) = offsets.next() else { return Ok(()) };
    for (i, end) in offsets.enumerate() {
        let rest = start.checked_sub(data.offset).and_then(|at| data.bytes.get(at as usize..));
        if rest.and_then(&size) != end.checked_sub(start) {
            let expected = format_args!("the end of the {what} at {start}");
            return Err(Error::damaged(aux.file, aux.offset + (i as u64 + 1) * 8, expected, end));
        }
        start = end;
    }
    Ok(())
}

/// Values follow each other without gaps, lengths fit, prefixes are those of the values.
pub(crate) fn varchars(aux: &Aux<'_>, data: &Aux<'_>) -> Result<()> {
    let mut rest = data.bytes;
    let mut next = data.offset;
    for (i, entry) in aux.bytes.chunks_exact(16).enumerate() {
        let head = i32_at(entry, 0) as u32;
        let mut right = varchar_offset(entry) == next;
        if head & (VARCHAR_NULL | VARCHAR_INLINED) == 0 {
            let len = (head >> 4) as usize;
            match rest.split_at_checked(len) {
                Some((value, after)) if len > VARCHAR_MAX_INLINED => {
                    right &= value.get(..6) == entry.get(4..10);
                    rest = after;
                    next += len as u64;
                }
                _ => right = false,
            }
        } else {
            right &= head & VARCHAR_NULL != 0 || (head >> 4 & 0xf) as usize <= VARCHAR_MAX_INLINED;
        }
        if !right {
            let found = format_args!("head {head:#x}, offset {}", varchar_offset(entry));
            let expected = format_args!("a VARCHAR at offset {next} with the prefix of its value");
            return Err(Error::damaged(aux.file, aux.offset + i as u64 * 16, expected, found));
        }
    }
    Ok(())
}

/// Entries follow each other without gaps, and their shapes fit their sizes.
pub(crate) fn arrays(aux: &Aux<'_>, data: &Aux<'_>, dims: usize) -> Result<()> {
    let mut next = data.offset;
    for (i, entry) in aux.bytes.chunks_exact(16).enumerate() {
        let start = i64_at(entry, 0) as u64 & OFFSET_BITS;
        let size = u64::from(i32_at(entry, 8) as u32);
        let value = (start == next)
            .then(|| data.bytes.get((start - data.offset) as usize..)?.get(..size as usize))
            .flatten();
        if size != 0 && value.and_then(|value| array_size(value, start, dims)) != Some(size) || start != next
        {
            let expected = format_args!("an array of {dims} dimensions at offset {next}");
            let found = format_args!("{size} bytes at offset {start} of other dimensions");
            return Err(Error::damaged(aux.file, aux.offset + i as u64 * 16, expected, found));
        }
        next = start + size;
    }
    Ok(())
}

/// Bytes that an array at file offset `start` takes, going by its dimension lengths.
fn array_size(value: &[u8], start: u64, dims: usize) -> Option<u64> {
    let shape = value.get(..dims * 4)?;
    let mut elements = 1u64;
    for dim in shape.chunks_exact(4) {
        elements = elements.checked_mul(u64::try_from(i32_at(dim, 0)).ok()?)?;
    }
    // Values are aligned to 8 bytes of the file, the next array to 4.
    let values = (start + shape.len() as u64).next_multiple_of(8);
    let end = elements.checked_mul(8)?.checked_add(values)?;
    Some(end.next_multiple_of(4) - start)
}

fn varchar_offset(entry: &[u8]) -> u64 {
    match entry.get(10..16) {
        Some(&[a, b, c, d, e, f]) => u64::from_le_bytes([a, b, c, d, e, f, 0, 0]),
        _ => 0,
    }
}

fn varchar_end(entry: &[u8]) -> u64 {
    let head = i32_at(entry, 0) as u32;
    let stored = if head & (VARCHAR_NULL | VARCHAR_INLINED) == 0 { head >> 4 } else { 0 };
    varchar_offset(entry) + u64::from(stored)
}

/// The number at `at`; 0 beyond the end, which callers exclude by the lengths they ask for.
#[inline]
fn i64_at(bytes: &[u8], at: usize) -> i64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| i64::from_le_bytes(*chunk))
}

#[inline]
fn i32_at(bytes: &[u8], at: usize) -> i32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| i32::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(row_lo: u64, min_ts: i64, max_ts: i64) -> DataEvent {
        DataEvent {
            row_lo,
            row_hi: row_lo,
            min_ts,
            max_ts,
            out_of_order: false,
            symbols: Vec::new(),
            dedup_mode: 0,
            replace: None,
            mat_view: None,
        }
    }

    fn longs(numbers: &[i64]) -> Vec<u8> {
        numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
    }

    /// Where an error blames the file.
    fn offset(result: Result<()>) -> Option<u64> {
        match result {
            Err(Error::Damaged { offset, .. }) => Some(offset),
            _ => None,
        }
    }

    #[test]
    fn timestamps_keep_what_the_event_says() {
        let rows = longs(&[10, 5, 20, 6, 20, 7]);
        assert_eq!(designated("f", 80, &rows, &event(5, 10, 20)), Ok(()));
        assert_eq!(offset(designated("f", 80, &rows, &event(4, 10, 20))), Some(88));
        assert_eq!(offset(designated("f", 80, &rows, &event(5, 11, 20))), Some(80));
        let mut late = event(0, 10, 20);
        let rows = longs(&[20, 0, 10, 1]);
        assert!(designated("f", 0, &rows, &late).is_err());
        late.out_of_order = true;
        assert_eq!(designated("f", 0, &rows, &late), Ok(()));
        late.replace = Some((10, 21));
        assert_eq!(designated("f", 0, &rows, &late), Ok(()));
        late.replace = Some((10, 20));
        assert!(designated("f", 0, &rows, &late).is_err());
    }

    #[test]
    fn symbol_keys_are_clean_or_new_or_null() {
        let diff = SymbolDiff { column: 0, has_null: true, clean: 2, entries: vec!["x".into()] };
        let keys = |keys: &[i32]| keys.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>();
        assert_eq!(symbol_keys("f", 0, &keys(&[0, 1, 2, SYMBOL_NULL]), Some(&diff)), Ok(()));
        assert_eq!(offset(symbol_keys("f", 40, &keys(&[0, 3]), Some(&diff))), Some(44));
        assert_eq!(offset(symbol_keys("f", 40, &keys(&[-1]), Some(&diff))), Some(40));
        assert_eq!(symbol_keys("f", 0, &keys(&[SYMBOL_NULL]), None), Ok(()));
        assert!(symbol_keys("f", 0, &keys(&[0]), None).is_err(), "without a diff there are only nulls");
    }

    fn var(check: fn(&Aux<'_>, &Aux<'_>) -> Result<()>, aux: &[u8], start: u64, data: &[u8]) -> Result<()> {
        let aux = Aux { file: "i", offset: 0, bytes: aux };
        check(&aux, &Aux { file: "d", offset: start, bytes: data })
    }

    #[test]
    fn strings_and_binaries_end_where_the_next_begins() {
        let data = [&2i32.to_le_bytes()[..], &[b'a', 0, b'b', 0], &(-1i32).to_le_bytes()].concat();
        assert_eq!(var(strings, &longs(&[100, 108, 112]), 100, &data), Ok(()));
        assert_eq!(offset(var(strings, &longs(&[100, 106, 112]), 100, &data)), Some(8));
        assert_eq!(offset(var(strings, &longs(&[100, 108, 113]), 100, &data)), Some(16));
        assert!(var(strings, &longs(&[100, 108, 50]), 100, &data).is_err());
        let data = [&longs(&[1])[..], &[7], &longs(&[-1])].concat();
        assert_eq!(var(binaries, &longs(&[0, 9, 17]), 0, &data), Ok(()));
        assert!(var(binaries, &longs(&[0, 8, 17]), 0, &data).is_err());
        let huge = longs(&[i64::MAX]);
        assert!(var(binaries, &longs(&[0, 8]), 0, &huge).is_err());
    }

    fn varchar(head: u32, prefix: &[u8], offset: u64) -> Vec<u8> {
        let mut out = head.to_le_bytes().to_vec();
        out.extend(prefix);
        out.resize(10, 0);
        out.extend(&offset.to_le_bytes()[..6]);
        out
    }

    #[test]
    fn varchars_lie_one_after_the_other() {
        let entries = [
            varchar(10 << 4 | 2, b"012345", 30),
            varchar(VARCHAR_NULL, b"", 40),
            varchar(3 << 4 | 3, b"", 40),
            varchar(11 << 4 | 2, b"abcdef", 40),
        ];
        let aux = entries.concat();
        let data = b"0123456789abcdefghijk";
        assert_eq!(var(varchars, &aux, 30, data), Ok(()));
        assert_eq!(data_range(ColumnType::VARCHAR, "i", 0, &aux), Ok((30, 51)));
        assert_eq!(offset(var(varchars, &aux, 30, b"0123456789abcdeXghijk")), Some(48), "another prefix");
        assert_eq!(offset(var(varchars, &aux, 30, &data[..20])), Some(48), "too short");
        let mut gap = aux.clone();
        gap[26] = 41;
        assert_eq!(offset(var(varchars, &gap, 30, data)), Some(16));
        let mut inlined = aux;
        inlined[32] = 0xf0 | 3;
        assert_eq!(offset(var(varchars, &inlined, 30, data)), Some(32), "too long for inlined");
        assert!(
            data_range(ColumnType::VARCHAR, "i", 0, &[varchar(0, b"", 9), varchar(4, b"", 8)].concat())
                .is_err()
        );
    }

    fn array(offset: i64, size: i32) -> Vec<u8> {
        [&offset.to_le_bytes()[..], &size.to_le_bytes(), &[0; 4]].concat()
    }

    #[test]
    fn arrays_have_the_dimensions_of_their_column() {
        let check = |aux: &[u8], data: &[u8], dims| {
            let aux = Aux { file: "i", offset: 0, bytes: aux };
            arrays(&aux, &Aux { file: "d", offset: 0, bytes: data }, dims)
        };
        // Two dimensions 1 x 2, then null, then an empty one.
        let mut data: Vec<u8> = [1i32, 2].iter().flat_map(|n| n.to_le_bytes()).collect();
        data.extend(longs(&[0, 0]));
        data.extend([0, 0, 0, 0, 5, 0, 0, 0]);
        let aux = [array(0, 24), array(24, 0), array(24, 8)].concat();
        assert_eq!(check(&aux, &data, 2), Ok(()));
        // What rnd_double_array(3) writes into a DOUBLE[][][] column: values of two dimensions.
        assert_eq!(offset(check(&aux, &data, 3)), Some(0));
        assert!(check(&[array(0, 16)].concat(), &data, 2).is_err());
        // One dimension is padded to 8 bytes.
        let one = [&1i32.to_le_bytes()[..], &[0; 12]].concat();
        assert_eq!(check(&array(0, 16), &one, 1), Ok(()));
        let hostile = [[0xff; 4], [0xff; 4]].concat();
        assert!(check(&array(0, 8), &hostile, 2).is_err());
        let overflow = [i32::MAX.to_le_bytes(), i32::MAX.to_le_bytes()].concat();
        assert!(check(&array(0, 8), &overflow, 2).is_err());
    }
}
