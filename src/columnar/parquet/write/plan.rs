use super::{EncodeError, Job, Run};
use crate::columnar::parquet::Options;
use crate::columnar::parquet::kind::{DESIGNATED, Physical, never_null, physical};
use crate::table::files::read::AppliedTable;
use crate::table::{Schema, SymbolTable};
use crate::wal::{ColumnType, TableMeta, Tag};
use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};
use serde::Serialize;
use std::ops::Range;
use std::sync::Arc;

/// A column of the file.
#[derive(Debug, Clone)]
pub struct Field {
    /// The table's name of it.
    pub name: String,
    /// QuestDB's type.
    pub ty: ColumnType,
    /// Writer index, which becomes the field id.
    pub index: usize,
    /// The designated timestamp.
    pub designated: bool,
    /// Encoding, codec and level that the column asks for, as `_meta` packs them.
    pub config: i32,
    /// Rows above the column's first value; all rows, if it is newer.
    pub top: usize,
}

/// What a file will look like: columns, row groups, settings.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(super) fields: Vec<Arc<Field>>,
    pub(super) schema: TypePtr,
    pub(super) descriptor: Arc<SchemaDescriptor>,
    pub(super) options: Arc<Options>,
    rows: usize,
}

impl Field {
    /// The columns of a partition's file: those of [`of_meta`](Self::of_meta), with the rows above the first value of
    /// each, if the partition is one part.
    pub fn of_partition(table: &AppliedTable, meta: &TableMeta, parts: &Range<usize>) -> Vec<Self> {
        let mut fields = Self::of_meta(&table.schema, meta);
        if let Some([part]) = table.applied.partitions.get(parts.clone()) {
            for field in &mut fields {
                let top = table.versions.top(part.ts, field.index, part.rows).unwrap_or(part.rows);
                field.top = if part.parquet { 0 } else { top.min(part.rows) as usize };
            }
        }
        fields
    }

    /// The columns of [`of_table`](Self::of_table), with what `_meta` asks of each.
    pub fn of_meta(schema: &Schema, meta: &TableMeta) -> Vec<Self> {
        let mut fields = Self::of_table(schema);
        for field in &mut fields {
            field.config = meta.columns.get(field.index).map_or(0, |column| column.parquet_encoding);
        }
        fields
    }

    /// The live columns of a table in the order of `SELECT *`, none with a setting or a top of its own.
    pub fn of_table(schema: &Schema) -> Vec<Self> {
        let field = |(index, column): (usize, &crate::table::Column)| Self {
            name: column.name.clone(),
            ty: column.ty,
            index,
            designated: index == schema.timestamp,
            config: 0,
            top: 0,
        };
        schema.live().map(field).collect()
    }
}

impl Plan {
    /// Of a file with these columns, in the order of `SELECT *`, and so many rows.
    ///
    /// # Errors
    /// [`EncodeError::Parquet`] for a schema that Parquet can't have.
    pub fn new(table: &str, fields: Vec<Field>, rows: usize, options: Options) -> Result<Self, EncodeError> {
        let columns =
            fields.iter().map(|field| column_type(field).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        let schema = Arc::new(Type::group_type_builder(table).with_fields(columns).build()?);
        let descriptor = Arc::new(SchemaDescriptor::new(schema.clone()));
        let fields = fields.into_iter().map(Arc::new).collect();
        Ok(Self { fields, schema, descriptor, options: Arc::new(options), rows })
    }

    /// The columns.
    pub fn fields(&self) -> &[Arc<Field>] {
        &self.fields
    }

    /// Rows of the file.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The rows of each row group.
    pub fn groups(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (rows, step) = (self.rows, self.options.row_group_rows.max(1));
        (0..rows).step_by(step).map(move |from| from..rows.min(from + step))
    }

    /// What there is to do for one column, by its place in [`fields`](Self::fields), of one row group. `runs` are its
    /// rows of that group; `symbols` is a SYMBOL's dictionary, whose keys are the server's.
    ///
    /// Jobs depend on nothing but what they hold: they may run at the same time, in any order.
    pub fn job(&self, place: usize, runs: Vec<Run>, symbols: Option<SymbolTable>) -> Option<Job> {
        let field = self.fields.get(place)?.clone();
        let descriptor = self.descriptor.columns().get(place)?.clone();
        Some(Job { field, descriptor, options: self.options.clone(), runs, symbols })
    }

    /// QuestDB's own metadata; `ascii` by place says which VARCHARs are ASCII throughout.
    pub(super) fn metadata(&self, ascii: &[bool]) -> String {
        let schema = self.fields.iter().enumerate().map(|(place, field)| {
            let symbol = field.ty.is_symbol().then_some(1);
            let varchar = field.ty.tag() == Tag::Varchar;
            Described {
                column_type: field.ty.code() | if field.designated { DESIGNATED } else { 0 },
                column_top: field.top.min(self.rows),
                format: symbol,
                ascii: varchar.then(|| ascii.get(place).copied().unwrap_or(false)),
            }
        });
        let described = Metadata { version: 1, schema: schema.collect() };
        serde_json::to_string(&described).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Metadata {
    version: u32,
    schema: Vec<Described>,
}

#[derive(Serialize)]
struct Described {
    column_type: i32,
    column_top: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ascii: Option<bool>,
}

/// The column as Parquet's schema has it. What is required and what is optional is as QuestDB has it: it ends its
/// process where a file differs.
fn column_type(field: &Field) -> Result<Type, EncodeError> {
    let (kind, length) = match physical(field.ty) {
        Physical::Boolean => (PhysicalType::BOOLEAN, 0),
        Physical::Int32 => (PhysicalType::INT32, 0),
        Physical::Int64 => (PhysicalType::INT64, 0),
        Physical::Float => (PhysicalType::FLOAT, 0),
        Physical::Double => (PhysicalType::DOUBLE, 0),
        Physical::Bytes => (PhysicalType::BYTE_ARRAY, 0),
        Physical::Fixed(width) => (PhysicalType::FIXED_LEN_BYTE_ARRAY, width as i32),
    };
    let required = field.designated || never_null(field.ty);
    let (precision, scale) = field.ty.decimal();
    let (precision, scale) = (precision as i32, scale as i32);
    let utc = |unit| Some(LogicalType::timestamp(true, unit));
    let int = |bits, signed| Some(LogicalType::integer(bits, signed));
    let logical = match field.ty.tag() {
        Tag::Byte | Tag::GeoByte => int(8, true),
        Tag::Short | Tag::GeoShort => int(16, true),
        Tag::Char => int(16, false),
        Tag::Ipv4 => int(32, false),
        Tag::GeoInt => int(32, true),
        Tag::GeoLong => int(64, true),
        Tag::Date => utc(TimeUnit::MILLIS),
        Tag::Timestamp if field.ty.is_nanos() => utc(TimeUnit::NANOS),
        Tag::Timestamp => utc(TimeUnit::MICROS),
        Tag::String | Tag::Varchar | Tag::Symbol => Some(LogicalType::String),
        Tag::Uuid => Some(LogicalType::Uuid),
        _ if precision > 0 => Some(LogicalType::decimal(scale, precision)),
        _ => None,
    };
    let built = Type::primitive_type_builder(&field.name, kind)
        .with_repetition(if required { Repetition::REQUIRED } else { Repetition::OPTIONAL })
        .with_converted_type(ConvertedType::NONE)
        .with_logical_type(logical)
        .with_length(length)
        .with_precision(precision)
        .with_scale(scale)
        .with_id(i32::try_from(field.index).ok());
    Ok(built.build()?)
}
