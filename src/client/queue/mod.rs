//! Store-and-forward: frames wait here until a server has acknowledged them.
//!
//! A frame gets a number when it is appended (FSN: from 0, without gaps, kept over reconnects and restarts) and stays
//! until [`ack`](Queue::ack) covers it. Frames lie in segments; what is acknowledged is let go segment by segment, and
//! capacity is counted in whole segments.
//!
//! In memory mode that is all. With a directory (a *slot*) the queue says what to do with files and never does it
//! itself: take a [`Batch`](Queue::take_batch), do its operations in order, then say [`done`](Queue::done). A frame is
//! [`stored`](Queue::stored) when the batch that wrote it is done; then it outlives the process. It outlives the
//! machine's loss of power once it is [`synced`](Queue::synced) (`sf_durability=periodic`).
//!
//! Files are those of QuestDB's own clients, byte for byte (`sf-<n>.sfa`, `sf-manifest.bin`, `.ack-watermark`); what
//! is in a frame is up to the protocol. One thing differs: before a segment is succeeded by the next one it is synced,
//! in every mode, so that a loss of power can only cost frames at the end and never leaves a gap.

mod ops;
mod orphans;
mod record;
mod recover;
mod segment;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

pub use ops::{FileOp, Finding, SlotError, SlotFiles};
pub use orphans::{FAILED_FILE, Sibling, failed_sentinel, orphans};

use bytes::Bytes;
use record::{Kind, Record};
use segment::{FLAGS_AT, FRAME_HEADER_LEN, FrameAt, HEADER_LEN, NEEDS_MANIFEST};
use std::collections::{BTreeMap, VecDeque};

/// Frames of a slot whose bytes are kept in memory as well, in bytes.
const CACHE_BYTES_MAX: usize = 8 << 20;
/// Frames that a disk has not taken yet, in bytes: beyond this the queue is full.
const UNSTORED_BYTES_MAX: usize = 32 << 20;

/// How much a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limits {
    /// `sf_max_segment_bytes`: length of a segment.
    pub segment_bytes: u64,
    /// `sf_max_total_bytes`: all segments together; at least two of them.
    pub total_bytes: u64,
}

impl Limits {
    /// The longest frame, in bytes: it has to fit in a segment.
    pub fn frame_bytes(&self) -> u64 {
        self.segment_bytes.saturating_sub(HEADER_LEN + FRAME_HEADER_LEN)
    }
}

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// No room until something is acknowledged.
    #[error("the queue is full")]
    Full,
    /// No room until the disk takes what is waiting.
    #[error("the disk does not keep up")]
    Disk,
    /// It does not fit in a segment, whatever is acknowledged.
    #[error("a frame of {len} bytes does not fit in a segment: at most {most}, see sf_max_segment_bytes")]
    TooLarge {
        /// Of the frame, in bytes.
        len: usize,
        /// That fit.
        most: u64,
    },
    /// Nothing to send.
    #[error("an empty frame")]
    Empty,
}

/// Where a frame's bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Payload {
    /// Here.
    Held(Bytes),
    /// In the slot: read them, then [`check`](Self::check).
    Stored {
        /// In the slot's directory.
        file: Box<str>,
        /// From the file's beginning, in bytes.
        at: u64,
        /// In bytes.
        len: u32,
        /// CRC-32C of length and payload.
        crc: u32,
    },
}

impl Payload {
    /// True if these bytes, as read from the slot, are the frame's.
    pub fn check(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Held(held) => held == bytes,
            Self::Stored { len, crc, .. } => {
                u32::try_from(bytes.len()) == Ok(*len) && segment::checksum(len.to_le_bytes(), bytes) == *crc
            }
        }
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Held(held) => held.len() as u64,
            Self::Stored { len, .. } => u64::from(*len),
        }
    }

    /// True if there is nothing in it; a queue takes none such.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A queue of frames.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Queue {
    limits: Limits,
    disk: Option<Disk>,
    segments: VecDeque<Segment>,
    /// FSN of the next frame.
    next: u64,
    /// All below are acknowledged.
    acked: u64,
    /// All below are on disk.
    stored: u64,
    /// All below are on stable storage.
    synced: u64,
    held: BTreeMap<u64, Bytes>,
    held_bytes: usize,
    /// Payloads between `acked` and `next`, in bytes.
    waiting_bytes: u64,
}

/// What is known of a slot, and what is to be done in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Disk {
    manifest: Option<Record>,
    watermark: Option<Record>,
    next_number: u64,
    /// The last segment has bytes that were not synced.
    dirty: bool,
    /// All frames below are synced by what is pending.
    sync_target: u64,
    pending: VecDeque<FileOp>,
    /// Operations that were handed out, and up to which frames are stored and synced when they are done.
    out: Option<(usize, u64, u64)>,
    unstored_bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Segment {
    name: Box<str>,
    base: u64,
    frames: Vec<FrameAt>,
    end: u64,
}

impl Segment {
    fn next(&self) -> u64 {
        self.base + self.frames.len() as u64
    }
}

impl Queue {
    /// A queue in memory.
    pub fn in_memory(limits: Limits) -> Self {
        Self {
            limits,
            disk: None,
            segments: VecDeque::new(),
            next: 0,
            acked: 0,
            stored: 0,
            synced: 0,
            held: BTreeMap::new(),
            held_bytes: 0,
            waiting_bytes: 0,
        }
    }

    /// A queue in a slot, with all that an earlier process left there. What had to be mended is in the findings; the
    /// operations that mend it come first in the next batch.
    ///
    /// # Errors
    /// [`SlotError`] if frames are missing, or if it can't be known that none are. Nothing is changed then.
    pub fn open(limits: Limits, files: &dyn SlotFiles) -> Result<(Self, Vec<Finding>), SlotError> {
        recover::open(limits, files)
    }

    /// Takes a frame and gives it its number. `made_us` is the wall clock's time, for the header of a segment.
    ///
    /// # Errors
    /// [`Refused`]; nothing has changed then.
    pub fn append(&mut self, payload: Bytes, made_us: i64) -> Result<u64, Refused> {
        let most = self.limits.frame_bytes();
        if payload.is_empty() {
            return Err(Refused::Empty);
        }
        if payload.len() as u64 > most || payload.len() > segment::PAYLOAD_MAX {
            return Err(Refused::TooLarge { len: payload.len(), most });
        }
        if self.disk.as_ref().is_some_and(|disk| disk.unstored_bytes > UNSTORED_BYTES_MAX) {
            return Err(Refused::Disk);
        }
        let need = FRAME_HEADER_LEN + payload.len() as u64;
        let fits = self.segments.back().is_some_and(|last| last.end + need <= self.limits.segment_bytes);
        if !fits {
            self.add_segment(made_us)?;
        }
        let (fsn, len) = (self.next, payload.len());
        let (bytes, crc) = segment::frame(&payload);
        if let Some(last) = self.segments.back_mut() {
            if let Some(disk) = &mut self.disk {
                disk.write(&last.name, last.end, bytes);
                disk.dirty = true;
                disk.unstored_bytes += len;
            }
            let at = FrameAt { at: last.end + FRAME_HEADER_LEN, len: len as u32, crc };
            last.end = at.end();
            last.frames.push(at);
        }
        self.next += 1;
        self.waiting_bytes += len as u64;
        if self.disk.is_none() {
            (self.stored, self.synced) = (self.next, self.next);
        }
        if self.disk.is_none() || self.held_bytes + len <= CACHE_BYTES_MAX {
            self.held_bytes += len;
            self.held.insert(fsn, payload);
        }
        Ok(fsn)
    }

    /// All frames below `below` are acknowledged: they are let go, and segments of them are freed.
    pub fn ack(&mut self, below: u64) {
        let below = below.min(self.next);
        if below <= self.acked {
            return;
        }
        let freed: u64 =
            (self.acked..below).filter_map(|fsn| self.frame(fsn)).map(|at| u64::from(at.len)).sum();
        self.waiting_bytes = self.waiting_bytes.saturating_sub(freed);
        let rest = self.held.split_off(&below);
        let gone: usize = self.held.values().map(Bytes::len).sum();
        self.held = rest;
        self.held_bytes -= gone;
        self.acked = below;
        if let Some(disk) = &mut self.disk {
            disk.remember_ack(below);
        }
        self.trim();
    }

    /// The operations to do next, in this order; `None` if there are none, or while earlier ones are not
    /// [`done`](Self::done).
    pub fn take_batch(&mut self) -> Option<Vec<FileOp>> {
        let next = self.next;
        let disk = self.disk.as_mut()?;
        if disk.out.is_some() || disk.pending.is_empty() {
            return None;
        }
        disk.out = Some((disk.pending.len(), next, disk.sync_target));
        Some(disk.pending.iter().cloned().collect())
    }

    /// The first `count` operations of the batch are done. If these are not all, the rest comes again.
    pub fn done(&mut self, count: usize) {
        let Some(disk) = &mut self.disk else { return };
        let Some((all, stored, synced)) = disk.out.take() else { return };
        for _ in 0..count.min(all) {
            disk.pending.pop_front();
        }
        if count >= all {
            self.stored = self.stored.max(stored);
            self.synced = self.synced.max(synced);
            let waiting = disk.pending.iter().map(|op| match op {
                FileOp::Write { bytes, .. } => bytes.len(),
                _ => 0,
            });
            disk.unstored_bytes = waiting.sum();
        }
    }

    /// Has everything that is stored put on stable storage with the next batch.
    pub fn checkpoint(&mut self) {
        let (Some(disk), Some(last)) = (&mut self.disk, self.segments.back()) else { return };
        if std::mem::take(&mut disk.dirty) {
            disk.sync_target = self.next;
            disk.pending.push_back(FileOp::Sync { name: last.name.clone() });
        }
    }

    /// Leaves nothing behind if all is acknowledged: the next process finds a fresh slot. Else nothing happens.
    pub fn clear(&mut self) {
        if self.acked < self.next {
            return;
        }
        let Some(disk) = &mut self.disk else { return };
        if let Some(last) = self.segments.back() {
            disk.set_bounds(last.base, last.base);
        }
        let had = !self.segments.is_empty();
        for segment in self.segments.drain(..) {
            disk.pending.push_back(FileOp::Remove { name: segment.name });
        }
        if had {
            disk.pending.push_back(FileOp::SyncDir);
        }
        for record in
            [disk.manifest.take().map(|_| Kind::Manifest), disk.watermark.take().map(|_| Kind::Watermark)]
        {
            disk.pending.extend(record.map(|kind| FileOp::Remove { name: kind.file().into() }));
        }
        disk.dirty = false;
    }

    /// A frame's bytes; `None` if it was acknowledged, or is not there yet.
    pub fn payload(&self, fsn: u64) -> Option<Payload> {
        if fsn < self.acked {
            return None;
        }
        if let Some(held) = self.held.get(&fsn) {
            return Some(Payload::Held(held.clone()));
        }
        let segment = self.segment_of(fsn)?;
        let FrameAt { at, len, crc } = self.frame(fsn)?;
        Some(Payload::Stored { file: segment.name.clone(), at, len, crc })
    }

    /// FSN of the next frame: all below were appended.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// All below are acknowledged.
    pub fn acked(&self) -> u64 {
        self.acked
    }

    /// All below outlive the process; in memory mode all.
    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// All below outlive a loss of power; in memory mode this says nothing.
    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// Frames that wait for their acknowledgement.
    pub fn depth(&self) -> u64 {
        self.next - self.acked
    }

    /// The same in bytes, without headers.
    pub fn depth_bytes(&self) -> u64 {
        self.waiting_bytes
    }

    /// Capacity in use, in bytes: whole segments.
    pub fn allocated_bytes(&self) -> u64 {
        self.limits.segment_bytes.saturating_mul(self.segments.len() as u64)
    }

    /// True if the queue keeps its frames in a slot.
    pub fn is_on_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// True if there is something to be done in the slot.
    pub fn has_work(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| !disk.pending.is_empty())
    }

    fn segment_of(&self, fsn: u64) -> Option<&Segment> {
        let at = self.segments.partition_point(|segment| segment.next() <= fsn);
        self.segments.get(at).filter(|segment| segment.base <= fsn)
    }

    fn frame(&self, fsn: u64) -> Option<FrameAt> {
        let segment = self.segment_of(fsn)?;
        segment.frames.get(usize::try_from(fsn - segment.base).ok()?).copied()
    }

    fn add_segment(&mut self, made_us: i64) -> Result<(), Refused> {
        if self.allocated_bytes() + self.limits.segment_bytes > self.limits.total_bytes {
            return Err(Refused::Full);
        }
        let base = self.next;
        let mut name = "".into();
        if let Some(disk) = &mut self.disk {
            let head = self.segments.front().map_or(base, |first| first.base);
            name = disk.add_segment(self.segments.back(), head, base, self.limits.segment_bytes, made_us);
        }
        self.segments.push_back(Segment { name, base, frames: Vec::new(), end: HEADER_LEN });
        // The one before it may have been kept for being the last.
        self.trim();
        Ok(())
    }

    /// Frees segments of which every frame is acknowledged, but for the one that is appended to.
    fn trim(&mut self) {
        let is_done = |segment: &Segment| segment.next() <= self.acked;
        let last = self.segments.len().saturating_sub(1);
        let count = self.segments.iter().take(last).take_while(|segment| is_done(segment)).count();
        if count == 0 {
            return;
        }
        let gone: Vec<Segment> = self.segments.drain(..count).collect();
        let (Some(head), Some(last)) = (self.segments.front(), self.segments.back()) else { return };
        if let Some(disk) = &mut self.disk {
            disk.remove_segments(gone, head.base, last.base);
        }
    }
}

impl Disk {
    fn write(&mut self, name: &str, at: u64, bytes: Bytes) {
        self.pending.push_back(FileOp::Write { name: name.into(), at, bytes });
    }

    /// The segment, then the manifest that names it: a manifest never names one that is not there.
    fn add_segment(
        &mut self,
        last: Option<&Segment>,
        head: u64,
        base: u64,
        len: u64,
        made_us: i64,
    ) -> Box<str> {
        if let Some(last) = last.filter(|_| self.dirty) {
            self.pending.push_back(FileOp::Sync { name: last.name.clone() });
        }
        let name = segment::file_name(self.next_number);
        self.next_number += 1;
        // The first one comes before the manifest, and needs it from when it is there.
        let is_first = self.manifest.is_none();
        let flags = if is_first { 0 } else { NEEDS_MANIFEST };
        self.pending.push_back(FileOp::Create { name: name.clone(), len });
        self.write(&name, 0, segment::header(base, made_us, flags));
        self.pending.extend([FileOp::Sync { name: name.clone() }, FileOp::SyncDir]);
        self.set_bounds(head, base);
        if is_first {
            self.write(&name, FLAGS_AT, Bytes::from_static(&[NEEDS_MANIFEST]));
            self.pending.push_back(FileOp::Sync { name: name.clone() });
        }
        (self.dirty, self.sync_target) = (false, base);
        name
    }

    /// What was acknowledged is on stable storage before anything goes, and so is the manifest that no longer needs it.
    fn remove_segments(&mut self, gone: Vec<Segment>, head: u64, last: u64) {
        if self.watermark.is_some() {
            self.pending.extend([FileOp::Sync { name: Kind::Watermark.file().into() }, FileOp::SyncDir]);
        }
        self.set_bounds(head, last);
        self.pending.extend(gone.into_iter().map(|segment| FileOp::Remove { name: segment.name }));
    }

    fn remember_ack(&mut self, below: u64) {
        let fsn = i64::try_from(below).unwrap_or(i64::MAX) - 1;
        if self.watermark.is_none() {
            self.pending.push_back(Record::create(Kind::Watermark));
        }
        let record = self.watermark.get_or_insert_with(|| Record::none(Kind::Watermark));
        let update = record.update(fsn, 0);
        self.pending.push_back(update);
    }

    /// Has the manifest say this, on stable storage.
    fn set_bounds(&mut self, head: u64, last: u64) {
        let [head, last] = [head, last].map(|base| i64::try_from(base).unwrap_or(i64::MAX));
        let is_new = self.manifest.is_none();
        if is_new {
            self.pending.push_back(Record::create(Kind::Manifest));
        }
        let record = self.manifest.get_or_insert_with(|| Record::none(Kind::Manifest));
        if (record.first, record.second) == (head, last) {
            return;
        }
        let update = record.update(head, last);
        self.pending.extend([update, FileOp::Sync { name: Kind::Manifest.file().into() }]);
        self.pending.extend(is_new.then_some(FileOp::SyncDir));
    }
}
