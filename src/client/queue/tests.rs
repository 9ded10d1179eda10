use super::record::FILE_LEN;
use super::*;
use std::collections::BTreeMap;

/// A slot in memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Shelf(pub(super) BTreeMap<Box<str>, Vec<u8>>);

impl SlotFiles for Shelf {
    fn list(&self) -> Result<Vec<(Box<str>, u64)>, Box<str>> {
        Ok(self.0.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect())
    }

    fn read(&self, name: &str, at: u64, len: usize) -> Result<Bytes, Box<str>> {
        let file = self.0.get(name).ok_or("no such file")?;
        Ok(Bytes::copy_from_slice(file.get(at as usize..at as usize + len).ok_or("behind the end")?))
    }
}

impl Shelf {
    pub(super) fn perform(&mut self, op: &FileOp) {
        match op {
            FileOp::Create { name, len } => _ = self.0.insert(name.clone(), vec![0; *len as usize]),
            FileOp::Write { name, at, bytes } => {
                let file = self.0.get_mut(name).expect("a write to a file that is there");
                let end = *at as usize + bytes.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[*at as usize..end].copy_from_slice(bytes);
            }
            FileOp::Zero { name, at, len } => {
                let file = self.0.get_mut(name).expect("zeros into a file that is there");
                file[*at as usize..(*at + *len) as usize].fill(0);
            }
            FileOp::Sync { name } => {
                assert!(self.0.contains_key(name), "a sync of {name}, which is not there")
            }
            FileOp::SyncDir => {}
            FileOp::Rename { from, to } => {
                let file = self.0.remove(from).expect("a file to rename");
                self.0.insert(to.clone(), file);
            }
            FileOp::Remove { name } => _ = self.0.remove(name),
        }
    }

    /// Does all that the queue asks for.
    pub(super) fn settle(&mut self, queue: &mut Queue) {
        while let Some(ops) = queue.take_batch() {
            ops.iter().for_each(|op| self.perform(op));
            queue.done(ops.len());
        }
    }

    fn segments(&self) -> Vec<&str> {
        self.0.keys().map(|name| &**name).filter(|name| name.ends_with(".sfa")).collect()
    }
}

pub(super) const SMALL: Limits = Limits { segment_bytes: 64, total_bytes: 256 };

fn open(shelf: &Shelf) -> (Queue, Vec<Finding>) {
    Queue::open(SMALL, shelf).expect("a sound slot")
}

/// The bytes of all frames that wait.
pub(super) fn waiting(queue: &Queue, shelf: &Shelf) -> Vec<Vec<u8>> {
    let bytes = |fsn| match queue.payload(fsn).expect("a frame that waits") {
        Payload::Held(bytes) => bytes.to_vec(),
        stored @ Payload::Stored { .. } => {
            let Payload::Stored { file, at, len, .. } = &stored else { unreachable!() };
            let bytes = shelf.read(file, *at, *len as usize).expect("stored");
            assert!(stored.check(&bytes), "frame {fsn} is what it was");
            bytes.to_vec()
        }
    };
    (queue.acked()..queue.next()).map(bytes).collect()
}

fn append(queue: &mut Queue, text: &'static str) -> u64 {
    queue.append(Bytes::from_static(text.as_bytes()), 0).expect("room")
}

#[test]
fn frames_are_numbered_from_0_and_kept_until_acknowledged() {
    let mut queue = Queue::in_memory(SMALL);
    assert_eq!(
        [append(&mut queue, "one"), append(&mut queue, "two"), append(&mut queue, "three")],
        [0, 1, 2]
    );
    assert_eq!((queue.depth(), queue.depth_bytes(), queue.stored()), (3, 11, 3));
    queue.ack(2);
    assert_eq!((queue.acked(), queue.depth(), queue.depth_bytes()), (2, 1, 5));
    assert_eq!(queue.payload(1), None);
    assert_eq!(queue.payload(2), Some(Payload::Held("three".into())));
    queue.ack(1);
    assert_eq!(queue.acked(), 2, "an older acknowledgement changes nothing");
    queue.ack(99);
    assert_eq!((queue.acked(), queue.depth_bytes()), (3, 0), "one of a frame that is not there neither");
}

#[test]
fn hard_cap_is_counted_in_segments_and_trim_frees_them() {
    let mut queue = Queue::in_memory(SMALL);
    let frame = Bytes::from_static(&[7; 32]);
    for _ in 0..4 {
        queue.append(frame.clone(), 0).expect("four segments of one frame");
    }
    assert_eq!(queue.append(frame.clone(), 0), Err(Refused::Full));
    queue.ack(1);
    assert_eq!(queue.allocated_bytes(), 192);
    assert_eq!(queue.append(frame, 0), Ok(4));
}

#[test]
fn a_frame_that_never_fits_is_told_at_once() {
    let mut queue = Queue::in_memory(SMALL);
    assert_eq!(queue.append(Bytes::from_static(&[7; 33]), 0), Err(Refused::TooLarge { len: 33, most: 32 }));
    assert_eq!(queue.append(Bytes::new(), 0), Err(Refused::Empty));
}

#[test]
fn a_restart_finds_what_was_not_acknowledged() {
    let (mut shelf, mut queue) = (Shelf::default(), open(&Shelf::default()).0);
    for text in ["one", "two", "three", "four", "five", "six"] {
        append(&mut queue, text);
    }
    assert_eq!(queue.stored(), 0, "nothing is stored before the disk said so");
    shelf.settle(&mut queue);
    assert_eq!(queue.stored(), 6);
    queue.ack(2);
    shelf.settle(&mut queue);
    let (again, findings) = open(&shelf);
    assert_eq!(findings, []);
    assert_eq!((again.acked(), again.next()), (2, 6), "the watermark is believed");
    assert_eq!(waiting(&again, &shelf), [&b"three"[..], b"four", b"five", b"six"]);
}

#[test]
fn without_a_watermark_the_oldest_segment_is_sent_again() {
    let (mut shelf, mut queue) = (Shelf::default(), open(&Shelf::default()).0);
    ["one", "two", "three"].iter().for_each(|text| _ = append(&mut queue, text));
    shelf.settle(&mut queue);
    queue.ack(2);
    shelf.settle(&mut queue);
    shelf.0.remove(".ack-watermark");
    assert_eq!(open(&shelf).0.acked(), 0);
}

#[test]
fn a_watermark_above_all_frames_is_not_believed() {
    let (mut shelf, mut queue) = (Shelf::default(), open(&Shelf::default()).0);
    append(&mut queue, "one");
    shelf.settle(&mut queue);
    let mut record = Record::none(Kind::Watermark);
    shelf.perform(&Record::create(Kind::Watermark));
    shelf.perform(&record.update(7, 0));
    let (again, findings) = open(&shelf);
    assert_eq!((again.acked(), again.depth()), (0, 1));
    assert_eq!(findings, [Finding::WatermarkIgnored { fsn: 7 }]);
}

#[test]
fn a_torn_tail_is_cut_and_what_lay_behind_it_never_comes_back() {
    let (mut shelf, mut queue) = (Shelf::default(), open(&Shelf::default()).0);
    ["one", "two", "three"].iter().for_each(|text| _ = append(&mut queue, text));
    shelf.settle(&mut queue);
    let name = shelf.segments()[0].to_owned();
    // A loss of power took the second frame, not the third.
    shelf.0.get_mut(&*name).expect("the segment")[24 + 11 + 8] ^= 1;
    let (mut again, findings) = open(&shelf);
    assert_eq!(findings, [Finding::TornTail { file: name.into(), offset: 35, bytes: 24 }]);
    assert_eq!(waiting(&again, &shelf), [b"one"]);
    // A frame of the same length would make the third one valid again.
    append(&mut again, "TWO");
    shelf.settle(&mut again);
    assert_eq!(waiting(&open(&shelf).0, &shelf), [b"one", b"TWO"]);
}

#[test]
fn gap_between_segments_is_fatal_and_touches_nothing() {
    let (mut shelf, mut queue) = (Shelf::default(), open(&Shelf::default()).0);
    for _ in 0..3 {
        queue.append(Bytes::from_static(&[7; 32]), 0).expect("room");
    }
    shelf.settle(&mut queue);
    let names: Vec<String> = shelf.segments().into_iter().map(Into::into).collect();
    for name in names {
        let mut damaged = shelf.clone();
        damaged.0.remove(&*name);
        let error = Queue::open(SMALL, &damaged).expect_err("frames are missing");
        assert!(matches!(error, SlotError::Gap { .. }), "{error}");
        // A header that can't be read is the same.
        let mut damaged = shelf.clone();
        damaged.0.get_mut(&*name).expect("the segment")[0] ^= 1;
        assert!(Queue::open(SMALL, &damaged).is_err());
    }
}

#[test]
fn a_slot_without_its_manifest_is_refused() {
    let (mut shelf, mut queue) = (Shelf::default(), open(&Shelf::default()).0);
    append(&mut queue, "one");
    shelf.settle(&mut queue);
    shelf.0.remove("sf-manifest.bin");
    assert!(matches!(Queue::open(SMALL, &shelf), Err(SlotError::Gap { .. })));
}

#[test]
fn a_slot_of_the_older_format_is_taken_over() {
    let mut shelf = Shelf::default();
    let mut bytes = segment::header(42, 7, 0).to_vec();
    bytes.extend_from_slice(&segment::frame(b"one").0);
    bytes.resize(64, 0);
    shelf.0.insert("sf-initial.sfa".into(), bytes);
    let (mut queue, _) = open(&shelf);
    assert_eq!((queue.acked(), queue.next()), (42, 43));
    shelf.settle(&mut queue);
    let (again, findings) = open(&shelf);
    assert_eq!((waiting(&again, &shelf), findings), (vec![b"one".to_vec()], vec![]));
}

#[test]
fn frames_of_qwp_are_left_to_a_client_that_speaks_it() {
    let mut shelf = Shelf::default();
    let mut bytes = segment::header(0, 7, 0).to_vec();
    bytes.extend_from_slice(&segment::frame(b"QWP1\x01").0);
    bytes.resize(64, 0);
    shelf.0.insert("sf-initial.sfa".into(), bytes);
    assert!(matches!(Queue::open(SMALL, &shelf), Err(SlotError::Unsupported { .. })));
}

#[test]
fn a_drained_slot_is_left_empty() {
    let (mut shelf, mut queue) = (Shelf::default(), open(&Shelf::default()).0);
    append(&mut queue, "one");
    queue.clear();
    shelf.settle(&mut queue);
    assert_eq!(shelf.segments().len(), 1, "not before all is acknowledged");
    queue.ack(1);
    queue.clear();
    shelf.settle(&mut queue);
    assert_eq!(shelf.0.keys().collect::<Vec<_>>(), Vec::<&Box<str>>::new());
    append(&mut queue, "two");
    shelf.settle(&mut queue);
    assert_eq!(waiting(&open(&shelf).0, &shelf), [b"two"], "and can be used again");
}

#[test]
fn what_the_disk_did_not_do_comes_again() {
    let (mut shelf, mut queue) = (Shelf::default(), open(&Shelf::default()).0);
    append(&mut queue, "one");
    let ops = queue.take_batch().expect("work");
    assert_eq!(queue.take_batch(), None, "one batch at a time");
    shelf.perform(&ops[0]);
    queue.done(1);
    assert_eq!(queue.stored(), 0);
    let rest = queue.take_batch().expect("the rest");
    assert_eq!(rest, ops[1..]);
    rest.iter().for_each(|op| shelf.perform(op));
    queue.done(rest.len());
    assert_eq!(queue.stored(), 1);
}

#[test]
fn periodic_checkpoints_put_frames_on_stable_storage() {
    let (mut shelf, mut queue) = (Shelf::default(), open(&Shelf::default()).0);
    append(&mut queue, "one");
    queue.checkpoint();
    append(&mut queue, "two");
    shelf.settle(&mut queue);
    assert_eq!((queue.stored(), queue.synced()), (2, 1));
    queue.checkpoint();
    shelf.settle(&mut queue);
    assert_eq!(queue.synced(), 2);
    queue.checkpoint();
    assert!(!queue.has_work(), "nothing new");
}

#[test]
fn no_single_damaged_byte_makes_it_panic_or_drops_frames_silently() {
    let (mut shelf, mut queue) = (Shelf::default(), open(&Shelf::default()).0);
    for _ in 0..3 {
        queue.append(Bytes::from_static(&[7; 32]), 0).expect("room");
    }
    shelf.settle(&mut queue);
    queue.ack(1);
    shelf.settle(&mut queue);
    for name in shelf.0.keys().cloned().collect::<Vec<_>>() {
        for at in 0..shelf.0[&name].len().min(FILE_LEN as usize) {
            let mut damaged = shelf.clone();
            damaged.0.get_mut(&name).expect("the file")[at] ^= 0x81;
            let Ok((mut again, findings)) = Queue::open(SMALL, &damaged) else { continue };
            damaged.settle(&mut again);
            let kept = waiting(&again, &damaged).len();
            // Only the frame at the end can be taken for a torn one.
            assert!(kept >= 2 || kept == 1 && !findings.is_empty(), "{name} at {at}: {kept} {findings:?}");
        }
    }
}
