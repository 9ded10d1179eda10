//! QuestDB's write-ahead log, read from bytes.
//!
//! A reader asks a [`Files`] for byte ranges of paths relative to the database root and
//! never knows where these come from: a disk, a bucket, a browser's cache. Whatever is
//! damaged, unknown or hostile becomes an [`Error`] that names file, offset and what was
//! expected.

mod commit;
mod error;
mod event;
mod files;
mod types;

pub use commit::{Commit, SymbolDiff, WalColumn};
pub use error::{Error, Result};
pub use event::{BindValue, Change, ColumnSpec, DataEvent, Event, SqlEvent, TxnKind, TxnRecord};
pub use files::{Files, MemoryFiles};
pub use types::{ColumnType, PartitionBy, Tag};
