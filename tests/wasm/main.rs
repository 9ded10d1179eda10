//! Tests of the crate as WebAssembly. `scripts/wasm.sh test` runs each of them in node and
//! in Chromium, so none of them may need a page or a file system.
#![cfg(target_arch = "wasm32")]

use understudy::wal::{Files, MemoryFiles};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn ranges_of_files_in_memory_are_read() {
    let mut files = MemoryFiles::default();
    files.insert("tables.d.0", bytes::Bytes::from_static(b"0123456789"));
    let read = files.read("tables.d.0", 2, 3).expect("the range is inside the file");
    assert_eq!(&read[..], b"234");
}
