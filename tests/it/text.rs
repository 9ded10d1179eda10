//! The text of values against what a real QuestDB printed (`tests/record/probe_text.py`).

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use understudy::table::chunk::Entry;
use understudy::table::text::{self, CSV_LINE_END, parse};
use understudy::table::{Chunk, SymbolTable, Value};
use understudy::wal::{ColumnType, Tag};

/// How many rows of each column the fixture has as JSON.
const JSON_ROWS: usize = 330;

/// A fixture's files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The files of `tests/data/NAME.tar.gz`.
pub fn fixture(name: &str) -> Files {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(format!("{name}.tar.gz"));
    let packed = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&packed[..]));
    let mut files = Files::new();
    for entry in archive.entries().expect("a tar archive") {
        let mut entry = entry.expect("a whole archive");
        let name = entry.path().expect("a name").display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("a whole file");
        files.insert(name, bytes);
    }
    files
}

/// A column as QuestDB's own files hold it: `NAME/type`, `NAME/d`, `NAME/i`, `NAME/symbols`.
pub struct Column {
    pub ty: ColumnType,
    chunk: Chunk,
    symbols: SymbolTable,
}

impl Column {
    pub fn read(files: &Files, name: &str) -> Self {
        let code = std::str::from_utf8(&files[&format!("{name}/type")]).expect("a number");
        let ty = ColumnType::from_code(code.parse().expect("a number")).expect("a type that columns have");
        let data = files[&format!("{name}/d")].clone();
        let aux = files.get(&format!("{name}/i")).cloned().unwrap_or_default();
        let chunk = match (ty.fixed_size(), ty.tag()) {
            (Some(width), _) => Chunk::Fixed { width, values: data },
            (None, Tag::String | Tag::Binary) => Chunk::Prefixed { aux: longs(&aux), data },
            (None, Tag::Varchar) => Chunk::Varchar { aux: entries(&aux), data },
            (None, _) => Chunk::Array { aux: entries(&aux), data },
        };
        let mut symbols = SymbolTable::default();
        for text in strings(files.get(&format!("{name}/symbols")).map_or(&[][..], Vec::as_slice)) {
            symbols.intern(&text);
        }
        Self { ty, chunk, symbols }
    }

    pub fn rows(&self) -> usize {
        self.chunk.rows()
    }

    /// As [`Self::value`], but infinities are not taken for null.
    pub fn raw_value(&self, row: usize) -> Value<'_> {
        let bytes = self.chunk.fixed(row).unwrap_or_default();
        match self.ty.tag() {
            Tag::Float => Value::Float(f32::from_le_bytes(bytes.try_into().expect("four bytes"))),
            Tag::Double => Value::Double(f64::from_le_bytes(bytes.try_into().expect("eight bytes"))),
            _ => self.value(row),
        }
    }

    pub fn value(&self, row: usize) -> Value<'_> {
        self.chunk.value(row, self.ty, Some(&self.symbols))
    }
}

fn longs(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect()
}

fn entries(bytes: &[u8]) -> Vec<Entry> {
    bytes.chunks_exact(16).map(|b| b.try_into().unwrap()).collect()
}

/// Length-prefixed UTF-16 strings.
fn strings(mut bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((len, rest)) = bytes.split_first_chunk::<4>() {
        let (units, rest) = rest.split_at(2 * i32::from_le_bytes(*len) as usize);
        let units: Vec<u16> = units.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
        found.push(String::from_utf16(&units).expect("SQL holds no half of a pair"));
        bytes = rest;
    }
    found
}

/// Compares rows with a body: how many there were, or which one differs first.
pub fn compare_rows(body: &[u8], rows: impl Iterator<Item = Vec<u8>>) -> Result<usize, String> {
    let mut rest = body;
    let mut count = 0;
    for (row, ours) in rows.enumerate() {
        let Some(next) = rest.strip_prefix(&ours[..]) else {
            let theirs = &rest[..rest.len().min(ours.len() + 20)];
            return Err(format!(
                "row {row}: ours {} theirs {} ...",
                ours.escape_ascii(),
                theirs.escape_ascii()
            ));
        };
        rest = next;
        count += 1;
    }
    if rest.is_empty() { Ok(count) } else { Err(format!("{} more bytes", rest.len())) }
}

fn names(files: &Files) -> Vec<&str> {
    files.keys().filter_map(|name| name.strip_suffix("/type")).collect()
}

#[test]
fn csv_is_what_exp_prints_for_a_thousand_values_of_each_type() {
    let files = fixture("text/values");
    let mut wrong = Vec::new();
    for name in names(&files) {
        let column = Column::read(&files, name);
        if !text::is_printable(column.ty) {
            assert!(files.contains_key(&format!("{name}/error")), "{name} is refused by the server too");
            continue;
        }
        let mut header = Vec::new();
        text::write_csv_header(&mut header, [name]);
        let body = files[&format!("{name}/csv")].strip_prefix(&header[..]).expect("the same header");
        let rows = (0..column.rows()).map(|row| {
            let mut out = Vec::new();
            text::write_csv(&mut out, column.value(row), column.ty);
            out.extend_from_slice(CSV_LINE_END);
            out
        });
        match compare_rows(body, rows) {
            Ok(rows) => assert!(rows >= 1000, "{name}: only {rows} values"),
            Err(difference) => wrong.push(format!("{name}, {difference}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn json_is_what_exec_prints() {
    let files = fixture("text/values");
    let mut wrong = Vec::new();
    for name in names(&files) {
        let column = Column::read(&files, name);
        let Some(body) = files.get(&format!("{name}/json")) else { continue };
        let start = b"\"dataset\":[";
        let at = body.windows(start.len()).position(|w| w == start).expect("rows") + start.len();
        // Rows are up to the counters; a text can't end in this way before.
        let end = body.windows(10).rposition(|w| w == b"],\"count\":").expect("the end of rows");
        let body = &body[at..end];
        let rows = (0..column.rows().min(JSON_ROWS)).map(|row| {
            let mut out = if row == 0 { b"[".to_vec() } else { b",[".to_vec() };
            text::write_json(&mut out, column.value(row), column.ty);
            out.push(b']');
            out
        });
        if let Err(difference) = compare_rows(body, rows) {
            wrong.push(format!("{name}, {difference}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Any value, sound or not.
pub fn any_value() -> impl Strategy<Value = OwnedValue> {
    use OwnedValue::*;
    prop_oneof![
        Just(Null),
        any::<bool>().prop_map(Boolean),
        any::<i64>().prop_map(Whole),
        any::<f32>().prop_map(Float),
        any::<f64>().prop_map(Double),
        any::<[u64; 4]>().prop_map(Words),
        (any::<u32>(), any::<u64>()).prop_map(|(bits, value)| Geohash(bits, value)),
        (any::<[u64; 4]>(), any::<u32>()).prop_map(|(words, scale)| Decimal(words, scale)),
        (vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..80)).prop_map(|(a, b)| Bytes(a, b)),
        "[-+0-9.:TZWexNaInfty_ l]{0,40}".prop_map(|text| Bytes(text.into_bytes(), Vec::new())),
    ]
}

/// What values are made of.
#[derive(Debug, Clone)]
pub enum OwnedValue {
    Null,
    Boolean(bool),
    Whole(i64),
    Float(f32),
    Double(f64),
    Words([u64; 4]),
    Geohash(u32, u64),
    Decimal([u64; 4], u32),
    Bytes(Vec<u8>, Vec<u8>),
}

impl OwnedValue {
    /// The values that can be made of this.
    pub fn values(&self) -> Vec<Value<'_>> {
        match self {
            Self::Null => vec![Value::Null],
            Self::Boolean(v) => vec![Value::Boolean(*v)],
            Self::Whole(v) => vec![
                Value::Byte(*v as i8),
                Value::Short(*v as i16),
                Value::Char(*v as u16),
                Value::Int(*v as i32),
                Value::Long(*v),
                Value::Date(*v),
                Value::Timestamp(*v),
                Value::TimestampNs(*v),
                Value::Ipv4(*v as u32),
            ],
            Self::Float(v) => vec![Value::Float(*v)],
            Self::Double(v) => vec![Value::Double(*v)],
            Self::Words(w) => {
                let wide = u128::from(w[0]) << 64 | u128::from(w[1]);
                vec![Value::Long256(*w), Value::Uuid(wide), Value::Long128(wide)]
            }
            Self::Geohash(bits, value) => vec![Value::Geohash { bits: *bits, value: *value }],
            Self::Decimal(w, scale) => {
                let high = (u128::from(w[0]) << 64 | u128::from(w[1])) as i128;
                let low = u128::from(w[2]) << 64 | u128::from(w[3]);
                vec![Value::Decimal { unscaled: ethnum::I256::from_words(high, low as i128), scale: *scale }]
            }
            Self::Bytes(a, b) => {
                vec![Value::Utf16(a), Value::Utf8(a), Value::Binary(a), Value::Array { dims: a, values: b }]
            }
        }
    }
}

/// A type of every kind.
pub fn any_type() -> impl Strategy<Value = ColumnType> {
    let codes = [
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        8 | 1 << 18,
        9,
        10,
        11,
        12,
        13,
        14 | 5 << 8 | 1 << 16,
        17 | 60 << 8 | 1 << 16,
        18,
        19,
        24,
        25,
        26,
        27 | 10 << 8,
        27 | 10 << 8 | 1 << 14,
        28 | 2 << 8,
        29 | 4 << 8 | 1 << 18,
        30 | 9 << 8,
        31 | 18 << 8 | 3 << 18,
        32 | 38 << 8 | 10 << 18,
        33 | 76 << 8 | 76 << 18,
    ];
    proptest::sample::select(codes.to_vec())
        .prop_map(|code| ColumnType::from_code(code).expect("a type that columns have"))
}

proptest! {
    #[test]
    fn no_value_is_too_odd_to_print(value in any_value(), ty in any_type()) {
        for value in value.values() {
            let mut out = Vec::new();
            text::write_csv(&mut out, value, ty);
            text::write_json(&mut out, value, ty);
            // Digits and escapes take a few bytes for each byte of a value.
            prop_assert!(out.len() <= 6_000);
        }
    }

    #[test]
    fn a_double_reads_back(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite() && value != 0.0);
        let text = printed(Value::Double(value));
        prop_assert_eq!(parse::double(text.as_str().into()), Some(value));
        prop_assert_eq!(text.parse::<f64>().ok(), Some(value));
    }

    #[test]
    fn a_float_reads_back(bits in any::<u32>()) {
        let value = f32::from_bits(bits);
        prop_assume!(value.is_finite() && value != 0.0);
        prop_assert_eq!(parse::float(printed(Value::Float(value)).as_str().into()), Some(value));
    }

    #[test]
    fn a_time_since_1970_reads_back(micros in 0..253_402_300_800_000_000i64, nanos in 0..i64::MAX) {
        let read = |value, nanos| parse::timestamp(printed(value).as_str().into(), nanos);
        prop_assert_eq!(read(Value::Timestamp(micros), false), Some(micros));
        prop_assert_eq!(read(Value::TimestampNs(nanos), true), Some(nanos));
        let millis = micros / 1000;
        prop_assert_eq!(parse::date(printed(Value::Date(millis)).as_str().into()), Some(millis));
    }

    #[test]
    fn numbers_and_addresses_read_back(long in any::<i64>(), uuid in any::<u128>(), address in 1u32..) {
        prop_assume!(long != i64::MIN);
        prop_assert_eq!(parse::long(printed(Value::Long(long)).as_str().into()), Some(long));
        prop_assert_eq!(parse::uuid(printed(Value::Uuid(uuid)).as_str().into()), Some(uuid));
        prop_assert_eq!(parse::ipv4(printed(Value::Ipv4(address)).as_str().into()), Some(address));
    }
}

fn printed(value: Value<'_>) -> String {
    let mut out = Vec::new();
    text::write_text(&mut out, value);
    String::from_utf8(out).expect("numbers are ASCII")
}
