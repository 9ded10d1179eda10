//! The statements that travel in the log.
#![no_main]

use libfuzzer_sys::fuzz_target;
use understudy::apply::sql;
use understudy_fuzz::within_memory;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Err(reason) = within_memory(text.len(), || sql::parse(&text)) {
        assert!(reason.position <= text.encode_utf16().count(), "position {} of {text:?}", reason.position);
    }
    // Most inputs miss the first word.
    for start in ["ALTER TABLE t DROP PARTITION WHERE ", "ALTER TABLE t ", "UPDATE t SET "] {
        let _ = sql::parse(&format!("{start}{text}"));
    }
});
