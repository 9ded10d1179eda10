//! Storage policies on a clock that can be played at any speed: instances of one table, each with its own schedule.
//!
//! A [`Lab`] begins with the table after a transaction of its log. From there on time runs in the table's own timestamps: a
//! transaction arrives when the clock reaches the newest row up to it, so late rows come late. Each instance has the real
//! [`Machine`](crate::policy::Machine), and what it makes is real: Parquet files are encoded, late rows put a partition back to
//! native as on a replica, and make a part of their own where it was dropped. Made up are how long work takes, the clocks, and the
//! bucket, which is a map. What comes of it depends on the log and the [`LabSettings`] alone.

mod convert;
mod feed;
mod instance;
mod run;
mod settings;
mod tasks;
mod told;

pub use convert::{Conversions, File, encode_partition};
pub use run::Lab;
pub use settings::{InstanceSettings, LabSettings, PolicyChange, PolicyStep};
pub use told::{
    Brick, BrickForm, BucketTold, Happened, InstanceTold, NextTold, PartitionTold, Told, WhyTold,
};
