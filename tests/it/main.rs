//! Integration tests: one program, a module per matter.
#![cfg(not(target_arch = "wasm32"))]
// The bans are for the pure rooms; a test reads files and starts programs.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros)]

#[path = "../common/mod.rs"]
mod common;

mod blocks;
mod convert;
mod house;
mod recordings;
mod sql;
mod text;
mod wal_hostile;
mod wal_lazy;
mod wal_recordings;
