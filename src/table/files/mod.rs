//! The files of an applied table, as QuestDB 9.3.4 keeps them: what a reader finds in a table's
//! directory, and the writes that bring it from one state to the next.
//!
//! Nothing here opens or writes a file. Decoders take bytes; encoders answer either the whole content of
//! a new file or [`Patch`]es in the order in which they must reach the disk.

mod bitmap;
mod cv;
mod dictionary;
mod index;
mod meta;
mod names;
mod out;
mod patch;
mod txn;

pub use bitmap::BitmapWriter;
pub use cv::ColumnVersions;
pub use dictionary::DictionaryWriter;
pub use meta::{encode_meta, meta_checksum};
pub use names::{check_column_name, check_dir_name, check_distinct, column_file, partition_dir};
pub use patch::Patch;
pub use txn::{PartitionEntry, TxnFile, TxnState, column_structure_version, pack_structure_version};
