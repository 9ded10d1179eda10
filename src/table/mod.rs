//! An applied table: schema, partitions, columns, symbol tables, values and their text.

mod value;

pub use value::Value;
