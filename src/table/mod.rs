//! An applied table: schema, partitions, columns, symbol tables, values and their text.
//!
//! State is persistent: cloning a [`Table`] shares every row, and applying a transaction copies only
//! the blocks that it touches.

pub mod calendar;
mod cell;
pub mod chunk;
mod difference;
mod digest;
pub mod files;
mod null;
mod partition;
mod raw;
mod schema;
mod state;
mod store;
mod symbols;
pub mod text;
mod value;

pub use calendar::Calendar;
pub use cell::value_of;
pub use chunk::Chunk;
pub use difference::{RowDifference, Side, differences};
pub use digest::{BlockDigest, DIGEST_VERSION, Digest};
pub use null::null_pattern;
pub use partition::{BLOCK_ROWS, Block, Partition};
pub use raw::raw_text;
pub use schema::{Column, Schema, ttl_text};
pub use state::{Standing, Table};
pub use symbols::SymbolTable;
pub use value::Value;
