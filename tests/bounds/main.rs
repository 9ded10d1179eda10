//! What decoders allocate stays a multiple of what they are given, whatever the bytes promise.
//!
//! A program of its own: it counts every allocation.
#![cfg(not(target_arch = "wasm32"))]
#![allow(unsafe_code, reason = "a counting allocator has to implement an unsafe trait")]

#[path = "../common/mod.rs"]
mod common;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use understudy::wal::{
    MemoryFiles, RawEvent, Registry, SequencerLog, SequencerMeta, TableMeta, decode_change,
    read_clean_symbols,
};

/// Bytes allocated at the same time, per byte of input. A new symbol of 8 bytes becomes a `String`,
/// a column without a name in a registry becomes a token: both are within it.
const MULTIPLE: usize = 16;
/// The same for a short input, whose error message is longer than itself.
const AT_LEAST: usize = 4096;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promise is the one that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Most bytes that `run` has allocated at the same time. Nothing else may run meanwhile, so this
/// program has one test.
fn peak_of<T>(run: impl FnOnce() -> T) -> usize {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    drop(run());
    PEAK.load(Relaxed) - before
}

fn check(what: &str, input: usize, peak: usize) {
    check_within(MULTIPLE, what, input, peak);
}

fn check_within(multiple: usize, what: &str, input: usize, peak: usize) {
    let most = (input * multiple).max(AT_LEAST);
    assert!(peak <= most, "{what}: {peak} bytes allocated for {input} bytes");
}

fn decode_all(bytes: &[u8]) {
    let raw = RawEvent { file: "f".to_owned(), offset: 8, bytes: bytes.to_vec().into() };
    let mut files = MemoryFiles::default();
    for path in ["t/txn_seq/_txnlog", "t/wal1/s.o", "t/wal1/s.c"] {
        files.insert(path, bytes.to_vec());
    }
    let len = bytes.len();
    check("registry", len, peak_of(|| Registry::decode("f", bytes)));
    check("sequencer metadata", len, peak_of(|| SequencerMeta::decode("f", bytes)));
    check("table metadata", len, peak_of(|| TableMeta::decode("f", bytes)));
    check("structural change", len, peak_of(|| decode_change("f", 0, bytes)));
    check("event", len, peak_of(|| raw.decode(0)));
    let log = || SequencerLog::open(&files, "t")?.records(&files, 1..=u64::MAX);
    check("sequencer log", len, peak_of(log));
    check("symbols", 2 * len, peak_of(|| read_clean_symbols(&files, "t", 1, "s", u32::MAX)));
    check("symbols", 2 * len, peak_of(|| read_clean_symbols(&files, "t", 1, "s", (len / 8) as u32)));
    #[cfg(feature = "ledger")]
    decode_contents(bytes);
}

/// As the contents of a pack. Entries are many times as large in memory as their shortest form.
#[cfg(feature = "ledger")]
fn decode_contents(bytes: &[u8]) {
    use understudy::ledger::{ClusterId, Dir, Head, Kind, Object, Place, Sum, Term, WriterId};
    let place = Place { dir: Dir { term: Term(1), writer: WriterId(1) }, n: 0 };
    let head = Head { cluster: ClusterId(1), place, committed_us: 0, before: Sum::ZERO, kind: Kind::Pack };
    let mut object = Object::bare(head, None).bytes()[..128].to_vec();
    object[12..16].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    object.extend_from_slice(bytes);
    let sum = Sum::of(&object);
    object.extend_from_slice(&sum.0);
    let object = Object::read(place, object.into()).expect("its hash is right");
    check_within(2 * MULTIPLE, "contents of a pack", bytes.len(), peak_of(|| object.pack()));
}

/// Events and structural changes with counts that promise more than there is, or all that can be.
fn promising() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![3 => Just(0i32), 2 => Just(-1i32), 2 => 0..200i32, 1 => Just(i32::MAX)];
    (any::<bool>(), 0u8..6, prop::collection::vec(word, 0..2000)).prop_map(|(event, kind, words)| {
        let mut bytes = vec![0; 4];
        if event {
            bytes.extend(0i64.to_le_bytes());
            bytes.push(kind);
        } else {
            bytes.extend([[1, 8, 9, 14, 15, 17][usize::from(kind)], 0]);
        }
        words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        let len = bytes.len() - if event { 0 } else { 4 };
        bytes[..4].copy_from_slice(&(len as i32).to_le_bytes());
        bytes
    })
}

/// Contents of a pack with counts that promise all that can be, in the list of tables and in that of the last one.
#[cfg(feature = "ledger")]
fn promising_contents() -> impl Strategy<Value = Vec<u8>> {
    const TOKEN: [u8; 14] = [1, 0, 0, 0, b't', 0, 0, 0, 0, 1, 0, 0, 0, b't'];
    const DROPPED: &[u8] = &[1, 4];
    const TRANSACTIONS: &[u8] = &[1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
    const DIGESTS: &[u8] = &[1, 7];
    let last = prop::sample::select(vec![DROPPED, TRANSACTIONS, DIGESTS]);
    (0..40usize, last, 0..4000usize, 1..40usize).prop_map(|(dropped, last, zeros, item)| {
        let promised = ((16 * dropped + zeros) / 15) as u32;
        let mut bytes = promised.to_le_bytes().to_vec();
        for what in std::iter::repeat_n(DROPPED, dropped).chain([last]) {
            bytes.extend(TOKEN);
            bytes.extend(what);
        }
        bytes.extend(((zeros / item) as u32).to_le_bytes());
        bytes.resize(bytes.len() + zeros, 0);
        bytes
    })
}

#[test]
fn decoders_allocate_a_multiple_of_their_input() {
    let real = ["alltypes", "symbols", "update"].map(|name| common::recording(name).files);
    for (path, content) in real.iter().flat_map(MemoryFiles::iter) {
        // The columns of segments are slices, which allocate nothing.
        if !path.ends_with(".d") || path.contains("txn") {
            decode_all(content);
        }
    }
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let run = runner.run(&promising(), |bytes| {
        decode_all(&bytes);
        Ok(())
    });
    run.expect("bounded");
    #[cfg(feature = "ledger")]
    runner
        .run(&promising_contents(), |bytes| {
            decode_contents(&bytes);
            Ok(())
        })
        .expect("bounded");
    let arbitrary = prop::collection::vec(any::<u8>(), 0..2000);
    let run = runner.run(&arbitrary, |bytes| {
        decode_all(&bytes);
        Ok(())
    });
    run.expect("bounded");
}
