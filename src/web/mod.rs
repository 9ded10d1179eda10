//! The engine in a browser tab or any other JavaScript: bindings, and files that arrive by `fetch`.
//!
//! | part | what it does |
//! |---|---|
//! | [`Engine`] | the class that JavaScript sees: `pkg/types.d.ts`, as `pkg/index.js` wraps it |
//! | [`dto`] | plain data for JavaScript, converted by hand from the engine's own types |
//! | [`files`] | [`wal::Files`](crate::wal::Files) over a cache: notes what is wanted, fetches it, lets go of what is old |
//! | [`extents`] | the parts of one file that are in the cache |
//! | [`crc32`] | the checksum of what was read |
//! | [`origin`] | where bytes come from: an address, dropped files |
//! | [`http`] | one request with retries |
//!
//! Nothing here waits inside the engine: a call answers [`Error::Pending`](crate::wal::Error::Pending),
//! the driver fetches all that was asked for at once, and makes the same call again.

mod bytes_view;
pub mod crc32;
pub mod dto;
mod engine;
pub mod extents;
mod failure;
pub mod files;
pub mod http;
mod js;
pub mod origin;
mod overview;
mod slot;
mod state;
mod transaction;

pub use engine::Engine;
pub use failure::{Failure, FailureKind};
