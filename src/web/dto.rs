//! Plain data for JavaScript: `pkg/types.d.ts` says what each field means. Kept apart from the engine's
//! own types, so that neither binds the other; converted by hand.
#![allow(missing_docs, reason = "fields are documented where JavaScript looks")]

use serde::Serialize;

/// A step of the loading screen.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    pub phase: &'static str,
    pub loaded_bytes: f64,
    pub total_bytes: Option<f64>,
    pub detail: String,
}

/// What was really read, and what is held.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fetched {
    pub requests: u32,
    pub bytes: f64,
    pub files: u32,
    pub ranges_honoured: Option<bool>,
    pub retries: u32,
    pub memory_used: f64,
    pub memory_limit: f64,
    pub let_go: Vec<String>,
}

/// A file of which anything was read.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadFile {
    pub path: String,
    pub bytes: f64,
    pub size: Option<f64>,
    pub crc32: Option<String>,
}

/// Something wrong with one table or file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    pub severity: Severity,
    pub table: Option<String>,
    pub file: Option<String>,
    pub offset: Option<f64>,
    pub message: String,
    pub advice: Option<String>,
}

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Note,
    Warning,
    Error,
}

/// All tables.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    pub title: String,
    pub tables: Vec<TableInfo>,
    pub first_us: Option<f64>,
    pub last_us: Option<f64>,
    pub problems: Vec<Problem>,
}

/// One table of the overview.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableInfo {
    pub dir: String,
    pub name: String,
    pub id: i32,
    pub kind: &'static str,
    pub partition_by: &'static str,
    pub timestamp_column: String,
    pub timestamp_type: &'static str,
    pub created_us: f64,
    pub txn_count: f64,
    pub purged: Vec<(f64, f64)>,
    pub replayable: bool,
    pub first_txn: Option<f64>,
    pub dropped_at_txn: Option<f64>,
    pub applied_txn: Option<f64>,
    pub first_us: Option<f64>,
    pub last_us: Option<f64>,
}

/// How far rows can be trusted to be the server's.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum Standing {
    Exact,
    Diverged { seq_txn: f64, statement: String, reason: String, position: f64 },
    Suspended { seq_txn: f64, reason: String },
    Dropped { seq_txn: f64 },
}

/// A live column.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnInfo {
    pub index: usize,
    pub name: String,
    #[serde(rename = "type")]
    pub ty: String,
    pub designated: bool,
    pub upsert_key: bool,
    pub indexed: bool,
    pub symbols: Option<usize>,
}

/// A partition.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionInfo {
    pub name: String,
    pub rows: f64,
    pub bytes: f64,
    pub first_timestamp: String,
    pub last_timestamp: String,
    pub digest: String,
    pub touch: &'static str,
    pub first_row: f64,
}

/// What one transaction is.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    pub seq_txn: f64,
    pub kind: &'static str,
    pub commit_us: f64,
    pub summary: String,
    pub structure_version: f64,
    pub wal: Option<u32>,
    pub segment: Option<u32>,
    pub segment_txn: Option<u32>,
    pub rows: Option<f64>,
    pub min_timestamp: Option<String>,
    pub max_timestamp: Option<String>,
    pub out_of_order: Option<bool>,
    pub replace_range: Option<(String, String)>,
    pub rows_replaced: f64,
    pub rows_removed: f64,
    pub symbols_added: Vec<SymbolsAdded>,
    pub schema_change: Option<String>,
    pub sql: Option<String>,
    pub purged: bool,
}

/// New symbols of one column.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SymbolsAdded {
    pub column: String,
    pub count: usize,
    pub sample: Vec<String>,
}

/// The table at one place of its history.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableState {
    pub dir: String,
    pub name: String,
    pub seq_txn: f64,
    pub txn_count: f64,
    pub standing: Standing,
    pub rows: f64,
    pub bytes: f64,
    pub ttl: Option<String>,
    pub dedup: bool,
    pub structure_version: f64,
    pub columns: Vec<ColumnInfo>,
    pub partitions: Vec<PartitionInfo>,
    pub digest: String,
    pub transaction: Option<Transaction>,
    pub changed: Vec<(f64, f64)>,
    pub spent: Spent,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Spent {
    pub fetch: f64,
    pub decode: f64,
    pub apply: f64,
}

/// A window of rows as text.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RowsText {
    pub first: f64,
    pub total: f64,
    pub columns: Vec<RowsColumn>,
    pub rows: Vec<Vec<Option<String>>>,
    pub changed: Vec<bool>,
}

/// A column of [`RowsText`].
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RowsColumn {
    pub name: String,
    #[serde(rename = "type")]
    pub ty: String,
    pub numeric: bool,
}

/// The bytes of one transaction.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BytesView {
    pub seq_txn: f64,
    pub files: Vec<BytesFile>,
    pub fields: Vec<ByteField>,
    pub truncated: bool,
}

/// A file of [`BytesView`].
#[derive(Debug, Clone, Serialize)]
pub struct BytesFile {
    pub path: String,
    pub role: String,
}

/// A field of [`BytesView`].
#[derive(Debug, Clone, Serialize)]
pub struct ByteField {
    pub file: usize,
    pub offset: f64,
    pub length: f64,
    pub name: String,
    pub value: String,
    pub depth: usize,
}

/// Plain objects, `null` for what is absent.
///
/// # Errors
/// None for the types of this module.
pub fn to_js(value: &impl Serialize) -> Result<wasm_bindgen::JsValue, serde_wasm_bindgen::Error> {
    let serializer = serde_wasm_bindgen::Serializer::new().serialize_missing_as_null(true);
    value.serialize(&serializer)
}
