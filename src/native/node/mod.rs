//! A node that runs by itself: `understudy run`.
//!
//! [`Standalone`] is what `replication.role=none` is: it takes lines and applies them, and no bucket knows of it. A
//! [`Member`] belongs to a cluster: its [machine](crate::node::Machine) decides whether its directory is a replica's or a
//! primary's.
//!
//! | file | what happens there |
//! |---|---|
//! | `standalone` | a directory that takes lines |
//! | `member` | a node of a cluster: replica, primary, and from one to the other |
//! | `pilot` | the task that runs the machine: requests, timers, packs, orders |
//! | `reading` | objects fetched ahead, packs handed to the replica |
//! | `gate`, `lines` | whether writes are taken, and taking them |
//! | `aside` | what the history does not contain, and taking tables back |
//! | `orders`, `wishes` | how people reach a node: its directory, the bucket |
//! | `keeper` | what it remembers of its role |
//! | `short` | whether its log has all that it uploaded |
//! | `words` | what the machine decides, for people |

mod aside;
mod gate;
mod keeper;
mod lines;
mod member;
mod orders;
mod pilot;
mod reading;
mod short;
mod standalone;
mod wishes;
mod words;

pub use aside::divergent_in;
pub use member::{Member, MemberOptions, Stopper, Watch};
pub use orders::{NodeStatus, PromoteOrder, node_status, put_promote_order};
pub use standalone::{Standalone, StandaloneOptions};
use words::why;
pub use words::why_refused;
