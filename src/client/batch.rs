//! Lines of ILP text into frames: `auto_flush_rows`, `auto_flush_bytes`, `auto_flush_interval`.

use super::{MILLI, Micros, Settings};
use bytes::Bytes;

/// A frame to be sent, and the rows in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Whole lines, each ended by a line feed.
    pub bytes: Bytes,
    /// Lines that are not empty.
    pub rows: u64,
}

/// Why text can't be made into frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// One line is longer than a frame may be.
    #[error(
        "line {line} is longer than {most} bytes, the largest frame: raise sf_max_segment_bytes and max_buf_size"
    )]
    LineTooLong {
        /// Its number, from 1.
        line: u64,
        /// The limit.
        most: usize,
    },
}

/// Collects lines until they make a frame.
///
/// A line ends with a line feed that no backslash escapes. A frame holds whole lines, and is done when it has enough of
/// them, when the next line would not fit, or when its first line has waited long enough.
#[derive(Debug, Clone)]
pub struct Batcher {
    rows_max: Option<u64>,
    bytes_max: usize,
    most: usize,
    interval: Option<Micros>,
    /// Whole lines, then the beginning of one.
    text: Vec<u8>,
    /// Where the last whole line ends.
    whole: usize,
    /// How far it was looked for the end of a line.
    looked: usize,
    rows: u64,
    lines: u64,
    since: Option<Micros>,
}

impl Batcher {
    /// A batcher with these settings. No frame is larger than a segment of the queue takes.
    pub fn new(settings: &Settings) -> Self {
        let limit = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let most = limit(settings.max_buf_size.min(settings.limits().frame_bytes()));
        Self {
            rows_max: settings.auto_flush_rows,
            bytes_max: settings.auto_flush_bytes.map_or(most, |bytes| limit(bytes).min(most)),
            most,
            interval: settings.auto_flush_interval_ms.map(|ms| ms.saturating_mul(MILLI)),
            text: Vec::new(),
            whole: 0,
            looked: 0,
            rows: 0,
            lines: 0,
            since: None,
        }
    }

    /// Takes text, and puts the frames that it completes into `done`.
    ///
    /// # Errors
    /// [`BatchError`]; lines before the one that it names are in `done` or come with [`finish`](Self::finish), those from
    /// it on are dropped.
    pub fn take(&mut self, text: &[u8], now: Micros, done: &mut Vec<Batch>) -> Result<(), BatchError> {
        self.text.extend_from_slice(text);
        while let Some(end) = self.line_end() {
            if end - self.whole > self.most {
                return Err(self.too_long());
            }
            self.line(end, now, done);
        }
        if self.text.len() - self.whole > self.most { Err(self.too_long()) } else { Ok(()) }
    }

    /// The frame whose first line has waited long enough.
    pub fn due(&mut self, now: Micros) -> Option<Batch> {
        self.wakes_at().filter(|at| *at <= now).and_then(|_| self.cut(self.whole))
    }

    /// When [`due`](Self::due) has one.
    pub fn wakes_at(&self) -> Option<Micros> {
        self.since.zip(self.interval).map(|(since, interval)| since.saturating_add(interval))
    }

    /// What is left at the end of the text; a last line without a line feed gets one.
    pub fn finish(&mut self) -> Option<Batch> {
        if self.text.len() > self.whole {
            self.text.push(b'\n');
            self.rows += 1;
        }
        self.cut(self.text.len())
    }

    /// Behind the next line feed that ends a line.
    fn line_end(&mut self) -> Option<usize> {
        loop {
            let from = self.looked.max(self.whole);
            let at = from
                + self.text.get(from..)?.iter().position(|byte| *byte == b'\n').unwrap_or(usize::MAX - from);
            if at == usize::MAX {
                self.looked = self.text.len();
                return None;
            }
            self.looked = at + 1;
            let line = self.text.get(self.whole..at)?;
            let escapes = line.iter().rev().take_while(|byte| **byte == b'\\').count();
            if escapes.is_multiple_of(2) {
                return Some(at + 1);
            }
        }
    }

    /// A line ends here.
    fn line(&mut self, end: usize, now: Micros, done: &mut Vec<Batch>) {
        self.lines += 1;
        let is_row = !self.text.get(self.whole..end).unwrap_or_default().trim_ascii().is_empty();
        let mut end = end;
        if end > self.bytes_max && self.rows > 0 {
            end -= self.whole;
            done.extend(self.cut(self.whole));
        }
        self.whole = end;
        self.looked = self.looked.max(end);
        self.rows += u64::from(is_row);
        if is_row {
            self.since.get_or_insert(now);
        }
        if self.rows_max.is_some_and(|most| self.rows >= most) || self.whole >= self.bytes_max {
            done.extend(self.cut(self.whole));
        }
    }

    fn too_long(&mut self) -> BatchError {
        self.text.truncate(self.whole);
        BatchError::LineTooLong { line: self.lines + 1, most: self.most }
    }

    /// The text up to here as a frame; `None` if no row is in it.
    fn cut(&mut self, end: usize) -> Option<Batch> {
        let rest = self.text.split_off(end);
        let bytes = std::mem::replace(&mut self.text, rest);
        (self.whole, self.since) = (0, None);
        self.looked = self.looked.saturating_sub(end);
        let rows = std::mem::take(&mut self.rows);
        (rows > 0).then(|| Batch { bytes: bytes.into(), rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batcher(rows: u64, segment_bytes: u64) -> Batcher {
        let mut settings = Settings::new(["a"]);
        (settings.auto_flush_rows, settings.sf_max_segment_bytes) = (Some(rows), segment_bytes);
        Batcher::new(&settings)
    }

    /// Takes text with lines that are short enough.
    fn taken(batcher: &mut Batcher, text: &[u8], now: Micros) -> Vec<Batch> {
        let mut done = Vec::new();
        batcher.take(text, now, &mut done).expect("short lines");
        done
    }

    fn texts(batches: &[Batch]) -> Vec<(&str, u64)> {
        batches.iter().map(|batch| (std::str::from_utf8(&batch.bytes).expect("text"), batch.rows)).collect()
    }

    #[test]
    fn auto_flush_rows() {
        let mut batcher = batcher(2, 1 << 20);
        let done = taken(&mut batcher, b"a x=1 1\nb x=1 2\nc x=1 3\nd x", 0);
        assert_eq!(texts(&done), [("a x=1 1\nb x=1 2\n", 2)]);
        let done = taken(&mut batcher, b"=1 4\n\n", 0);
        assert_eq!(texts(&done), [("c x=1 3\nd x=1 4\n", 2)]);
        assert_eq!(batcher.finish(), None, "an empty line is no row");
    }

    #[test]
    fn auto_flush_interval_counts_from_the_first_row() {
        let mut batcher = batcher(9, 1 << 20);
        assert_eq!(taken(&mut batcher, b"a x=1 1\n", 500), []);
        assert_eq!(taken(&mut batcher, b"b x=1 2\nc", 900_000), []);
        assert_eq!(batcher.wakes_at(), Some(1_000_500));
        assert_eq!(batcher.due(1_000_499), None);
        assert_eq!(batcher.due(1_000_500).map(|batch| batch.rows), Some(2));
        assert_eq!(
            (batcher.wakes_at(), batcher.finish().map(|batch| batch.bytes)),
            (None, Some("c\n".into()))
        );
    }

    #[test]
    fn an_escaped_line_feed_ends_no_line() {
        let mut batcher = batcher(1, 1 << 20);
        let done = taken(&mut batcher, b"a s=\"one\\\ntwo\" 1\nb s=\"x\\\\\" 2\nc\\\\\n", 0);
        let expected = [("a s=\"one\\\ntwo\" 1\n", 1), ("b s=\"x\\\\\" 2\n", 1), ("c\\\\\n", 1)];
        assert_eq!(texts(&done), expected);
    }

    #[test]
    fn no_frame_is_larger_than_a_segment_takes() {
        let mut batcher = batcher(1_000, 32 + 20);
        let done = taken(&mut batcher, b"0123456\n0123456\n0123456\n0123456789012345678\n", 0);
        assert_eq!(texts(&done), [("0123456\n0123456\n", 2), ("0123456\n", 1), ("0123456789012345678\n", 1)]);
        let mut done = Vec::new();
        let error = batcher.take(b"ok\n01234567890123456789\nnever\n", 0, &mut done);
        assert_eq!(error, Err(BatchError::LineTooLong { line: 6, most: 20 }));
        assert_eq!(
            batcher.finish().map(|batch| batch.bytes),
            Some("ok\n".into()),
            "what came before is kept"
        );
        let endless = batcher.take(&[b'x'; 30], 0, &mut done);
        assert!(endless.is_err(), "a line without an end is not collected for ever");
    }

    proptest::proptest! {
        #[test]
        fn frames_are_the_text(text in "[ab\\\\\n]{0,200}", cuts in proptest::collection::vec(0_usize..40, 0..9)) {
            let mut batcher = batcher(3, 32 + 250);
            let (mut rest, mut all) = (text.as_bytes(), Vec::new());
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                all.extend(taken(&mut batcher, head, 0));
                rest = tail;
            }
            all.extend(taken(&mut batcher, rest, 0));
            all.extend(batcher.finish());
            let joined: Vec<u8> = all.iter().flat_map(|batch| batch.bytes.to_vec()).collect();
            let filled = |bytes: &[u8]| bytes.iter().copied().filter(|byte| *byte != b'\n').collect::<Vec<u8>>();
            proptest::prop_assert_eq!(filled(&joined), filled(text.as_bytes()));
            proptest::prop_assert!(all.iter().all(|batch| batch.bytes.ends_with(b"\n") && batch.rows <= 3));
        }
    }
}
