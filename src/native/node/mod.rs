//! A node that runs by itself: `understudy run`.
//!
//! [`Standalone`] is what `replication.role=none` is: it takes lines and applies them, and no bucket knows of it.

mod standalone;

pub use standalone::{Standalone, StandaloneOptions};
