//! The table registry, `tables.d.N`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use understudy::wal::Registry;
use understudy_fuzz::within_memory;

fuzz_target!(|bytes: &[u8]| {
    let _ = within_memory(bytes.len(), || Registry::decode("tables.d.0", bytes));
});
