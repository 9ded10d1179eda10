//! Partitions as Parquet files: those that QuestDB 9.3.4 has in place of a partition's column files.
//!
//! | QuestDB | Parquet | null |
//! |---|---|---|
//! | BOOLEAN | BOOLEAN, required | never |
//! | BYTE, SHORT | INT32, Int(8), Int(16), required | never |
//! | CHAR | INT32, UInt(16), required: one UTF-16 unit | unit 0 |
//! | INT, LONG | INT32, INT64 | |
//! | DATE | INT64, Timestamp(ms, UTC) | |
//! | TIMESTAMP, TIMESTAMP_NS | INT64, Timestamp(us, UTC), Timestamp(ns, UTC); the designated one required | |
//! | FLOAT, DOUBLE | FLOAT, DOUBLE | NaN |
//! | STRING, VARCHAR | BYTE_ARRAY, String | |
//! | SYMBOL | BYTE_ARRAY, String; pages of keys into a dictionary whose places are the table's keys | |
//! | BINARY | BYTE_ARRAY | |
//! | UUID | FIXED_LEN_BYTE_ARRAY(16), UUID, in the order of its text | |
//! | LONG256, LONG128 | FIXED_LEN_BYTE_ARRAY(32), (16), little-endian as stored | |
//! | IPv4 | INT32, UInt(32), most significant byte is the first octet | 0.0.0.0 |
//! | GEOHASH | INT32 or INT64, Int of its bytes | -1 |
//! | DECIMAL | FIXED_LEN_BYTE_ARRAY of its bytes, Decimal, big-endian | |
//! | DOUBLE[], DOUBLE[][] ... | BYTE_ARRAY: QuestDB's own layout, lengths of the dimensions, then the values | |
//!
//! Each column's field id is its writer index; the key `questdb` of the file's metadata has the types by position.

mod codec;
mod delta;
mod hybrid;
mod kind;
mod options;
mod read;
mod words;
mod write;

pub use options::{Codec, ColumnEncoding, Options};
pub use read::{ColumnReader, FileRows, ParquetFile, ParquetForm};
pub use write::{
    EncodeError, Encoded, Field, Job, PartRows, PartitionRows, PartitionWriter, Plan, RowSource, Run,
    RunTasks, Task, encode, encode_with, runs_of,
};
