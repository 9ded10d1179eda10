//! Tables as a server left them, with some of their bytes damaged: read, and checked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use understudy::table::files::check_database;
use understudy::table::files::read::read_table;
use understudy::wal::{MemoryFiles, Registry, read_clean_symbols};
use understudy_fuzz::{damaged, size, unpacked, within_memory};

static WHOLE: LazyLock<MemoryFiles> =
    LazyLock::new(|| unpacked(include_bytes!("../../tests/data/applied/whole.tar.gz"), ""));

fuzz_target!(|bytes: &[u8]| {
    let files = damaged(&WHOLE, bytes);
    within_memory(size(&files), || {
        if let Ok(registry) = Registry::read(&files) {
            for token in &registry.tables {
                let _ = read_table(&files, token);
                let _ = read_clean_symbols(&files, &token.dir, 1, "sym", 1000);
            }
        }
    });
    within_memory(size(&files), || check_database(&files));
});
