//! Integration tests: one program, a module per matter.
#![cfg(not(target_arch = "wasm32"))]

mod house;
