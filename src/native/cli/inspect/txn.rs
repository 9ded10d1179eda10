//! One transaction: in a line, and down to its bytes.

use super::super::out::Out;
use super::super::progress::grouped;
use super::super::tables::{self, clean};
use super::super::when;
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::source::Source;
use crate::replay::History;
use crate::table::raw_text;
use crate::wal::{
    Cause, Change, Error, Event, Layout, LayoutField, LayoutOptions, SegmentId, TableToken, TxnKind,
    TxnRecord, read_change, read_event,
};
use serde_json::{Value, json};

/// Characters of a statement in a line.
const STATEMENT_SHOWN: usize = 80;

/// A transaction in a line.
pub(super) struct Brief {
    pub(super) seq_txn: u64,
    commit_ts: i64,
    kind: TxnKind,
    rows: Option<u64>,
    what: String,
}

/// What a transaction is, without its rows.
pub(super) enum Content {
    Event(Event),
    Change(Change),
    Drop,
}

impl Content {
    fn read(source: &Source, history: &History, record: &TxnRecord) -> std::result::Result<Self, Error> {
        let dir = &history.token.dir;
        source.drive(|files| {
            Ok(match (record.segment(), record.kind) {
                (Some((segment, txn)), _) => Self::Event(read_event(files, dir, segment, txn)?),
                (None, TxnKind::Structure) => {
                    Self::Change(read_change(files, dir, record.structure_version)?)
                }
                (None, _) => Self::Drop,
            })
        })
    }

    fn rows(&self) -> Option<u64> {
        match self {
            Self::Event(Event::Data(data)) => Some(data.row_hi.saturating_sub(data.row_lo)),
            _ => None,
        }
    }

    fn text(&self, nanos: bool) -> String {
        match self {
            Self::Event(Event::Data(data)) => {
                let span = |lo, hi| format!("{} ... {}", stamp(lo, nanos), stamp(hi, nanos));
                let mut text = match data.replace {
                    Some((lo, hi)) => format!("replace {}", span(lo, hi)),
                    None if data.row_hi == data.row_lo => "no rows".to_owned(),
                    None => span(data.min_ts, data.max_ts),
                };
                if data.out_of_order {
                    text.push_str(", out of order");
                }
                let symbols: usize = data.symbols.iter().map(|diff| diff.entries.len()).sum();
                if symbols > 0 {
                    let plural = if symbols == 1 { "" } else { "s" };
                    text.push_str(&format!(", {} new symbol{plural}", grouped(symbols as u64)));
                }
                text
            }
            Self::Event(Event::Truncate) => "truncate".to_owned(),
            Self::Event(Event::Sql(sql)) => clean(&sql.sql),
            Self::Event(Event::MatViewInvalidate { invalid: true, reason, .. }) => {
                format!(
                    "materialized view invalidated: {}",
                    clean(reason.as_deref().unwrap_or("no reason given"))
                )
            }
            Self::Event(Event::MatViewInvalidate { .. }) => "materialized view state".to_owned(),
            Self::Event(Event::ViewDefinition { sql, .. }) => format!("view definition: {}", clean(sql)),
            Self::Change(change) => change_text(change),
            Self::Drop => "drop table".to_owned(),
        }
    }
}

impl Brief {
    pub(super) fn read(source: &Source, history: &History, record: &TxnRecord) -> Self {
        let content = Content::read(source, history, record);
        let what = match &content {
            Ok(content) => content.text(is_nanos(history)),
            Err(error) => trouble(history, record, error),
        };
        let rows = content.ok().and_then(|content| content.rows()).or(record.extent.map(|(_, _, rows)| rows));
        Self { seq_txn: record.seq_txn, commit_ts: record.commit_ts, kind: record.kind, rows, what }
    }

    pub(super) fn row(&self) -> Vec<String> {
        let mut what: String = self.what.chars().take(STATEMENT_SHOWN).collect();
        if what.len() < self.what.len() {
            what.push('…');
        }
        vec![
            grouped(self.seq_txn),
            when::show(self.commit_ts),
            writer(self.kind),
            self.rows.map(grouped).unwrap_or_default(),
            what,
        ]
    }

    pub(super) fn told(&self) -> Value {
        json!({
            "txn": self.seq_txn, "committed": when::show(self.commit_ts), "kind": kind_name(self.kind),
            "writer": writer(self.kind), "rows": self.rows, "what": self.what,
        })
    }
}

/// Prints one transaction whole.
///
/// `items` limits the rows of each column and the symbols of each list.
pub(super) fn show(
    out: &Out,
    source: &Source,
    token: &TableToken,
    seq_txn: u64,
    items: usize,
) -> Result<Exit> {
    let history = tables::history(source, token)?;
    let Some(record) = history.record(seq_txn).copied() else {
        let failure = if seq_txn >= 1 && seq_txn <= history.txn_count() {
            Failure::new(Exit::Purged, format!("the record of transaction {} was purged", grouped(seq_txn)))
        } else {
            let count = grouped(history.txn_count());
            Failure::failed(format!("{} has transactions 1 ... {count}", clean(&token.name)))
        };
        return Err(failure);
    };
    let content = Content::read(source, &history, &record);
    let mut facts = record_facts(&history, &record);
    let exit = match &content {
        Ok(content) => {
            facts.extend(content_facts(content, is_nanos(&history)));
            Exit::Ok
        }
        Err(error) => {
            facts.push(("content", trouble(&history, &record, error)));
            match history.survey.cause(seq_txn, error) {
                Cause::Purged => Exit::Ok,
                Cause::Damage => crate::native::outcome::exit_of(error),
            }
        }
    };
    let options = LayoutOptions { items, text: &raw_text };
    let layout = source.drive(|files| Layout::read(files, &history.log, &record, &options))?;
    let mut text: String = facts.iter().map(|(name, value)| format!("{name:<18}{value}\n")).collect();
    text.push_str(&layout_text(&layout));
    out.text(text)?;
    if layout.truncated {
        out.note(format!("more than {items} rows or symbols are left out; --limit 0 shows all"));
    }
    let facts: serde_json::Map<String, Value> =
        facts.into_iter().map(|(name, value)| (name.replace(' ', "_"), value.into())).collect();
    out.json(&json!({ "table": token.name, "directory": token.dir, "txn": seq_txn, "facts": facts, "layout": layout_told(&layout) }))?;
    Ok(exit)
}

type Facts = Vec<(&'static str, String)>;

fn record_facts(history: &History, record: &TxnRecord) -> Facts {
    let (file, offset, len) = history.log.place(record.seq_txn);
    let mut facts = vec![
        ("transaction", grouped(record.seq_txn)),
        ("kind", kind_name(record.kind).to_owned()),
        ("committed", when::show(record.commit_ts)),
        ("structure version", record.structure_version.to_string()),
        ("record", format!("{} at offset {offset}, {len} bytes", clean(&file))),
    ];
    if let Some((SegmentId { wal, segment }, txn)) = record.segment() {
        facts.push(("segment", format!("wal{wal}/{segment}, its transaction {txn}")));
    }
    facts
}

fn content_facts(content: &Content, nanos: bool) -> Facts {
    let mut facts = Facts::new();
    match content {
        Content::Event(Event::Data(data)) => {
            let rows = data.row_hi.saturating_sub(data.row_lo);
            facts.push((
                "rows",
                format!("{}: {} to {} of the segment", grouped(rows), data.row_lo, data.row_hi),
            ));
            if rows > 0 {
                facts.push(("smallest", stamp(data.min_ts, nanos)));
                facts.push(("largest", stamp(data.max_ts, nanos)));
            }
            facts.push(("out of order", if data.out_of_order { "yes" } else { "no" }.to_owned()));
            facts.push(("dedup mode", dedup_mode(data.dedup_mode)));
            if let Some((lo, hi)) = data.replace {
                facts.push((
                    "replaces",
                    format!("{} up to, not including, {}", stamp(lo, nanos), stamp(hi, nanos)),
                ));
            }
            if let Some((base, refreshed)) = data.mat_view {
                facts.push((
                    "refreshed",
                    format!("to transaction {base} of the base table, {}", when::show(refreshed)),
                ));
            }
            for diff in &data.symbols {
                let sample: Vec<String> = diff.entries.iter().take(8).map(|symbol| clean(symbol)).collect();
                let more = diff.entries.len().saturating_sub(sample.len());
                let more =
                    if more > 0 { format!(" and {} more", grouped(more as u64)) } else { String::new() };
                facts.push((
                    "symbols",
                    format!(
                        "column {}: {} known, {} new: {}{more}",
                        diff.column,
                        grouped(diff.clean.into()),
                        grouped(diff.entries.len() as u64),
                        sample.join(", ")
                    ),
                ));
            }
        }
        Content::Event(Event::Sql(sql)) => {
            facts.push(("statement", clean(&sql.sql)));
            facts.push((
                "command",
                match sql.command {
                    2 => "ALTER".to_owned(),
                    3 => "UPDATE".to_owned(),
                    n => n.to_string(),
                },
            ));
            facts.push(("random seeds", format!("{}, {}", sql.seeds.0, sql.seeds.1)));
            for (i, value) in sql.indexed.iter().enumerate() {
                facts.push((
                    "bind value",
                    format!("${}: type {}, {}", i + 1, value.type_code, hex(value.bytes.as_deref())),
                ));
            }
            for (name, value) in &sql.named {
                facts.push((
                    "bind value",
                    format!(":{}: type {}, {}", clean(name), value.type_code, hex(value.bytes.as_deref())),
                ));
            }
        }
        other => facts.push(("what", other.text(nanos))),
    }
    facts
}

fn layout_text(layout: &Layout) -> String {
    let mut text = String::new();
    let mut shown = None;
    for field in &layout.fields {
        if shown != Some(field.file) {
            shown = Some(field.file);
            if let Some(file) = layout.files.get(field.file) {
                let role = if file.role.is_empty() { String::new() } else { format!("  ({})", file.role) };
                text.push_str(&format!(
                    "\n{}{}\n    offset  bytes  field\n",
                    clean(&file.path),
                    clean(&role)
                ));
            }
        }
        let name = format!("{}{}", "  ".repeat(field.depth), clean(&field.name));
        let line = format!("{:>10} {:>6}  {name:<32}  {}", field.offset, field.len, clean(&field.value));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn layout_told(layout: &Layout) -> Value {
    let files: Vec<Value> =
        layout.files.iter().map(|file| json!({ "path": file.path, "role": file.role })).collect();
    let field = |field: &LayoutField| {
        json!({
            "file": field.file, "offset": field.offset, "bytes": field.len, "name": field.name,
            "value": field.value, "depth": field.depth,
        })
    };
    let fields: Vec<Value> = layout.fields.iter().map(field).collect();
    json!({ "files": files, "fields": fields, "truncated": layout.truncated })
}

fn trouble(history: &History, record: &TxnRecord, error: &Error) -> String {
    match history.survey.cause(record.seq_txn, error) {
        Cause::Purged => "purged after QuestDB applied it".to_owned(),
        Cause::Damage => clean(&error.to_string()),
    }
}

fn change_text(change: &Change) -> String {
    let list = |names: &[String]| names.iter().map(|name| clean(name)).collect::<Vec<_>>().join(", ");
    match change {
        Change::AddColumns(columns) => {
            let columns: Vec<String> =
                columns.iter().map(|c| format!("{} {}", clean(&c.name), c.ty)).collect();
            format!("add column {}", columns.join(", "))
        }
        Change::DropColumns(names) => format!("drop column {}", list(names)),
        Change::RenameColumns(pairs) => {
            let pairs: Vec<String> =
                pairs.iter().map(|(from, to)| format!("{} to {}", clean(from), clean(to))).collect();
            format!("rename column {}", pairs.join(", "))
        }
        Change::RenameTable { from, to } => format!("rename table {} to {}", clean(from), clean(to)),
        Change::DedupEnable(keys) => {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            format!("deduplicate by columns {}", keys.join(", "))
        }
        Change::DedupDisable => "stop deduplicating".to_owned(),
        Change::ChangeType(column) => format!("change column {} to {}", clean(&column.name), column.ty),
    }
}

fn writer(kind: TxnKind) -> String {
    match kind {
        TxnKind::Wal { wal, segment, segment_txn } => format!("wal{wal}/{segment}:{segment_txn}"),
        TxnKind::Structure | TxnKind::Drop => "-".to_owned(),
    }
}

fn kind_name(kind: TxnKind) -> &'static str {
    match kind {
        TxnKind::Wal { .. } => "event",
        TxnKind::Structure => "structure",
        TxnKind::Drop => "drop",
    }
}

fn dedup_mode(mode: u8) -> String {
    match mode {
        0 => "as the table".to_owned(),
        1 => "none".to_owned(),
        2 => "upsert".to_owned(),
        3 => "replace a range".to_owned(),
        other => format!("{other}, not known"),
    }
}

fn is_nanos(history: &History) -> bool {
    let definition = &history.definition;
    definition
        .timestamp
        .and_then(|index| definition.columns.get(index))
        .is_some_and(|column| column.ty.is_nanos())
}

/// A designated timestamp as QuestDB prints it.
fn stamp(ts: i64, nanos: bool) -> String {
    use crate::table::{Value, text::write_text};
    let value = if nanos { Value::TimestampNs(ts) } else { Value::Timestamp(ts) };
    let mut text = Vec::new();
    write_text(&mut text, value);
    String::from_utf8_lossy(&text).into_owned()
}

fn hex(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    let text: String = bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > 32 { format!("{text}… ({} bytes)", bytes.len()) } else { text }
}
