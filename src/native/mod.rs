//! Drivers for a machine: files, HTTP, and the verbs of the `understudy` command.
//!
//! | room | what happens there |
//! |---|---|
//! | [`bucket`] | object stores, and what they answer to a put-if-absent |
//! | [`client`] | a sender of rows: its network, disk and clock |
//! | [`cluster`] | a cluster's bucket, driven: the log written and followed, instances, journals |
//! | [`config`] | `server.conf` and the environment |
//! | [`disk`] | a `db` directory on this machine, as [`crate::wal::Files`] |
//! | [`http`] | the same directory behind a web server |
//! | [`index`] | `understudy-index.json`: the listing that a static server does not give |
//! | [`line_http`] | InfluxDB's line protocol over HTTP, as QuestDB answers it |
//! | [`metrics`] | what a node measures, and the server for it and for health checks |
//! | [`node`] | a node that runs by itself: `understudy run` |
//! | [`outcome`] | exit codes, failures |
//! | [`policies`] | storage policies in the log: the table that has them, and operators' wishes about them |
//! | [`primary`] | the writing side of a node: lines into the log, the log into tables |
//! | [`remote`] | partitions that storage policies have dropped from a directory, and that the bucket has |
//! | [`replica`] | a directory that follows a cluster's bucket |
//! | [`source`] | what a SOURCE argument means |
//! | [`serve`] | the page and a `db` directory over HTTP |
//! | [`ship`] | a database's log on its way into a bucket, beside QuestDB |
//! | [`simulate`] | many seeds of the simulator, on all cores |
//! | [`store`] | a database in QuestDB's own files, written by applying a log |
//! | `whole_file` | files that are there whole or not at all |
//! | [`export`] | rows as CSV, JSON, Arrow, Parquet |
//! | [`cli`] | arguments, output, exit codes, one file per verb |

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "a driver is where files, sockets, clocks and threads are"
)]

pub mod bucket;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod config;
pub mod disk;
pub mod export;
pub mod http;
pub mod index;
pub mod line_http;
pub mod metrics;
pub mod node;
pub mod outcome;
pub mod policies;
pub mod primary;
pub mod remote;
pub mod replica;
pub mod serve;
pub mod ship;
pub mod simulate;
pub mod source;
pub mod store;
mod whole_file;
