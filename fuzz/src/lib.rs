//! What the fuzz targets share: a limit on memory, and a recorded database to damage.

use flate2::read::GzDecoder;
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use understudy::wal::MemoryFiles;

/// A decoder may hold this many times the bytes it was given ...
pub const MEMORY_PER_BYTE: usize = 64;
/// ... and this much whatever it was given.
pub const MEMORY_FREE: usize = 256 << 10;

/// Runs a decoder over `input` bytes and fails if it ever holds more memory than the limit.
pub fn within_memory<T>(input: usize, decode: impl FnOnce() -> T) -> T {
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let decoded = decode();
    let most = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    let limit = input * MEMORY_PER_BYTE + MEMORY_FREE;
    assert!(most <= limit, "{most} bytes held for an input of {input}, the limit is {limit}");
    decoded
}

/// The `db` directory of a recording in `tests/data`.
pub fn recorded(packed: &[u8]) -> MemoryFiles {
    let mut files = MemoryFiles::default();
    let mut archive = tar::Archive::new(GzDecoder::new(packed));
    for entry in archive.entries().expect("a recording is a tar file") {
        let mut entry = entry.expect("a recording is whole");
        let path = entry.path().expect("paths are text").to_string_lossy().into_owned();
        if let Some(path) = path.strip_prefix("db/")
            && entry.header().entry_type().is_file()
        {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("a recording is whole");
            files.insert(path, content);
        }
    }
    files
}

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: hands every call on to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}
