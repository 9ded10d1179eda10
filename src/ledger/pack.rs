//! What a pack holds: per table what happened to it, as QuestDB's own bytes.

use super::block::Block;
use super::contents;
use super::error::at_most;
use super::object::{OBJECT_BYTES_MAX, Sign, encoded_len};
use super::{Error, Head, Kind, Object, Result, Sum};
use crate::table::Digest;
use crate::wal::TableKind;
use bytes::Bytes;

/// The longest table of contents: 8 MiB.
pub const CONTENTS_BYTES_MAX: u64 = 8 << 20;
/// The longest name of a table, directory or instance, in bytes of UTF-8.
pub const NAME_BYTES_MAX: u64 = 1024;
/// The longest path of a file piece, in bytes of UTF-8.
pub const PATH_BYTES_MAX: u64 = 4096;
/// The longest record of a sequencer, in bytes.
pub const RECORD_BYTES_MAX: u64 = 1024;
/// The longest reason for a base, in bytes of UTF-8.
pub const WHY_BYTES_MAX: u64 = 1024;
/// The longest answer to a request, in bytes of UTF-8.
pub const ANSWER_BYTES_MAX: u64 = 4096;

/// The contents of a pack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pack {
    /// Tables and what happened to them, in the order in which it is applied.
    pub tables: Vec<TableEntry>,
    /// The instance that shall be the next primary (rule L4); the last pack before a planned switch names it.
    pub handover: Option<String>,
    /// Answers to operators' requests.
    pub answers: Vec<RequestAnswer>,
}

/// Which table: as QuestDB's registry names it at this point of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The table's directory below the database root; stays when the table is renamed.
    pub dir: String,
    /// Its id in the primary's database.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
}

/// Something that happened to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableEntry {
    /// The table.
    pub token: Token,
    /// What happened.
    pub what: What,
}

/// What happened to a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Transactions, one after the other.
    Transactions(Run),
    /// The table was made, and has no transaction yet.
    Created {
        /// What reading its definition takes: `txn_seq/_meta`, the log's header, a view's definition.
        files: Vec<FilePiece>,
    },
    /// The table has another name from here on; the token has the one before.
    Renamed {
        /// The new name.
        to: String,
    },
    /// The table was dropped.
    Dropped,
    /// The history of the table starts anew from a copy: it was there before the log, the log alone can't tell what
    /// it holds, or an operator asked for it.
    Base {
        /// The last transaction that the copy holds.
        seq_txn: u64,
        /// The blob that lists the copy's files: a [`Base`](super::Base).
        manifest: Sum,
        /// The blob's length in bytes.
        manifest_len: u64,
        /// Why, for people.
        why: String,
    },
    /// Digests of the table, to compare with.
    Digests {
        /// `seqTxn` and the digest of the table after it, ascending.
        digests: Vec<(u64, Digest)>,
    },
}

/// Transactions of one table, one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// The first one's `seqTxn`; 1 is a table's first.
    pub first_seq_txn: u64,
    /// Transactions in a part of the sequencer's log; 0 of a log in one file, whose records are shorter.
    pub part_size: u32,
    /// The sequencer's record of each, as it stands in its log.
    pub records: Vec<Bytes>,
    /// What reading them takes, beside the records: structural changes, the segments' definitions, events, symbols, and
    /// the rows of each column. They stand alone: nothing that came before is needed.
    pub files: Vec<FilePiece>,
}

impl Run {
    /// The last one's `seqTxn`.
    pub fn last_seq_txn(&self) -> u64 {
        self.first_seq_txn.saturating_add(self.records.len() as u64).saturating_sub(1)
    }
}

/// A range of a file. A reader lays it out as the file again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePiece {
    /// The file, relative to the table's directory, e.g. `wal12/0/ts.d`.
    pub path: String,
    /// Where the range begins in the file, in bytes.
    pub offset: u64,
    /// The range; its length is the block's `raw_len`.
    pub block: Block,
}

/// What became of an operator's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestAnswer {
    /// The number of the request.
    pub request: u64,
    /// Whether it is done, or refused.
    pub done: bool,
    /// Why, for people.
    pub text: String,
}

impl Pack {
    /// The object that holds this pack at its place.
    ///
    /// ```
    /// use understudy::ledger::{ClusterId, Dir, Head, Kind, Object, Pack, Place, Sum, Term, WriterId};
    /// let place = Place { dir: Dir { term: Term(1), writer: WriterId(1) }, n: 0 };
    /// let head = Head { cluster: ClusterId(9), place, committed_us: 0, before: Sum::ZERO, kind: Kind::Pack };
    /// let pack = Pack { handover: Some("b".into()), ..Pack::default() };
    /// let bytes = pack.encode(head, None)?.bytes().clone();
    /// assert_eq!(Object::read(place, bytes)?.pack()?, pack);
    /// # Ok::<(), understudy::ledger::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::TooLarge`] if a limit is passed (make two packs of it, move blocks out), [`Error::Damaged`] of a path
    /// or name that no file can have.
    pub fn encode(&self, head: Head, signer: Option<&dyn Sign>) -> Result<Object> {
        let key = head.place.to_string();
        let (contents, blocks) = contents::write(&key, self)?;
        at_most(&key, "the contents' length", contents.len() as u64, CONTENTS_BYTES_MAX)?;
        let len = encoded_len(&contents, &blocks) as u64 + 64;
        at_most(&key, "the object's length", len, OBJECT_BYTES_MAX)?;
        Ok(Object::assemble(Head { kind: Kind::Pack, ..head }, &contents, &blocks, signer))
    }

    /// True if it has nothing to say: the beat of an idle primary (rule L1).
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Object {
    /// The contents. Blocks share the object's bytes; their CRCs have been checked, they are unpacked one by one.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::TooLarge`] or [`Error::Unsupported`], with the offset; also of a seal.
    pub fn pack(&self) -> Result<Pack> {
        let key = self.head().place.to_string();
        if self.head().kind != Kind::Pack {
            return Err(Error::damaged(&key, 10, "a pack", "a seal"));
        }
        let (contents, blocks, offset) = self.parts();
        at_most(&key, "the contents' length", contents.len() as u64, CONTENTS_BYTES_MAX)?;
        contents::read(&key, contents, &blocks, offset)
    }
}
