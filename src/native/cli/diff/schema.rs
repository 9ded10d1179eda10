//! Differences between two schemas.

use crate::table::{Column, Schema};

/// In words, for people; empty for equal schemas. Numbers of columns and versions count their history and are
/// not compared.
pub(super) fn differences(a: &Schema, b: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, a: String, b: String| {
        if a != b {
            found.push(format!("{what}: {a} in A, {b} in B"));
        }
    };
    compare("partition by", unit(a), unit(b));
    compare("TTL", ttl(a), ttl(b));
    compare("designated timestamp", timestamp(a), timestamp(b));
    for (_, column) in a.live() {
        match named(b, &column.name) {
            Some(other) => {
                let what = format!("column {}", column.name);
                compare(&what, column.ty.to_string(), other.ty.to_string());
                let key = |column: &Column| if column.upsert_key { "an upsert key" } else { "no upsert key" };
                compare(&what, key(column).to_owned(), key(other).to_owned());
                let index = |column: &Column| if column.indexed { "indexed" } else { "not indexed" };
                compare(&what, index(column).to_owned(), index(other).to_owned());
            }
            None => compare(&format!("column {}", column.name), column.ty.to_string(), "none".to_owned()),
        }
    }
    for (_, column) in b.live().filter(|(_, column)| named(a, &column.name).is_none()) {
        compare(&format!("column {}", column.name), "none".to_owned(), column.ty.to_string());
    }
    let order = |of: &Schema, other: &Schema| -> Vec<String> {
        let both = of.live().filter(|(_, column)| named(other, &column.name).is_some());
        both.map(|(_, column)| column.name.clone()).collect()
    };
    let (a, b) = (order(a, b), order(b, a));
    compare("order of columns", a.join(", "), b.join(", "));
    found
}

/// Writer indexes of the columns that both have, of the same type.
pub(super) fn pairs(a: &Schema, b: &Schema) -> Vec<(usize, usize)> {
    let other =
        |column: &Column| b.live().find(|(_, other)| other.name == column.name && other.ty == column.ty);
    a.live().filter_map(|(index, column)| Some((index, other(column)?.0))).collect()
}

/// True if rows can be told to belong to the same partition and time.
pub(super) fn comparable(a: &Schema, b: &Schema) -> bool {
    unit(a) == unit(b) && a.nanos() == b.nanos()
}

/// True if equal rows have equal digests: those count the writer indexes.
pub(super) fn same_digest(a: &Schema, b: &Schema) -> bool {
    let columns = |schema: &Schema| -> Vec<(usize, i32)> {
        let live = schema.columns.iter().enumerate().filter(|(_, column)| !column.dropped);
        live.map(|(index, column)| (index, column.ty.code())).collect()
    };
    a.timestamp == b.timestamp && columns(a) == columns(b)
}

fn named<'a>(schema: &'a Schema, name: &str) -> Option<&'a Column> {
    schema.live().map(|(_, column)| column).find(|column| column.name == name)
}

fn unit(schema: &Schema) -> String {
    schema.partition_by.name().unwrap_or("-").to_owned()
}

fn ttl(schema: &Schema) -> String {
    schema.ttl_text().unwrap_or_else(|| "none".to_owned())
}

fn timestamp(schema: &Schema) -> String {
    schema.columns.get(schema.timestamp).map_or_else(|| "none".to_owned(), |column| column.name.clone())
}
