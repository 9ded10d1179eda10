//! Integration tests: one program, a module per matter.
#![cfg(not(target_arch = "wasm32"))]
// The bans are for the pure rooms; a test reads files and starts programs, and fails by panicking.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    clippy::unwrap_used
)]
#![allow(unreachable_pub, reason = "modules that other test programs share")]

#[path = "../common/mod.rs"]
mod common;

mod applied;
mod away;
mod blocks;
#[cfg(feature = "native")]
mod cli;
#[cfg(feature = "native")]
mod cluster;
#[path = "../common/cluster.rs"]
mod cluster_made;
mod convert;
mod crashes;
#[path = "../common/crashing.rs"]
mod crashing;
mod forms;
mod house;
mod indexes;
#[cfg(feature = "parquet-form")]
mod lab;
#[cfg(feature = "signing")]
mod ledger_formats;
#[cfg(feature = "ledger")]
mod ledger_mirror;
mod ledger_model;
mod ledger_watch;
#[cfg(feature = "ledger")]
mod lines;
#[path = "../common/packed.rs"]
mod packed;
mod parquet;
#[cfg(feature = "native")]
mod policies;
mod policy_model;
mod recordings;
#[cfg(feature = "native")]
mod shipping;
#[path = "../common/sim_disk.rs"]
mod sim_disk;
mod sql;
mod store;
mod table_check;
mod table_files;
mod text;
mod wal_hostile;
mod wal_lazy;
mod wal_pieces;
mod wal_recordings;
