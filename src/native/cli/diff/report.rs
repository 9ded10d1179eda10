//! What is told of a table.

use super::table::rows_of;
use crate::native::cli::progress::grouped;
use crate::native::cli::tables::clean;
use crate::native::outcome::Exit;
use crate::table::text::write_text;
use crate::table::{Digest, RowDifference, Side, Value};
use crate::wal::TableToken;
use serde_json::{Value as Json, json};
use std::fmt::Write as _;

/// Characters of a value that are shown.
const SHOWN: usize = 100;

/// What was found of a table.
pub(super) struct Report {
    pub(super) name: String,
    directories: [Option<String>; 2],
    pub(super) txns: [Option<u64>; 2],
    pub(super) rows: [u64; 2],
    pub(super) partitions_compared: usize,
    /// Differences in the schema, in words.
    pub(super) schema: Vec<String>,
    /// Partitions that differ.
    pub(super) partitions: Vec<PartitionReport>,
    /// The first rows that differ.
    pub(super) differences: Vec<Shown>,
    /// There are more of those.
    pub(super) more: bool,
    /// The table could not be compared.
    pub(super) error: Option<(Exit, String)>,
}

/// A partition that differs.
pub(super) struct PartitionReport {
    pub(super) name: String,
    pub(super) rows: [u64; 2],
    /// Where equal rows have equal ones.
    pub(super) digests: Option<[Digest; 2]>,
}

/// A row that differs, in one column.
pub(super) struct Shown {
    partition: String,
    timestamp: String,
    kind: &'static str,
    /// Column, value in A, value in B.
    values: Vec<(String, String, String)>,
}

impl Report {
    /// Of a table of which nothing is compared yet, or that only one side has.
    pub(super) fn of_one(name: String, a: Option<&TableToken>, b: Option<&TableToken>) -> Self {
        let directory = |token: Option<&TableToken>| token.map(|token| token.dir.clone());
        Self {
            name,
            directories: [directory(a), directory(b)],
            txns: [None, None],
            rows: [0, 0],
            partitions_compared: 0,
            schema: Vec::new(),
            partitions: Vec::new(),
            differences: Vec::new(),
            more: false,
            error: None,
        }
    }

    pub(super) fn exit(&self) -> Exit {
        let equal = self.schema.is_empty() && self.partitions.is_empty();
        match (&self.error, &self.directories) {
            (Some((exit, _)), _) => *exit,
            (None, [Some(_), Some(_)]) if equal => Exit::Ok,
            _ => Exit::Diverged,
        }
    }

    pub(super) fn text(&self, limit: usize) -> String {
        let name = clean(&self.name);
        if let Some((_, message)) = &self.error {
            return format!("{name}: can't be compared: {}\n", clean(message));
        }
        let side = match &self.directories {
            [Some(_), None] => Some("A"),
            [None, Some(_)] => Some("B"),
            _ => None,
        };
        if let Some(side) = side {
            return format!("{name}: only in {side}\n");
        }
        let mut text = match self.exit() {
            Exit::Ok => {
                let rows = grouped(self.rows.first().copied().unwrap_or(0));
                format!(
                    "{name}: equal, {rows} rows in {} partitions\n",
                    grouped(self.partitions_compared as u64)
                )
            }
            _ => format!("{name}: differs\n"),
        };
        if let [Some(a), Some(b)] = self.txns
            && a != b
        {
            line(
                &mut text,
                format!("A is as of transaction {}, B as of transaction {}", grouped(a), grouped(b)),
            );
        }
        self.schema.iter().for_each(|what| line(&mut text, format!("schema: {}", clean(what))));
        let counts = self.partitions.iter().filter(|partition| matches!(partition.rows, [a, b] if a != b));
        for (place, partition) in counts.enumerate() {
            let [a, b] = partition.rows;
            match place.cmp(&limit) {
                std::cmp::Ordering::Less => line(
                    &mut text,
                    format!("partition {}: {} rows in A, {} in B", partition.name, grouped(a), grouped(b)),
                ),
                std::cmp::Ordering::Equal => line(&mut text, "... and more partitions".to_owned()),
                std::cmp::Ordering::Greater => {}
            }
        }
        self.differences.iter().for_each(|difference| difference.text(&mut text));
        if self.more {
            line(&mut text, "... and more rows; --limit shows them".to_owned());
        }
        text
    }

    pub(super) fn told(&self) -> Json {
        let partition = |partition: &PartitionReport| {
            let digests = partition.digests.map(|digests| digests.map(|digest| digest.to_string()));
            json!({ "partition": partition.name, "rows": partition.rows, "digests": digests })
        };
        json!({
            "table": self.name, "directories": self.directories, "txns": self.txns, "rows": self.rows,
            "result": self.exit(), "error": self.error.as_ref().map(|(_, message)| message),
            "schema": self.schema, "partitions": self.partitions.iter().map(partition).collect::<Vec<_>>(),
            "differences": self.differences.iter().map(Shown::told).collect::<Vec<_>>(), "more": self.more,
        })
    }
}

impl Shown {
    /// `columns` are the pairs that were compared.
    pub(super) fn new(
        partition: &str,
        difference: &RowDifference,
        sides: (Side<'_>, Side<'_>),
        columns: &[(usize, usize)],
    ) -> Self {
        let (left, right) = rows_of(difference);
        let value = |side: Side<'_>, row: Option<usize>, column: usize| {
            let Some((block, row)) = row.and_then(|row| side.partition.locate(row)) else {
                return String::new();
            };
            let symbols = side.symbols.get(column).and_then(Option::as_ref);
            show(block.value(row, column, side.schema, symbols))
        };
        let (side, row) = if left.is_some() { (sides.0, left) } else { (sides.1, right) };
        let timestamp = value(side, row, side.schema.timestamp);
        let (kind, places): (_, Vec<usize>) = match difference {
            RowDifference::Left(_) => ("only_a", (0..columns.len()).collect()),
            RowDifference::Right(_) => ("only_b", (0..columns.len()).collect()),
            RowDifference::Values { columns, .. } => ("values", columns.clone()),
            RowDifference::Order { .. } => ("order", Vec::new()),
        };
        let name = |index: usize| sides.0.schema.columns.get(index).map_or("", |column| column.name.as_str());
        let pairs = places.iter().filter_map(|place| columns.get(*place));
        let values = pairs
            .map(|(a, b)| (name(*a).to_owned(), value(sides.0, left, *a), value(sides.1, right, *b)))
            .collect();
        Self { partition: partition.to_owned(), timestamp, kind, values }
    }

    fn text(&self, text: &mut String) {
        let at = format!("{} in {}", self.timestamp, self.partition);
        let row = |side: fn(&(String, String, String)) -> &String| {
            let cells = self.values.iter().map(|value| format!("{}={}", clean(&value.0), side(value)));
            cells.collect::<Vec<_>>().join(" ")
        };
        match self.kind {
            "only_a" => line(text, format!("{at}: only in A: {}", row(|value| &value.1))),
            "only_b" => line(text, format!("{at}: only in B: {}", row(|value| &value.2))),
            "order" => line(text, format!("{at}: the rows of this timestamp are in another order")),
            _ => {
                for (column, a, b) in &self.values {
                    line(text, format!("{at}: {}: {a} in A, {b} in B", clean(column)));
                }
            }
        }
    }

    fn told(&self) -> Json {
        let side = |wanted: bool, text: &String| if wanted { Json::from(text.as_str()) } else { Json::Null };
        let value = |(column, a, b): &(String, String, String)| json!({ "column": column, "a": side(self.kind != "only_b", a), "b": side(self.kind != "only_a", b) });
        json!({
            "partition": self.partition, "timestamp": self.timestamp, "kind": self.kind,
            "values": self.values.iter().map(value).collect::<Vec<_>>(),
        })
    }
}

fn line(text: &mut String, what: String) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {what}");
}

/// A value on a line: text in quotes, bytes in hexadecimal, long ones cut.
fn show(value: Value<'_>) -> String {
    let text = match value {
        Value::Null => return "null".to_owned(),
        Value::Binary(bytes) => {
            let mut text = "0x".to_owned();
            for byte in bytes.iter().take(SHOWN) {
                let _ = write!(text, "{byte:02x}");
            }
            return if bytes.len() > SHOWN { format!("{text}... ({} bytes)", bytes.len()) } else { text };
        }
        Value::Long128(number) => return format!("{number:#034x}"),
        value => {
            let mut out = Vec::new();
            write_text(&mut out, value);
            String::from_utf8_lossy(&out).into_owned()
        }
    };
    let length = text.chars().count();
    let cut: String = text.chars().take(SHOWN).collect();
    let quoted = matches!(value, Value::Utf8(_) | Value::Utf16(_) | Value::Char(_));
    let cut = if quoted { format!("'{}'", clean(&cut)) } else { cut };
    if length > SHOWN { format!("{cut}... ({length} characters)") } else { cut }
}
