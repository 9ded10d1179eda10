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
    unpacked(packed, "db/")
}

/// What an archive has below `folder`.
pub fn unpacked(packed: &[u8], folder: &str) -> MemoryFiles {
    let mut files = MemoryFiles::default();
    let mut archive = tar::Archive::new(GzDecoder::new(packed));
    for entry in archive.entries().expect("a recording is a tar file") {
        let mut entry = entry.expect("a recording is whole");
        let path = entry.path().expect("paths are text").to_string_lossy().into_owned();
        if let Some(path) = path.strip_prefix(folder)
            && entry.header().entry_type().is_file()
        {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("a recording is whole");
            files.insert(path, content);
        }
    }
    files
}

/// Seven bytes damage one file: its number, an offset, what to do, a value.
const DAMAGE: usize = 7;

/// Files with the damage that `bytes` describe.
pub fn damaged(whole: &MemoryFiles, bytes: &[u8]) -> MemoryFiles {
    let mut files = whole.clone();
    let names: Vec<String> = files.iter().map(|(path, _)| path.to_owned()).collect();
    for damage in bytes.chunks_exact(DAMAGE).take(16) {
        let &[file, file_high, low, mid, high, action, value] = damage else { continue };
        let name = &names[usize::from(u16::from_le_bytes([file, file_high])) % names.len()];
        let Some(content) = files.remove(name) else { continue };
        let mut content = content.to_vec();
        let at = u32::from_le_bytes([low, mid, high, 0]) as usize % content.len().max(1);
        match action % 4 {
            0 => content.truncate(at),
            1 => content.extend(std::iter::repeat_n(0, at)),
            2 => content.iter_mut().skip(at).take(8).for_each(|byte| *byte = value),
            _ => content.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= value),
        }
        files.insert(name.clone(), content);
    }
    files
}

/// Bytes of files and their names.
pub fn size(files: &MemoryFiles) -> usize {
    files.iter().map(|(path, content)| path.len() + content.len()).sum()
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
