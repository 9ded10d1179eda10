//! Integration tests: one program, a module per matter.
#![cfg(not(target_arch = "wasm32"))]

#[path = "../common/mod.rs"]
mod common;

mod house;
mod recordings;
mod text;
mod wal_hostile;
mod wal_lazy;
mod wal_recordings;
