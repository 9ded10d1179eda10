//! The replicated log in a bucket: one history for the whole cluster, in immutable objects.
//!
//! This room knows what the objects look like and who may do what, and does nothing itself: [`Founder`], [`Writer`],
//! [`Reader`], [`Claimant`] and [`Cleaner`] say which request is next and take the answer. A driver sends the requests, waits, and
//! keeps the time. The rules that they keep are named W1 to W7 (writer), R1 to R5 (reader), P1 to P6 (promotion), C1 to
//! C4 (cleaner) and S1, S2 (snapshots); `docs/format.md` lists them beside the formats.
//!
//! - Each term has its own directory ([`Dir`]) and one process that writes in it.
//! - A term ends by a *seal* at the directory's first free number, put only if nothing is there. The seal names the
//!   directory in which the history goes on.
//! - Readers take number after number and never pass over a missing one, so all of them read one history.
//! - Nothing is decided by time, by a list of keys, or by what a store says about who was first.

mod action;
mod base;
mod block;
mod catalog;
mod check;
mod claimant;
mod cleaner;
mod codec;
mod contents;
mod encode;
mod error;
mod founder;
mod horizon;
mod identity;
mod journal;
mod json;
mod mirror;
mod object;
mod pack;
mod place;
mod point;
mod reader;
mod request;
mod rules;
#[cfg(feature = "signing")]
mod signing;
mod summary;
mod watch;
mod writer;

pub use action::{Action, Condition, GetAnswer, Pause, PutAnswer, Refused, Unsettled};
pub use base::{BUNDLE_BYTES_MAX, Base, BaseFiles, BaseKind, Bundle, BundlePiece};
pub use block::{BLOB_BYTES_MAX, BLOCK_INLINE_MAX, BLOCK_RAW_MAX, BLOCK_STORED_MAX, Block, Held};
pub use catalog::{Catalog, Copied, Happened, Passed};
pub use claimant::{Claimant, Progress};
pub use cleaner::Cleaner;
pub use codec::{Codec, ZSTD_WINDOW_MAX};
pub use error::{Error, Expected, Result};
pub use founder::{Founded, Founder};
pub use identity::{ClusterId, Dir, ParseError, Sum, Term, WriterId};
pub use journal::{JOURNAL_ROLLUP, Journal, JournalEntry, Note, PartitionForm, PolicyNote, StoredPartition};
pub use json::{
    Boundary, Cluster, Divergent, DivergentTable, Document, HeadHint, INDEX_NUMBERS, IndexBlock, IndexEntry,
    Manifest, Node, Parent, Part, Span,
};
pub use mirror::{Mirror, News};
pub use object::{Head, Kind, OBJECT_BYTES_MAX, Object, Sign};
pub use pack::{
    ANSWER_BYTES_MAX, CONTENTS_BYTES_MAX, FilePiece, NAME_BYTES_MAX, PATH_BYTES_MAX, Pack, RECORD_BYTES_MAX,
    RequestAnswer, Run, TableEntry, Token, WHY_BYTES_MAX, What,
};
pub use place::{Key, Place};
pub use point::Point;
pub use reader::{Event, Loaded, Reader};
pub use request::{POLICY_BYTES_MAX, PolicyChange, PolicyRequest, PromoteRequest, Request};
#[doc(hidden)]
pub use rules::Rules;
#[cfg(feature = "signing")]
pub use signing::{Signer, verify};
pub use summary::Summary;
pub use watch::{Step, Watch};
pub use writer::{Status, WINDOW, Writer};
