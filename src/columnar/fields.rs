use crate::table::{Schema, Table};
use crate::wal::{ColumnType, Tag};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, TimeUnit};
use std::collections::HashMap;
use std::sync::Arc;

/// Key of a field's metadata: the type as QuestDB's SQL writes it.
pub const TYPE_KEY: &str = "questdb.type";
/// Key of the schema's metadata: the table's name.
pub const TABLE_KEY: &str = "questdb.table";
/// Key of the schema's metadata: the last transaction in the rows.
pub const SEQ_TXN_KEY: &str = "questdb.seq_txn";
/// Key of the schema's metadata: the designated timestamp's column.
pub const TIMESTAMP_KEY: &str = "questdb.timestamp";

/// The Arrow type of a column.
pub fn data_type(ty: ColumnType) -> DataType {
    let utc = || Some(Arc::from("UTC"));
    match ty.tag() {
        Tag::Boolean => DataType::Boolean,
        Tag::Byte | Tag::GeoByte => DataType::Int8,
        Tag::Short | Tag::GeoShort => DataType::Int16,
        Tag::Char => DataType::UInt16,
        Tag::Int | Tag::GeoInt => DataType::Int32,
        Tag::Long | Tag::GeoLong => DataType::Int64,
        Tag::Date => DataType::Timestamp(TimeUnit::Millisecond, utc()),
        Tag::Timestamp if ty.is_nanos() => DataType::Timestamp(TimeUnit::Nanosecond, utc()),
        Tag::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, utc()),
        Tag::Float => DataType::Float32,
        Tag::Double => DataType::Float64,
        Tag::String | Tag::Varchar => DataType::Utf8,
        Tag::Symbol => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        Tag::Binary => DataType::Binary,
        Tag::Uuid | Tag::Long128 => DataType::FixedSizeBinary(16),
        Tag::Long256 => DataType::FixedSizeBinary(32),
        Tag::Ipv4 => DataType::UInt32,
        Tag::Array => {
            (0..ty.array_dims()).fold(DataType::Float64, |inner, _| DataType::List(Arc::new(item(inner))))
        }
        Tag::Decimal8
        | Tag::Decimal16
        | Tag::Decimal32
        | Tag::Decimal64
        | Tag::Decimal128
        | Tag::Decimal256 => decimal(ty),
    }
}

/// The Arrow schema of a table's live columns, in the order of `SELECT *`.
pub(super) fn arrow_schema(table: &Table) -> ArrowSchema {
    let schema = &*table.schema;
    let fields: Vec<Field> = schema
        .live()
        .map(|(_, column)| {
            let field = Field::new(&column.name, data_type(column.ty), nullable(column.ty));
            field.with_metadata(HashMap::from([(TYPE_KEY.to_owned(), column.ty.to_string())]))
        })
        .collect();
    ArrowSchema::new_with_metadata(fields, metadata(table, schema))
}

/// The field of a list's elements.
pub(super) fn item(inner: DataType) -> Field {
    Field::new("item", inner, true)
}

/// Precision and scale as Arrow wants them: within its limits, whatever the stored type code says.
pub(super) fn precision_and_scale(ty: ColumnType) -> (u8, i8) {
    let (precision, scale) = ty.decimal();
    let precision = precision.clamp(1, 76) as u8;
    (precision, scale.min(u32::from(precision)) as i8)
}

fn decimal(ty: ColumnType) -> DataType {
    let (precision, scale) = precision_and_scale(ty);
    if precision <= 38 {
        DataType::Decimal128(precision, scale)
    } else {
        DataType::Decimal256(precision, scale)
    }
}

fn nullable(ty: ColumnType) -> bool {
    !matches!(ty.tag(), Tag::Boolean | Tag::Byte | Tag::Short)
}

fn metadata(table: &Table, schema: &Schema) -> HashMap<String, String> {
    let mut metadata = HashMap::from([
        (TABLE_KEY.to_owned(), table.name.clone()),
        (SEQ_TXN_KEY.to_owned(), table.seq_txn.to_string()),
    ]);
    if let Some(column) = schema.columns.get(schema.timestamp) {
        metadata.insert(TIMESTAMP_KEY.to_owned(), column.name.clone());
    }
    metadata
}
