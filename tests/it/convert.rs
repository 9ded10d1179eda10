//! Conversions between column types against a real QuestDB's (`tests/record/probe_convert.py`).

use ethnum::I256;
use proptest::prelude::*;
use understudy::apply::convert::{self, Suspends};
use understudy::table::Value;
use understudy::table::text::{self, CSV_LINE_END};
use understudy::wal::{ColumnType, Tag};

use crate::text::{Column, any_type, any_value, compare_rows, fixture};

#[test]
fn every_pair_of_types_ends_as_on_the_server() {
    let files = fixture("convert/matrix");
    let (mut wrong, mut converted) = (Vec::new(), 0);
    for source in files.keys().filter_map(|name| name.strip_suffix("/type")) {
        let column = Column::read(&files, source);
        let prefix = format!("{source}/to/");
        for (name, content) in files.range(prefix.clone()..).take_while(|(name, _)| name.starts_with(&prefix))
        {
            let end = content.iter().position(|&b| b == b'\n').expect("a first line");
            let (head, body) = (std::str::from_utf8(&content[..end]).expect("text"), &content[end + 1..]);
            let (code, outcome) = head.split_once(' ').expect("code and outcome");
            let to = column_type(code);
            let kind = outcome.split(' ').next().unwrap_or_default();
            match (compare(&column, to, kind, body), kind) {
                (Ok(()), "ok") => converted += 1,
                (Ok(()), _) => {}
                (Err(difference), _) => wrong.push(format!("{name} ({outcome}): {difference}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} pairs:\n{}", wrong.len(), wrong.join("\n"));
    assert!(converted > 120, "only {converted} pairs converted");
}

fn column_type(code: &str) -> ColumnType {
    ColumnType::from_code(code.parse().expect("a number")).expect("a type that columns have")
}

fn compare(column: &Column, to: ColumnType, outcome: &str, body: &[u8]) -> Result<(), String> {
    let converter = match (convert::converter(column.ty, to), outcome) {
        (Err(_), "refused") => return Ok(()),
        (Err(_), _) => return Err("we refuse it".into()),
        (Ok(_), "refused") => return Err("we don't refuse it".into()),
        (Ok(converter), _) => converter,
    };
    let mut scratch = Vec::new();
    let mut rows = Vec::new();
    for row in 0..column.rows() {
        match converter.convert(column.raw_value(row), &mut scratch) {
            Ok(value) => {
                let mut out = Vec::new();
                text::write_csv(&mut out, value, to);
                out.extend_from_slice(CSV_LINE_END);
                rows.push(out);
            }
            Err(_) if outcome == "fails" => return Ok(()),
            Err(e) => return Err(format!("row {row}: {e}")),
        }
    }
    if outcome == "fails" {
        return Err("we don't fail".into());
    }
    let start = body.iter().position(|&b| b == b'\n').map_or(0, |at| at + 1);
    compare_rows(&body[start..], rows.into_iter()).map(|_| ()).map_err(|difference| {
        let row = difference.split([' ', ':']).nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
        format!("{difference} from {:?}", column.value(row))
    })
}

#[test]
fn a_decimal_takes_what_fits_and_the_rest_suspends_the_table() {
    let files = fixture("convert/matrix");
    let lines = std::str::from_utf8(&files["decimals"]).expect("text");
    let (mut wrong, mut fitted, mut failed) = (Vec::new(), 0, 0);
    for line in lines.lines() {
        let (source, rest) = line.split_once(' ').expect("the source's code");
        let (rest, result) = rest.rsplit_once(' ').expect("the result");
        let (value, target) = rest.rsplit_once(' ').expect("the target's code");
        let (from, to) = (column_type(source), column_type(target));
        let converter = convert::converter(from, to).expect("the server accepts it");
        let mut scratch = Vec::new();
        let ours = match converter.convert(literal(value, from), &mut scratch) {
            Ok(Value::Null) => "null".to_owned(),
            Ok(value) => {
                let mut out = Vec::new();
                text::write_text(&mut out, value);
                String::from_utf8(out).expect("digits")
            }
            Err(Suspends::Decimal | Suspends::Unsupported) => "fails".to_owned(),
        };
        if result == "fails" {
            failed += 1
        } else {
            fitted += 1
        }
        if ours != result {
            wrong.push(format!("{line}: ours {ours}"));
        }
    }
    assert!(wrong.is_empty(), "{} values:\n{}", wrong.len(), wrong.join("\n"));
    assert!(fitted > 300 && failed > 300, "{fitted} fitted, {failed} failed");
}

/// `null`, `12`, `cast(12 as byte)`, `1.25m`.
fn literal(text: &str, ty: ColumnType) -> Value<'static> {
    if text == "None" {
        return Value::Null;
    }
    let digits = text.trim_start_matches("cast(").split(' ').next().unwrap_or_default();
    let number = || digits.parse::<i64>().expect("a number");
    match ty.tag() {
        Tag::Byte => Value::Byte(number() as i8),
        Tag::Short => Value::Short(number() as i16),
        Tag::Int => Value::Int(number() as i32),
        Tag::Long => Value::Long(number()),
        _ => {
            let unscaled: String = digits.chars().filter(|c| c.is_ascii_digit() || *c == '-').collect();
            Value::Decimal { unscaled: unscaled.parse::<I256>().expect("digits"), scale: ty.decimal().1 }
        }
    }
}

proptest! {
    #[test]
    fn no_value_is_too_odd_to_convert(value in any_value(), from in any_type(), to in any_type()) {
        if let Ok(converter) = convert::converter(from, to) {
            let mut scratch = Vec::new();
            for value in value.values() {
                if let Ok(converted) = converter.convert(value, &mut scratch) {
                    let mut out = Vec::new();
                    text::write_csv(&mut out, converted, to);
                    prop_assert!(out.len() <= 6_000);
                }
            }
        }
    }
}
