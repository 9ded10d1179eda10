//! Understudy: an open replica for QuestDB.
//!
//! The map of the house, from the bytes up. Dependencies point one way: a room
//! may use the rooms above it in this list, never one below.
//!
//! | room | what happens there |
//! |---|---|
//! | [`wal`] | QuestDB's write-ahead log: registry, sequencer log, segments, events, symbols |
//! | [`table`] | an applied table: schema, partitions, columns, symbol tables, values and their text |
//! | [`columnar`] | a table's rows as Arrow record batches and as Parquet (features `columnar`, `parquet-form`) |
//! | [`apply`] | applies transactions to a table: order, merge, dedup, replace, schema changes |
//! | [`policy`] | storage policies: what they say, and when a partition enters which stage |
//! | [`replay`] | a table's whole history: what is in the log, checkpoints, moving through it |
//! | [`lab`] | storage policies on a clock that can be played at any speed (feature `parquet-form`) |
//! | [`ilp`] | InfluxDB's line protocol as QuestDB speaks it: lines to values and back (feature `ledger`) |
//! | [`ledger`] | the replicated log in a bucket: its objects, and who may write, read, claim and clean (feature `ledger`) |
//! | [`sim`] | a cluster on virtual time, with faults that a seed decides, and a checker (feature `sim`) |
//! | [`node`] | a node as a state machine: roles, promotion, fencing, failover, and what it writes (feature `ledger`) |
//! | [`client`] | a sender of rows: the host walk, and store-and-forward (feature `ledger`) |
//! | `native` | drivers for a machine: files, HTTP, the command's verbs (feature `native`) |
//! | `web` | drivers for a browser tab: fetch, bindings (features `web`, `web-ledger`, `web-parquet`, `web-sim`) |
//!
//! Everything but `native` and `web` is pure: it takes bytes, events and `now`, and
//! returns state and actions. No clock, thread, file, socket or random source.

pub mod apply;
#[cfg(feature = "ledger")]
pub mod client;
#[cfg(any(feature = "columnar", feature = "parquet-form"))]
pub mod columnar;
#[cfg(feature = "ledger")]
pub mod ilp;
#[cfg(feature = "parquet-form")]
pub mod lab;
#[cfg(feature = "ledger")]
pub mod ledger;
#[cfg(feature = "native")]
pub mod native;
#[cfg(feature = "ledger")]
pub mod node;
pub mod policy;
pub mod replay;
mod rules;
#[cfg(feature = "ledger")]
mod secret;
#[cfg(feature = "sim")]
pub mod sim;
pub mod table;
pub mod wal;
// Clippy looks at it on any machine: not every compiler for wasm32 brings one along.
#[cfg(all(
    any(feature = "web", feature = "web-ledger", feature = "web-sim"),
    any(target_arch = "wasm32", clippy)
))]
pub mod web;
