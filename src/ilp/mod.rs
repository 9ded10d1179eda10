//! InfluxDB's line protocol as QuestDB 9.3.4 speaks it: lines of text (version 1), with binary doubles and arrays
//! (version 2) and binary decimals (version 3) among them.
//!
//! [`Parser`] reads a request's body line by line and accepts and refuses exactly what the server does, with its words.
//! The server does not look at a version: each field says by itself what it is. [`encode()`] writes rows as clients do.

mod array;
mod decimal;
mod encode;
mod error;
mod field;
mod number;
mod parser;
mod raw;
mod row;
mod scan;
mod value;

pub use decimal::Decimal;
#[cfg(feature = "sim")]
pub(crate) use encode::word;
pub use encode::{Version, encode};
pub use error::{LineError, Status};
pub(crate) use field::printed;
pub use field::{Array, Field, FieldValue, Line, Unit};
pub use parser::Parser;
pub use row::{Row, Value, parse};
