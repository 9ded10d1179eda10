//! A table's rows in the columnar forms of others: as messages of Arrow's IPC format (record batches, and a stream of
//! them; feature `columnar`), and as [`parquet`] files (feature `parquet-form`).
//!
//! In Arrow:
//!
//! | QuestDB | Arrow | null |
//! |---|---|---|
//! | BOOLEAN | Boolean | never |
//! | BYTE, SHORT | Int8, Int16 | never |
//! | CHAR | UInt16, one UTF-16 unit | unit 0 |
//! | INT, LONG | Int32, Int64 | |
//! | DATE | Timestamp(ms, UTC) | |
//! | TIMESTAMP, TIMESTAMP_NS | Timestamp(us, UTC), Timestamp(ns, UTC) | |
//! | FLOAT, DOUBLE | Float32, Float64 | NaN and infinities, as in QuestDB |
//! | STRING, VARCHAR | Utf8; what is not valid becomes U+FFFD | |
//! | SYMBOL | Dictionary(Int32, Utf8) with the strings used in the exported rows | |
//! | BINARY | Binary | |
//! | UUID | FixedSizeBinary(16), in the order of its text | |
//! | LONG256, LONG128 | FixedSizeBinary(32), (16), little-endian as stored | |
//! | IPv4 | UInt32, most significant byte is the first octet | 0.0.0.0 |
//! | GEOHASH | Int8 ... Int64 by its bits | -1 |
//! | DECIMAL | Decimal128 up to precision 38, Decimal256 above | |
//! | DOUBLE[], DOUBLE[][] ... | List of Float64, nested once per dimension | |
//!
//! These are the logical types of QuestDB's own Parquet files, but for arrays. Each field carries
//! QuestDB's type in its metadata under [`TYPE_KEY`]; the schema carries table, transaction and
//! designated timestamp. An array without any element is an empty list whatever its shape was.

#[cfg(feature = "columnar")]
mod batch;
#[cfg(feature = "columnar")]
mod body;
#[cfg(feature = "columnar")]
mod columns;
#[cfg(feature = "columnar")]
mod fields;
#[cfg(feature = "columnar")]
mod message;
#[cfg(feature = "parquet-form")]
pub mod parquet;
#[cfg(feature = "columnar")]
mod stream;

#[cfg(feature = "columnar")]
pub use batch::{BATCH_ROWS, Export};
#[cfg(feature = "columnar")]
pub use fields::{SEQ_TXN_KEY, TABLE_KEY, TIMESTAMP_KEY, TYPE_KEY, data_type};
#[cfg(feature = "columnar")]
pub use stream::{stream, write_stream};
