//! How fast a partition becomes a Parquet file, and a file a partition's rows:
//! `cargo bench --bench parquet -- DB TABLE PARTITION OUT [--codec ZSTD] [--level 9] [--threads 2] [--runs 5]`.
//!
//! Prints a line of JSON: rows, bytes, seconds of every run of writing (columns read from their files, the Parquet
//! file written and not synced) and CPU seconds of the main thread meanwhile, and seconds of reading it back. `bench/parquet_vs_questdb` compares it with QuestDB.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    clippy::unwrap_used
)]

#[cfg(not(target_arch = "wasm32"))]
mod convert;

// The command's.
#[cfg(not(target_arch = "wasm32"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.is_empty() {
        println!(
            "usage: DB TABLE PARTITION OUT [--codec NAME] [--level N] [--threads N] [--runs N] [--rows N]"
        );
        return;
    }
    println!("{}", convert::run(&words));
}

#[cfg(target_arch = "wasm32")]
fn main() {}
