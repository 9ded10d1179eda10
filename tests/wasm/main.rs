//! Tests of the crate as WebAssembly. `scripts/wasm.sh test` runs each of them in node and
//! in Chromium, so none of them may need a page or a file system.
#![cfg(target_arch = "wasm32")]

#[path = "../common/mod.rs"]
mod common;

mod engine;
mod extents;
#[cfg(feature = "web-parquet")]
mod lab;
mod ledger;
mod recordings;
#[cfg(feature = "web-sim")]
mod sim;
