//! Values out of text, and their text again: the conversions of ALTER COLUMN TYPE.
#![no_main]

use libfuzzer_sys::fuzz_target;
use understudy::apply::convert::converter;
use understudy::table::Value;
use understudy::table::text::{write_csv, write_json};
use understudy::wal::ColumnType;

fuzz_target!(|bytes: &[u8]| {
    let mut scratch = Vec::new();
    let mut out = Vec::new();
    for from in [11, 12, 26] {
        for to in (1..=33).chain([8 | 1 << 18, 28 | 2 << 8, 31 | 18 << 8 | 3 << 18, 33 | 76 << 8 | 10 << 18])
        {
            let (Some(from), Some(to)) = (ColumnType::from_code(from), ColumnType::from_code(to)) else {
                continue;
            };
            let Ok(converter) = converter(from, to) else { continue };
            let units = &bytes[..bytes.len() & !1];
            let value = if from.code() == 11 { Value::Utf16(units) } else { Value::Utf8(bytes) };
            let Ok(value) = converter.convert(value, &mut scratch) else { continue };
            out.clear();
            write_csv(&mut out, value, to);
            write_json(&mut out, value, to);
        }
    }
});
