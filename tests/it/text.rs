//! The text of values against what a real QuestDB printed (`tests/record/probe_text.py`).

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use understudy::table::chunk::Entry;
use understudy::table::text::{self, CSV_LINE_END};
use understudy::table::{Chunk, SymbolTable, Value};
use understudy::wal::{ColumnType, Tag};

/// How many rows of each column the fixture has as JSON.
const JSON_ROWS: usize = 330;

/// A fixture's files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The files of `tests/data/NAME.tar.gz`.
pub fn fixture(name: &str) -> Files {
    let path = data().join(format!("{name}.tar.gz"));
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

fn data() -> PathBuf {
    std::env::var_os("UNDERSTUDY_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"), PathBuf::from)
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
