//! Opening a slot: what is there, whether it is all, and what to mend.

use super::ops::{FileOp, Finding, SlotError, SlotFiles};
use super::record::{FILE_LEN, Kind, Record};
use super::segment::{self, FLAGS_AT, NEEDS_MANIFEST, NoSegment, Scan};
use super::{Disk, Limits, Queue, Segment};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// A segment's file.
struct Found {
    name: Box<str>,
    scan: Scan,
}

impl Found {
    fn next(&self) -> u64 {
        self.scan.base + self.scan.frames.len() as u64
    }
}

/// All that is in the slot.
struct Slot {
    segments: Vec<Found>,
    /// With why.
    corrupt: Vec<(Box<str>, Box<str>)>,
    /// Made, and nothing written to them.
    blank: Vec<Box<str>>,
    manifest: Option<Record>,
    /// There is a file of that name without a valid record.
    bad_manifest: bool,
    watermark: Option<Record>,
    has_watermark: bool,
    next_number: u64,
}

pub(super) fn open(limits: Limits, files: &dyn SlotFiles) -> Result<(Queue, Vec<Finding>), SlotError> {
    let slot = read(files)?;
    let mut mend = Mend { ops: VecDeque::new(), findings: Vec::new() };
    let (keep, drop) = choose(slot.segments, slot.manifest.as_ref(), &slot.corrupt)?;
    for (file, why) in slot.corrupt {
        mend.set_aside(file, why);
    }
    mend.ops.extend(slot.blank.into_iter().map(|name| FileOp::Remove { name }));
    if slot.bad_manifest {
        mend.set_aside(Kind::Manifest.file().into(), "no valid record".into());
    }
    let fresh = keep.is_empty();
    for found in &keep {
        mend.cut(found);
    }
    for found in drop {
        mend.let_go(found);
    }
    let (mut manifest, mut watermark) = (slot.manifest, slot.watermark);
    if fresh {
        let files = [manifest.take().map(|_| Kind::Manifest), slot.has_watermark.then_some(Kind::Watermark)];
        mend.ops.extend(files.into_iter().flatten().map(|kind| FileOp::Remove { name: kind.file().into() }));
        watermark = None;
    } else if slot.has_watermark && watermark.is_none() {
        // Made, and never written: it says nothing.
        mend.ops.push_back(FileOp::Remove { name: Kind::Watermark.file().into() });
    }
    let needs = keep.iter().filter(|found| !found.scan.needs_manifest).map(|found| found.name.clone());
    let needs: Vec<Box<str>> = needs.collect();
    let segments: VecDeque<Segment> = keep.into_iter().map(kept).collect();
    let bounds = segments.front().zip(segments.back()).map(|(first, last)| (first.base, last.base));
    let next = segments.back().map_or(0, Segment::next);
    let head = bounds.map_or(0, |(head, _)| head);
    let believed = believed(watermark.as_ref(), head, next);
    let mut disk = Disk {
        manifest,
        watermark,
        next_number: slot.next_number,
        // What an earlier process wrote last may not be on stable storage.
        dirty: bounds.is_some(),
        sync_target: 0,
        pending: mend.ops,
        out: None,
        unstored_bytes: 0,
    };
    if let Some((head, last)) = bounds {
        disk.set_bounds(head, last);
    }
    if let (None, Some(record)) = (believed, watermark) {
        mend.findings.push(Finding::WatermarkIgnored { fsn: record.first });
        // Else it would be believed as soon as there are as many frames again.
        disk.remember_ack(head);
        disk.pending.push_back(FileOp::Sync { name: Kind::Watermark.file().into() });
    }
    for name in needs {
        disk.write(&name, FLAGS_AT, Bytes::from_static(&[NEEDS_MANIFEST]));
        disk.pending.push_back(FileOp::Sync { name });
    }
    let mut queue = Queue { disk: Some(disk), segments, next, stored: next, ..Queue::in_memory(limits) };
    let waiting = (head..next).filter_map(|fsn| queue.frame(fsn));
    queue.waiting_bytes = waiting.map(|at| u64::from(at.len)).sum();
    queue.acked = head;
    queue.begin_at(believed.unwrap_or(head));
    Ok((queue, mend.findings))
}

impl Queue {
    /// What the watermark says is acknowledged, without writing it again.
    fn begin_at(&mut self, acked: u64) {
        let gone = (self.acked..acked).filter_map(|fsn| self.frame(fsn)).map(|at| u64::from(at.len));
        self.waiting_bytes -= gone.sum::<u64>();
        self.acked = acked;
        self.trim();
    }
}

/// The operations that mend a slot, and what to tell of them.
struct Mend {
    ops: VecDeque<FileOp>,
    findings: Vec<Finding>,
}

impl Mend {
    fn set_aside(&mut self, file: Box<str>, why: Box<str>) {
        self.ops.push_back(FileOp::Rename { from: file.clone(), to: format!("{file}.corrupt").into() });
        self.findings.push(Finding::SetAside { file, why });
    }

    /// Zeros over what is not whole: a frame of the same length, appended there, could make what lies behind it valid.
    fn cut(&mut self, found: &Found) {
        if found.scan.torn == 0 {
            return;
        }
        let (file, offset, bytes) = (found.name.clone(), found.scan.end, found.scan.torn);
        self.ops.push_back(FileOp::Zero { name: file.clone(), at: offset, len: bytes });
        self.ops.push_back(FileOp::Sync { name: file.clone() });
        self.findings.push(Finding::TornTail { file, offset, bytes });
    }

    fn let_go(&mut self, found: Found) {
        if found.scan.torn > 0 && found.scan.frames.is_empty() {
            self.set_aside(found.name, "a frame that is not whole, in a segment that is not needed".into());
        } else {
            self.ops.push_back(FileOp::Remove { name: found.name });
        }
    }
}

fn kept(found: Found) -> Segment {
    Segment { name: found.name, base: found.scan.base, frames: found.scan.frames, end: found.scan.end }
}

/// Up to where frames are acknowledged; `None` if the watermark is above all frames: believing it would drop frames that
/// nobody acknowledged.
fn believed(watermark: Option<&Record>, head: u64, next: u64) -> Option<u64> {
    let Some(record) = watermark else { return Some(head) };
    let below = u64::try_from(record.first.saturating_add(1)).unwrap_or(0);
    (below <= next).then(|| below.max(head))
}

fn read(files: &dyn SlotFiles) -> Result<Slot, SlotError> {
    let listed = files.list().map_err(|what| SlotError::Unreadable { file: ".".into(), what })?;
    // In the order of their names, however the disk lists them.
    let listed: BTreeMap<Box<str>, u64> = listed.into_iter().collect();
    let (mut segments, mut corrupt, mut blank, mut next_number) = (Vec::new(), Vec::new(), Vec::new(), 1);
    for (name, len) in listed.iter().filter(|(name, _)| name.ends_with(".sfa")) {
        next_number = next_number.max(segment::number(name).saturating_add(1));
        match segment::scan(files, name, *len) {
            Ok(scan) if scan.qwp => {
                let what = "holds frames of QWP, which only a client for ws:: can send".into();
                return Err(SlotError::Unsupported { file: name.clone(), what });
            }
            Ok(scan) => segments.push(Found { name: name.clone(), scan }),
            Err(NoSegment::Blank) => blank.push(name.clone()),
            Err(NoSegment::Corrupt(why)) => corrupt.push((name.clone(), why)),
            Err(NoSegment::Fatal(error)) => return Err(error),
        }
    }
    let record = |kind: Kind| match listed.get(kind.file()) {
        Some(&FILE_LEN) => {
            let bytes = files.read(kind.file(), 0, FILE_LEN as usize);
            let file = kind.file().into();
            let bytes = bytes.map_err(|what| SlotError::Unreadable { file, what })?;
            Ok((true, Record::read(kind, &bytes)))
        }
        other => Ok((other.is_some(), None)),
    };
    let (has_manifest, manifest) = record(Kind::Manifest)?;
    let (has_watermark, watermark) = record(Kind::Watermark)?;
    let bad_manifest = has_manifest && manifest.is_none();
    Ok(Slot { segments, corrupt, blank, manifest, bad_manifest, watermark, has_watermark, next_number })
}

type Chosen = (Vec<Found>, Vec<Found>);

/// The segments to keep, in order and without a gap, and those that are not needed.
fn choose(
    segments: Vec<Found>,
    manifest: Option<&Record>,
    corrupt: &[(Box<str>, Box<str>)],
) -> Result<Chosen, SlotError> {
    let gap = |what: String| SlotError::Gap { what: what.into() };
    let Some(manifest) = manifest else {
        if let Some(found) = segments.iter().find(|found| found.scan.needs_manifest) {
            return Err(gap(format!("{} needs sf-manifest.bin, which is missing or damaged", found.name)));
        }
        let (mut keep, drop): Chosen = segments.into_iter().partition(|found| !found.scan.frames.is_empty());
        keep.sort_by_key(|found| found.scan.base);
        contiguous(&keep)?;
        return Ok((keep, drop));
    };
    let (head, last) = (manifest.first.unsigned_abs(), manifest.second.unsigned_abs());
    let (mut keep, mut drop) = (Vec::new(), Vec::new());
    let mut empty: Option<Found> = None;
    for found in segments {
        let (base, is_empty) = (found.scan.base, found.scan.frames.is_empty());
        if is_empty && base == last && empty.as_ref().is_none_or(|known| known.scan.torn == 0) {
            drop.extend(empty.replace(found));
        } else if is_empty || base < head && found.next() <= head {
            drop.push(found);
        } else if base < head {
            return Err(gap(format!("{} reaches over the oldest frame that is needed, {head}", found.name)));
        } else if base > last {
            return Err(gap(format!("{} begins behind the last segment known, at {base}", found.name)));
        } else {
            keep.push(found);
        }
    }
    keep.sort_by_key(|found| found.scan.base);
    contiguous(&keep)?;
    match (keep.first(), keep.last(), empty) {
        // The last one has frames.
        (Some(first), Some(end), spare) if first.scan.base == head && end.scan.base == last => {
            drop.extend(spare);
            Ok((keep, drop))
        }
        // The last one has none yet.
        (Some(first), Some(end), Some(empty))
            if first.scan.base == head && end.next() == last && corrupt.is_empty() =>
        {
            keep.push(empty);
            Ok((keep, drop))
        }
        (None, None, Some(empty)) if head == last && corrupt.is_empty() => Ok((vec![empty], drop)),
        (None, None, None) if head == last && corrupt.is_empty() => Ok((Vec::new(), drop)),
        (first, end, _) => {
            let there = first.zip(end).map(|(first, end)| format!("{} to {}", first.scan.base, end.next()));
            let there = there.unwrap_or_else(|| "none".into());
            let why = corrupt.first().map(|(file, why)| format!("; {file}: {why}")).unwrap_or_default();
            Err(gap(format!("segments from {head} to {last} are needed, there are {there}{why}")))
        }
    }
}

fn contiguous(segments: &[Found]) -> Result<(), SlotError> {
    for pair in segments.windows(2) {
        let [one, two] = pair else { continue };
        if one.next() != two.scan.base {
            let what = format!(
                "{} ends before frame {}, {} begins with {}",
                one.name,
                one.next(),
                two.name,
                two.scan.base
            );
            return Err(SlotError::Gap { what: what.into() });
        }
    }
    Ok(())
}
