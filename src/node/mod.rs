//! A node of a cluster: what it writes.

pub mod write;
