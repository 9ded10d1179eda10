//! Storage policies as the log has them: rows of a table of our own that travels like any other.
//!
//! | file | what happens there |
//! |---|---|
//! | `rows` | what a row says, and the newest one of each table |
//! | `commit` | the table's definition and its transactions, made here and not by a server |
//! | `table` | the table as applied, for the primary that writes it and for who reads the log |
//! | `decide` | whether an operator's wish can be met |
//! | `ask` | an operator's wish on its way, and its answer |
//! | `read` | the policies that a bucket's log has |
//!
//! The table lives in the log and in replicas' directories, never in that of an open-source primary.

mod ask;
mod commit;
mod decide;
mod read;
mod rows;
mod table;

pub use ask::{answer, put_request};
pub use decide::{Facts, decide, find, stored, wished};
pub use read::{definitions, own_log, policies_of};
pub use rows::{PolicyRow, REMOVED, newest};
pub use table::{OwnLog, PolicyTable};

use crate::ledger::Token;
use crate::wal::{OWN_TABLE_IDS, TableKind};

/// The table's name, as QuestDB calls what it keeps for itself.
pub const TABLE: &str = "sys.storage_policies";
/// Its directory, as QuestDB would call it.
pub const DIR: &str = "sys.storage_policies~1073741824";

/// The table, as packs name it.
pub fn token() -> Token {
    Token { dir: DIR.into(), id: OWN_TABLE_IDS, name: TABLE.into(), kind: TableKind::Wal }
}
