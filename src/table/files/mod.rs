//! The files of an applied table, as QuestDB 9.3.4 keeps them: what a reader finds in a table's
//! directory, and the writes that bring it from one state to the next.
//!
//! Nothing here opens or writes a file. Decoders take bytes; encoders answer either the whole content of
//! a new file or [`Patch`]es in the order in which they must reach the disk.

mod bitmap;
mod block;
mod check;
mod commit;
mod cv;
mod dictionary;
mod event;
mod index;
mod meta;
mod names;
mod out;
mod patch;
pub mod read;
mod registry;
mod segment;
mod sequencer;
mod small;
mod txn;
mod view;

pub use bitmap::BitmapWriter;
pub use block::BlockFile;
pub use check::{Finding, Severity, check_database, check_database_with, check_table};
pub use commit::commit_segment;
pub use cv::ColumnVersions;
pub use dictionary::DictionaryWriter;
pub use event::{EventRows, EventSymbols, encode_rows_event};
pub use meta::{encode_meta, meta_checksum, meta_of_txn};
pub use names::{
    PARQUET_FILE, check_column_name, check_dir_name, check_distinct, column_file, partition_dir,
};
pub use patch::Patch;
pub use registry::{
    TabIndex, Upgrade, decode_wal_index, encode_registry, encode_registry_record, encode_wal_index,
    read_wal_index,
};
pub use segment::empty_segment;
pub use sequencer::{
    ChangeLog, LogRecord, LogWriter, encode_add_column, encode_segment_meta, encode_sequencer_meta,
    raw_change,
};
pub use small::{
    Todo, clear_todo, decode_name, decode_todo, encode_name, encode_todo_clean, restore_meta_todo,
};
pub use txn::{PartitionEntry, TxnFile, TxnState, column_structure_version, pack_structure_version};
pub use view::{MatViewDefinition, MatViewExtra, MatViewState, ViewDefinition};
