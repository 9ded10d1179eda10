//! The engine in a browser tab or any other JavaScript: bindings, and files that arrive by `fetch`.
//!
//! | part | what it does |
//! |---|---|
//! | `Engine` | the class that JavaScript sees: `pkg/types.d.ts`, as `pkg/index.js` wraps it |
//! | `dto` | plain data for JavaScript, converted by hand from the engine's own types |
//! | `files` | [`wal::Files`](crate::wal::Files) over a cache: notes what is wanted, fetches it, lets go of what is old |
//! | `extents` | the parts of one file that are in the cache |
//! | `crc32` | the checksum of what was read |
//! | `origin` | where bytes come from: an address, dropped files |
//! | `http` | one request with retries |
//! | `lab` | in the module with Parquet (feature `web-parquet`): storage policies on a clock that can be played at any speed |
//! | `sim` | a module of its own (feature `web-sim`): a simulated cluster |
//! | `ledger` | a module of its own (feature `web-ledger`): a replicated log in a bucket, as the files that `Engine` reads |
//!
//! Nothing here waits inside the engine: a call answers [`Error::Pending`](crate::wal::Error::Pending),
//! the driver fetches all that was asked for at once, and makes the same call again.

#[cfg(feature = "web")]
mod bytes_view;
#[cfg(feature = "web")]
pub mod crc32;
#[cfg(feature = "web")]
pub mod dto;
#[cfg(feature = "web")]
mod engine;
#[cfg(feature = "web")]
pub mod extents;
#[cfg(feature = "web")]
mod failure;
#[cfg(feature = "web")]
pub mod files;
#[cfg(feature = "web")]
pub mod http;
#[cfg(feature = "web")]
mod js;
#[cfg(feature = "web-parquet")]
pub mod lab;
#[cfg(feature = "web-ledger")]
pub mod ledger;
#[cfg(feature = "web")]
pub mod origin;
#[cfg(feature = "web")]
mod overview;
mod panic;
#[cfg(feature = "web-sim")]
mod sim;
#[cfg(feature = "web")]
mod slot;
#[cfg(feature = "web")]
mod state;
#[cfg(feature = "web")]
mod transaction;

#[cfg(feature = "web")]
pub use engine::Engine;
#[cfg(feature = "web")]
pub use failure::{Failure, FailureKind};
#[cfg(feature = "web-sim")]
pub use sim::WebSim;
