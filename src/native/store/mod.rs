//! A database in QuestDB's own files, written by applying a log.
//!
//! [`Worker`] brings one table forward, block after block; [`FileTable`] is the table in its directory; [`Database`]
//! is what lies beside the tables. All writing goes through [`Disk`].

mod away;
mod base;
mod block;
mod change;
mod column_out;
mod columns;
mod create;
mod database;
mod disk;
mod fed;
pub mod lock;
mod log;
mod other;
mod parquet;
mod partition;
mod parts;
mod plain_views;
mod publish;
mod repair;
mod run;
mod seal;
mod table;
mod update;
mod views;
mod worker;

pub use away::{Away, Blob, Forms, Whole, away_of, stamp};
pub use database::Database;
pub use disk::{Disk, DiskFile, DiskReader, Open, RealDisk};
pub use parquet::{Committed, Conversion, Converted, Dropped};
pub(crate) use plain_views::view_files;
pub use repair::STUCK;
pub use run::{Replication, ReplicationOptions};
pub use table::{CommitMode, FileTable};
pub use worker::{Step, Worker};
