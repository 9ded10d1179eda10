//! QuestDB's write-ahead log, read from bytes.
//!
//! A reader asks a [`Files`] for byte ranges of paths relative to the database root and
//! never knows where these come from: a disk, a bucket, a browser's cache. Whatever is
//! damaged, unknown or hostile becomes an [`Error`] that names file, offset and what was
//! expected.

mod applied;
mod bind;
mod changes;
pub(crate) mod check;
mod commit;
pub(crate) mod cursor;
mod error;
mod event;
mod event_batch;
mod event_decode;
mod files;
mod layout;
mod meta;
pub mod ordered;
mod path;
mod pieces;
mod purge;
mod registry;
mod segment;
mod sequencer;
mod stretch;
mod symbol_text;
mod symbols;
mod table_meta;
mod types;

pub use applied::{Applied, AppliedPartition};
pub use bind::TypedBind;
pub use changes::{decode_change, read_change, read_changes, read_raw_change};
pub use check::{check_values, data_range};
pub use commit::{Commit, SymbolDiff, WalColumn};
pub use cursor::{Cursor, utf16_lossy};
pub use error::{Error, Result};
pub use event::{BindValue, Change, ColumnSpec, DataEvent, Event, SqlEvent, TxnKind, TxnRecord};
pub use event_batch::read_events;
pub use event_decode::{RawEvent, read_event, read_raw_event};
#[cfg(feature = "ledger")]
pub(crate) use files::names_in;
pub use files::{Files, MemoryFiles};
pub use layout::{Layout, LayoutField, LayoutFile, LayoutOptions, RawValue};
pub use meta::{MetaColumn, SequencerMeta};
pub use path::{REPLICA_MARK, SegmentId, is_replicas_own};
#[cfg(feature = "ledger")]
pub(crate) use pieces::concat;
pub use pieces::{Noted, Piece, PieceFiles};
pub use purge::{Cause, Survey};
pub use registry::{OWN_TABLE_IDS, Registry, TableKind, TableToken};
pub use segment::{
    SegmentMetas, Transaction, ask_transaction, read_commit, read_transaction, read_transaction_with,
};
pub use sequencer::{LogVersion, SequencerLog};
pub use stretch::{ColumnBytes, Stretch};
pub use symbol_text::{Odd, Symbol, SymbolText};
pub use symbols::{read_clean_symbols, read_table_symbols};
pub use table_meta::{TableMeta, TableMetaColumn, Ttl, read_name_file};
pub use types::{ColumnType, PartitionBy, Tag};
