//! Statements of the log against the answers of a real QuestDB 9.3.4 (tests/record/probe_sql.py).
//!
//! Everything that we understand must do exactly what the server did; how much we understand is
//! bounded from below, so that it can't silently shrink.

use proptest::prelude::*;
use serde_json::Value as Json;
use std::io::Read as _;
use understudy::apply::sql::{
    Alter, CompiledFilter, CompiledUpdate, Context, Partitioning, Statement, Update, parse,
};
use understudy::table::{Value, text};
use understudy::wal::{BindValue, ColumnType, PartitionBy, SqlEvent};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/sql/answers.json.gz");

#[test]
fn conditions_find_the_rows_that_the_server_changed() {
    let answers = answers();
    let table = TestTable::new(&answers);
    let (mut exact, mut wrong) = (0, Vec::new());
    for case in list(&answers["conditions"]) {
        let condition = case["where"].as_str().expect("a whole fixture");
        let Some(expected) = case["rows"].as_str() else { continue };
        let expected = table.rows(expected);
        let Ok(found) = table.rows_where(condition, Vec::new()) else { continue };
        // The server may compile the filter or interpret it; where that matters nobody can know.
        let same = case["interpreted"].is_null() && found == expected;
        if same {
            exact += 1;
        } else {
            wrong.push(format!("{condition}: server {expected:?} {}, we {found:?}", case["interpreted"]));
        }
    }
    assert!(wrong.is_empty(), "{} wrong, {exact} exact:\n{}", wrong.len(), wrong.join("\n"));
    assert!(exact >= 3_800, "only {exact} conditions are understood");
}

#[test]
fn settings_write_what_the_server_wrote() {
    let answers = answers();
    let table = TestTable::new(&answers);
    let (mut exact, mut wrong) = (0, Vec::new());
    for case in list(&answers["settings"]) {
        let (column, value) = (
            case["column"].as_str().expect("a whole fixture"),
            case["value"].as_str().expect("a whole fixture"),
        );
        let sql = format!("update t set {column} = {value}");
        let Ok(written) = table.written(&sql, Vec::new()) else { continue };
        // What the server refuses never gets into a log.
        if case.get("refused").is_some() || value.contains("now()") {
            continue;
        }
        match case.get("text") {
            Some(text) if *text == written => exact += 1,
            None if written == "suspended" && case["suspended"] == true => exact += 1,
            other => wrong.push(format!("{sql}: server {other:?}, we {written}")),
        }
    }
    assert!(wrong.is_empty(), "{} wrong, {exact} exact:\n{}", wrong.len(), wrong.join("\n"));
    assert!(exact >= 540, "only {exact} settings are understood");
}

#[test]
fn bind_variables_compare_as_on_the_server() {
    let answers = answers();
    let table = TestTable::new(&answers);
    let (mut exact, mut wrong) = (0, Vec::new());
    for case in list(&answers["bound_conditions"]) {
        let Some(expected) = case["rows"].as_str() else { continue };
        let condition = format!(
            "{} {} $1",
            case["column"].as_str().expect("a whole fixture"),
            case["op"].as_str().expect("a whole fixture")
        );
        let Ok(found) = table.rows_where(&condition, vec![bind(case)]) else { continue };
        if found == table.rows(expected) {
            exact += 1;
        } else {
            wrong.push(format!(
                "{condition} {} {}: server {expected}, we {found:?}",
                case["type"], case["value"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong, {exact} exact:\n{}", wrong.len(), wrong.join("\n"));
    assert!(exact >= 300, "only {exact} conditions are understood");
}

#[test]
fn bind_variables_are_written_as_on_the_server() {
    let answers = answers();
    let table = TestTable::new(&answers);
    let (mut exact, mut wrong) = (0, Vec::new());
    for case in list(&answers["bound_settings"]) {
        let sql = format!("update t set {} = $1", case["column"].as_str().expect("a whole fixture"));
        let Ok(written) = table.written(&sql, vec![bind(case)]) else { continue };
        // What the server refuses never gets into a log.
        if case.get("refused").is_some() {
            continue;
        }
        match case.get("text") {
            Some(text) if *text == written => exact += 1,
            None if written == "suspended" && case["suspended"] == true => exact += 1,
            other => wrong
                .push(format!("{sql} {} {}: server {other:?}, we {written}", case["type"], case["value"])),
        }
    }
    assert!(wrong.is_empty(), "{} wrong, {exact} exact:\n{}", wrong.len(), wrong.join("\n"));
    assert!(exact >= 235, "only {exact} settings are understood");
}

#[test]
fn partitions_go_as_on_the_server() {
    let (mut exact, mut wrong) = (0, Vec::new());
    for case in list(&answers()["drops"]) {
        let unit = case["unit"].as_str().expect("a whole fixture");
        let nanos = case["type"] == "timestamp_ns";
        let choice = case["choice"].as_str().expect("a whole fixture");
        let (Some(before), Some(after)) = (case["before"].as_array(), case["after"].as_array()) else {
            continue;
        };
        let Ok(left) = left_after(unit, nanos, choice, before) else { continue };
        if left == *after {
            exact += 1;
        } else {
            wrong.push(format!("by {unit} {} {choice}: server {after:?}, we {left:?}", case["type"]));
        }
    }
    assert!(wrong.is_empty(), "{} wrong, {exact} exact:\n{}", wrong.len(), wrong.join("\n"));
    assert!(exact >= 300, "only {exact} partition drops are understood");
}

fn answers() -> Json {
    let mut json = String::new();
    let file = std::fs::File::open(FIXTURE).expect("a whole fixture");
    flate2::read::GzDecoder::new(file).read_to_string(&mut json).expect("a whole fixture");
    serde_json::from_str(&json).expect("a whole fixture")
}

fn list(json: &Json) -> &[Json] {
    json.as_array().expect("a whole fixture")
}

fn event(sql: &str) -> SqlEvent {
    SqlEvent { command: 3, sql: sql.into(), seeds: (0, 0), indexed: Vec::new(), named: Vec::new() }
}

/// A bind value as the log holds it.
fn bind(case: &Json) -> BindValue {
    let value = case["value"].as_str();
    let number = |null: i64| value.map_or(null, |text| text.parse().expect("a whole fixture"));
    let (type_code, bytes) = match case["type"].as_str().expect("a whole fixture") {
        "bool" => (1, vec![u8::from(value == Some("true"))]),
        "int2" => (3, (number(0) as i16).to_le_bytes().to_vec()),
        "int4" => (5, (number(i32::MIN.into()) as i32).to_le_bytes().to_vec()),
        "int8" => (6, number(i64::MIN).to_le_bytes().to_vec()),
        "float4" => {
            (9, value.map_or(f32::NAN, |v| v.parse().expect("a whole fixture")).to_le_bytes().to_vec())
        }
        "float8" => {
            (10, value.map_or(f64::NAN, |v| v.parse().expect("a whole fixture")).to_le_bytes().to_vec())
        }
        "text" | "varchar" => {
            let units = value.map(|text| text.encode_utf16().flat_map(u16::to_le_bytes).collect());
            return BindValue { type_code: 11, bytes: units };
        }
        "timestamp" => {
            let ticks =
                value.map_or(i64::MIN, |v| text::parse::timestamp(v.into(), false).expect("a whole fixture"));
            (8, ticks.to_le_bytes().to_vec())
        }
        "uuid" => {
            let null = (1_u128 << 63) << 64 | 1 << 63;
            (
                19,
                value
                    .map_or(null, |v| text::parse::uuid(v.into()).expect("a whole fixture"))
                    .to_le_bytes()
                    .to_vec(),
            )
        }
        other => panic!("no bind values of {other}"),
    };
    BindValue { type_code, bytes: Some(bytes.into()) }
}

/// Microseconds since the epoch at which the statements pretend to have been committed.
const NOW: i64 = 1_780_000_000_000_000;

/// Rows of the probe's table.
const ROWS: usize = 130;

/// The table of the probe, cells owned.
struct TestTable {
    columns: Vec<(String, ColumnType)>,
    rows: Vec<Vec<Cell>>,
}

impl TestTable {
    fn new(answers: &Json) -> Self {
        let mut columns = Vec::new();
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        for column in list(&answers["columns"]) {
            let ty = column_type(column["type"].as_str().expect("a whole fixture"));
            columns.push((column["name"].as_str().expect("a whole fixture").to_owned(), ty));
            // Each column repeats its own values.
            let values = list(&column["values"]);
            for (row, value) in (0..ROWS).zip(values.iter().cycle()) {
                if rows.len() <= row {
                    rows.push(Vec::new());
                }
                rows[row].push(value.as_str().map_or(Cell::Null, |text| cell(text, ty)));
            }
        }
        columns.push(("ts".into(), ColumnType::TIMESTAMP));
        for (id, row) in rows.iter_mut().enumerate() {
            row.push(Cell::Fixed(Value::Timestamp(id as i64 * 3_600_000_000)));
        }
        Self { columns, rows }
    }

    fn lookup(&self, name: &str) -> Option<(usize, ColumnType)> {
        let index = self.columns.iter().position(|(n, _)| n.eq_ignore_ascii_case(name))?;
        Some((index, self.columns[index].1))
    }

    /// The rows whose bits are set in a hexadecimal number.
    fn rows(&self, hex: &str) -> Vec<usize> {
        let digits: Vec<u32> = hex.chars().rev().map(|c| c.to_digit(16).expect("a whole fixture")).collect();
        (0..self.rows.len())
            .filter(|row| digits.get(row / 4).is_some_and(|d| d >> (row % 4) & 1 == 1))
            .collect()
    }

    fn rows_where(&self, condition: &str, binds: Vec<BindValue>) -> Result<Vec<usize>, String> {
        let sql = format!("update sqlprobe set mark = 1 where {condition}");
        let update = update(&sql)?;
        let event = SqlEvent { indexed: binds, ..event(&sql) };
        let context = Context { event: &event, now_us: NOW, nanos: false };
        let lookup = |name: &str| self.lookup(name);
        let filter =
            CompiledFilter::compile(update.filter.as_ref().expect("a whole fixture"), &lookup, "ts", context)
                .map_err(|e| e.to_string())?;
        let rows = self.rows.iter().enumerate();
        let mut found = Vec::new();
        for (id, row) in rows {
            if filter.matches(&|i| row[i].value()).map_err(ToString::to_string)? {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// What an UPDATE writes, as `/exec` shows it; `suspended` if it suspends the table.
    fn written(&self, sql: &str, binds: Vec<BindValue>) -> Result<Json, String> {
        let event = SqlEvent { indexed: binds, ..event(sql) };
        let context = Context { event: &event, now_us: NOW, nanos: false };
        let compiled = CompiledUpdate::compile(&update(sql)?, &|name| self.lookup(name), "ts", context)
            .map_err(|e| e.to_string())?;
        if compiled.unwritable.is_some() {
            return Ok(Json::from("suspended"));
        }
        let (index, literal) = &compiled.assignments[0];
        let mut json = Vec::new();
        text::write_json(&mut json, literal.value(), self.columns[*index].1);
        // The fixture keeps the text of a number with a point.
        Ok(match serde_json::from_slice(&json).expect("a whole fixture") {
            Json::Number(n) if n.is_f64() => Json::String(String::from_utf8(json).expect("a whole fixture")),
            other => other,
        })
    }
}

fn update(sql: &str) -> Result<Update, String> {
    match parse(sql).map_err(|e| e.to_string())? {
        Statement::Update(update) => Ok(update),
        Statement::Alter(_) => panic!("{sql} is an UPDATE"),
    }
}

fn left_after(unit: &str, nanos: bool, choice: &str, before: &[Json]) -> Result<Vec<Json>, String> {
    let sql = format!("alter table sqldrop drop partition {choice}");
    let Statement::Alter(Alter::DropPartitions(choice)) = parse(&sql).map_err(|e| e.to_string())? else {
        panic!("{sql} drops partitions");
    };
    let unit = match unit {
        "hour" => PartitionBy::Hour,
        "day" => PartitionBy::Day,
        "week" => PartitionBy::Week,
        "month" => PartitionBy::Month,
        _ => PartitionBy::Year,
    };
    let ty = if nanos { ColumnType::TIMESTAMP_NS } else { ColumnType::TIMESTAMP };
    let at = |json: &Json| {
        text::parse::timestamp(json.as_str().expect("a whole fixture").into(), nanos)
            .expect("a whole fixture")
    };
    let calendar = understudy::table::Calendar::new(unit, nanos);
    let mut floors: Vec<i64> = before.iter().map(|row| calendar.floor(at(row))).collect();
    floors.dedup();
    let event = event(&sql);
    let table = Partitioning { timestamp: "ts", ty, unit };
    let gone = choice
        .select(&table, &floors, Context { event: &event, now_us: NOW, nanos })
        .map_err(|e| e.to_string())?;
    Ok(before.iter().filter(|row| !gone.contains(&calendar.floor(at(row)))).cloned().collect())
}

enum Cell {
    Null,
    Fixed(Value<'static>),
    Utf16(Vec<u8>),
    Utf8(Vec<u8>),
}

impl Cell {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Fixed(value) => *value,
            Self::Utf16(units) => Value::Utf16(units),
            Self::Utf8(bytes) => Value::Utf8(bytes),
        }
    }
}

fn column_type(name: &str) -> ColumnType {
    let code = match name {
        "boolean" => 1,
        "byte" => 2,
        "short" => 3,
        "char" => 4,
        "int" => 5,
        "long" => 6,
        "date" => 7,
        "timestamp" => 8,
        "timestamp_ns" => 8 | 1 << 18,
        "float" => 9,
        "double" => 10,
        "string" => 11,
        "symbol" | "symbol index" => 12,
        "long256" => 13,
        "geohash(4c)" => 16 | 20 << 8 | 1 << 16,
        "uuid" => 19,
        "ipv4" => 25,
        "varchar" => 26,
        "decimal(10,2)" => 31 | 10 << 8 | 2 << 18,
        _ => panic!("unknown type {name}"),
    };
    ColumnType::from_code(code).expect("a whole fixture")
}

fn cell(text: &str, ty: ColumnType) -> Cell {
    use understudy::wal::Tag;
    let hex = |digits: &str| -> [u64; 4] {
        let padded = format!("{digits:0>64}");
        std::array::from_fn(|i| {
            u64::from_str_radix(&padded[48 - 16 * i..64 - 16 * i], 16).expect("a whole fixture")
        })
    };
    Cell::Fixed(match ty.tag() {
        Tag::Boolean => Value::Boolean(text == "true"),
        Tag::Byte => Value::Byte(text.parse().expect("a whole fixture")),
        Tag::Short => Value::Short(text.parse().expect("a whole fixture")),
        Tag::Char => Value::Char(text.encode_utf16().next().expect("a whole fixture")),
        Tag::Int => Value::Int(text.parse().expect("a whole fixture")),
        Tag::Long => Value::Long(text.parse().expect("a whole fixture")),
        Tag::Date => Value::Date(text.parse().expect("a whole fixture")),
        Tag::Timestamp if ty.is_nanos() => Value::TimestampNs(text.parse().expect("a whole fixture")),
        Tag::Timestamp => Value::Timestamp(text.parse().expect("a whole fixture")),
        Tag::Float => Value::Float(text.parse().expect("a whole fixture")),
        Tag::Double => Value::Double(text.parse().expect("a whole fixture")),
        Tag::String => return Cell::Utf16(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        Tag::Symbol | Tag::Varchar => return Cell::Utf8(text.as_bytes().to_vec()),
        Tag::Long256 => Value::Long256(hex(text.trim_start_matches("0x"))),
        Tag::GeoInt => Value::Geohash { bits: 20, value: geohash(text) },
        Tag::Uuid => Value::Uuid(u128::from_str_radix(&text.replace('-', ""), 16).expect("a whole fixture")),
        Tag::Ipv4 => Value::Ipv4(
            text.split('.').fold(0, |all, octet| all << 8 | octet.parse::<u32>().expect("a whole fixture")),
        ),
        Tag::Decimal64 => {
            Value::Decimal { unscaled: text.replace('.', "").parse().expect("a whole fixture"), scale: 2 }
        }
        other => panic!("no cells of {other:?}"),
    })
}

fn geohash(text: &str) -> u64 {
    let letters = "0123456789bcdefghjkmnpqrstuvwxyz";
    text.chars().fold(0, |all, c| all << 5 | letters.find(c).expect("a whole fixture") as u64)
}

/// Words that statements are made of, and some that they aren't.
const WORDS: [&str; 60] = [
    "update",
    "alter",
    "table",
    "set",
    "where",
    "drop",
    "partition",
    "list",
    "ts",
    "i",
    "sy",
    "v",
    "b",
    "u",
    "de",
    "g",
    "=",
    "!=",
    "<",
    ">=",
    "(",
    ")",
    ",",
    "and",
    "or",
    "not",
    "in",
    "between",
    "is",
    "null",
    "true",
    "'a'",
    "'2024-01;1d;1d;9'",
    "'2024-01-01'",
    "5",
    "-1",
    "1.5e3",
    "5L",
    "0x05",
    "#u33d",
    "1.5m",
    "$1",
    ":x",
    "now()",
    "dateadd('d', 1, now())",
    "cast(",
    "as",
    "::",
    "timestamp",
    "int",
    "ttl",
    "3h",
    "'",
    "\"",
    "/*",
    "--",
    ";",
    ".",
    "é",
    "😀",
];

fn statement() -> impl Strategy<Value = String> {
    let words = proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..30);
    let free = words.prop_map(|words| words.join(" "));
    let condition = proptest::collection::vec(proptest::sample::select(&WORDS[8..]), 1..20)
        .prop_map(|words| format!("update t set i = 1 where {}", words.join(" ")));
    prop_oneof![any::<String>(), free, condition]
}

proptest! {
    #[test]
    fn no_statement_breaks_the_parser(sql in statement(), cut in 0_usize..200) {
        let sql: String = sql.chars().take(cut).collect();
        let units = sql.encode_utf16().count();
        match parse(&sql) {
            Err(error) => prop_assert!(error.position <= units, "{error}"),
            Ok(Statement::Update(update)) => compile_anything(&sql, &update),
            Ok(Statement::Alter(_)) => {}
        }
    }
}

/// Binds against a table that has a column of any name, of each type in turn, and asks it about nulls.
fn compile_anything(sql: &str, update: &Update) {
    let event = event(sql);
    let context = Context { event: &event, now_us: NOW, nanos: false };
    for code in [1, 2, 5, 6, 8, 10, 11, 12, 13, 19, 25, 26, 31 | 10 << 8 | 2 << 18] {
        let lookup = |_: &str| ColumnType::from_code(code).map(|ty| (0, ty));
        if let Ok(compiled) = CompiledUpdate::compile(update, &lookup, "ts", context)
            && let Some(filter) = compiled.filter
        {
            let _ = filter.matches(&|_| Value::Null);
        }
    }
}
