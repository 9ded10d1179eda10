//! The bucket that a cluster meets in: S3, Azure Blob Storage, Google Cloud Storage, HDFS, or a directory.
//!
//! | file | what happens there |
//! |---|---|
//! | [`connection`] | QuestDB's connection strings, `s3::bucket=..;root=..;` |
//! | [`limits`] | `replication.requests.*`: how many requests, how often, how long |
//! | [`answer`] | what a store can say to a request |
//! | [`store`] | a [`Bucket`]: keys checked, requests limited, repeated and timed out |
//! | [`observe`] | what those who measure are told of every try |
//! | `open` | a connection string becomes a client |
//! | `remote` | the stores that `object_store` speaks to, and what their answers mean |
//! | [`fs`] | a directory, ours: nothing is ever renamed over an object |
//! | [`mod@probe`] | proves that a store keeps what it has when it is told to |
//!
//! The one operation that everything rests on is **put-if-absent**. Of writers that race for a key one
//! gets [`PutAnswer::Stored`]; the others [`PutAnswer::Taken`], which says no more than "look at it".
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use understudy::native::bucket::{self, GetAnswer, PutAnswer};
//!
//! let connection: bucket::Connection = "fs::root=/mnt/cluster/log;atomic_write_dir=/mnt/cluster/scratch;".parse()?;
//! let bucket = bucket::open(&connection, bucket::RequestLimits::default())?;
//! bucket::probe(&bucket).await?;
//! match bucket.put_if_absent("log/1-a/0.pack", "bytes".into()).await {
//!     PutAnswer::Stored => println!("mine"),
//!     PutAnswer::Taken => match bucket.get("log/1-a/0.pack").await {
//!         GetAnswer::Found(there) => println!("{} bytes are there, perhaps mine", there.len()),
//!         other => println!("{other:?}"),
//!     },
//!     other => println!("not settled: {other:?}"),
//! }
//! # Ok(())
//! # }
//! ```

pub mod answer;
pub mod connection;
pub mod fs;
pub mod limits;
pub mod observe;
mod open;
pub mod probe;
mod remote;
pub mod store;
mod watch;

pub use answer::{GetAnswer, PutAnswer, Trouble, TroubleKind};
pub use connection::{Connection, Malformed};
pub use limits::RequestLimits;
pub use observe::Observe;
pub use open::{OpenError, open};
pub use probe::{ProbeError, probe};
pub use store::Bucket;
