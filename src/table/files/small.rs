//! The two small files of a table's directory: `_name` and `_todo_`.

use super::Patch;
use super::out::Out;
use crate::wal::{Cursor, Error, Result};

/// Bytes of `_todo_` when nothing is to be done.
const CLEAN: usize = 40;
const TODO_FILE: &str = "_todo_";
const TRUNCATE: i64 = 1;
const RESTORE_META: i64 = 2;

/// The whole content of `_name`.
pub fn encode_name(name: &str) -> Vec<u8> {
    let mut out = Out::default();
    out.text(name);
    out.byte(0);
    out.0
}

/// The table's name in the whole content of `_name`, which must be exactly as long as it says: QuestDB
/// ignores any other.
///
/// # Errors
/// [`Error::Damaged`] for another length, or an empty name.
pub fn decode_name(file: &str, bytes: &[u8]) -> Result<String> {
    let mut cursor = Cursor::new(file, 0, bytes);
    let name = cursor.name("table name")?;
    if name.is_empty() {
        return Err(Error::damaged(file, 0, "a table name", "an empty one"));
    }
    if cursor.remaining() != 1 {
        return Err(cursor.damaged("one more byte", cursor.remaining()));
    }
    Ok(name)
}

/// What QuestDB's writer does before anything else when it opens the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Todo {
    /// Nothing: the file is clean, or was written at another transaction of the table.
    Nothing,
    /// Removes all rows: a TRUNCATE was interrupted.
    Truncate,
    /// Puts `_meta.prev`, or `_meta.prev.N`, back as `_meta`, where there is such a file: a structural
    /// change was interrupted.
    RestoreMeta {
        /// N, 0 for `_meta.prev`.
        index: i64,
    },
    /// A code that QuestDB would log and ignore.
    Unknown(i64),
}

/// The whole content of a `_todo_` with nothing to do.
pub fn encode_todo_clean() -> Vec<u8> {
    vec![0; CLEAN]
}

/// The writes that have QuestDB restore `_meta` from `_meta.prev` if it opens the table at the table's
/// transaction `table_txn`: what is to be done, and the check that makes it count. In this order, after
/// `_meta.prev` is in place and before `_meta` is touched. Publishing the next `_txn` makes it void.
pub fn restore_meta_todo(table_txn: i64) -> [Patch; 2] {
    let (mut body, mut todo) = (Out::default(), Out::default());
    body.i64(table_txn);
    body.i64(0);
    body.i64(0);
    todo.i64(table_txn);
    // One entry: the code and the number of the file.
    todo.i64(1);
    todo.i64(RESTORE_META);
    todo.i64(0);
    let (check, entry) = todo.0.split_at(8);
    // The check is last, as the transaction in front of it is what a reader compares it with.
    let mut first = body.0;
    first.extend([0; 8]);
    first.extend_from_slice(entry);
    [Patch::new(TODO_FILE, 0, first), Patch::new(TODO_FILE, 24, check.to_vec())]
}

/// The write that clears `_todo_`. The new `_txn`, by which it has become void, must be on its way before.
pub fn clear_todo() -> Patch {
    Patch::new(TODO_FILE, 0, encode_todo_clean())
}

/// What the content of `file` means to a writer that opens the table at its transaction `table_txn`.
///
/// # Errors
/// [`Error::Damaged`] if the file is too short for what it says.
pub fn decode_todo(file: &str, bytes: &[u8], table_txn: i64) -> Result<Todo> {
    let mut cursor = Cursor::new(file, 0, bytes);
    let txn = cursor.i64("transaction")?;
    cursor.take(16, "instance")?;
    let check = cursor.i64("check of the transaction")?;
    if txn != table_txn || check != txn || cursor.remaining() == 0 {
        return Ok(Todo::Nothing);
    }
    if cursor.i64("number of entries")? <= 0 {
        return Ok(Todo::Nothing);
    }
    match cursor.i64("what to do")? {
        TRUNCATE => Ok(Todo::Truncate),
        RESTORE_META => Ok(Todo::RestoreMeta { index: cursor.i64("number of the file")? }),
        code => Ok(Todo::Unknown(code)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(patches: &[Patch]) -> Vec<u8> {
        let mut content = encode_todo_clean();
        patches.iter().for_each(|patch| patch.apply(&mut content));
        content
    }

    #[test]
    fn a_name_is_as_long_as_it_says() {
        let mut bytes = encode_name("träde");
        assert_eq!(bytes.len(), 4 + 2 * 5 + 1);
        assert_eq!(decode_name("f", &bytes).unwrap(), "träde");
        bytes.push(0);
        assert!(decode_name("f", &bytes).is_err());
        assert!(decode_name("f", &encode_name("")).is_err());
    }

    #[test]
    fn a_todo_counts_at_its_own_transaction_and_once_it_is_whole() {
        let patches = restore_meta_todo(7);
        let content = written(&patches);
        assert_eq!(content.len(), 56);
        assert_eq!(decode_todo("f", &content, 7).unwrap(), Todo::RestoreMeta { index: 0 });
        assert_eq!(decode_todo("f", &content, 8).unwrap(), Todo::Nothing);
        assert_eq!(decode_todo("f", &written(&patches[..1]), 7).unwrap(), Todo::Nothing);
        assert_eq!(decode_todo("f", &encode_todo_clean(), 0).unwrap(), Todo::Nothing);
        let mut cleared = content.clone();
        clear_todo().apply(&mut cleared);
        assert_eq!(decode_todo("f", &cleared, 7).unwrap(), Todo::Nothing);
        let mut other = content.clone();
        other[40] = 1;
        assert_eq!(decode_todo("f", &other, 7).unwrap(), Todo::Truncate);
        other[40] = 9;
        assert_eq!(decode_todo("f", &other, 7).unwrap(), Todo::Unknown(9));
        assert!(decode_todo("f", &content[..50], 7).is_err());
    }
}
