use super::{Error, Files, Result};
use std::fmt;

/// A segment of one writer: directory `wal{wal}/{segment}` of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentId {
    /// 1 or more, never used again for another writer.
    pub wal: u32,
    /// 0 or more, counting up.
    pub segment: u32,
}

impl SegmentId {
    /// The segment's directory, given the table's.
    pub fn dir(self, table_dir: &str) -> String {
        let (mut wal, mut segment) = (itoa::Buffer::new(), itoa::Buffer::new());
        [table_dir, "/wal", wal.format(self.wal), "/", segment.format(self.segment)].concat()
    }
}

/// A file in the folder of a WAL that a replica made for its own directory. Its events have no rows: they only keep
/// QuestDB's log whole (`docs/replica-directory.md`), and what they stand for is in the table's files.
pub const REPLICA_MARK: &str = "_understudy";

/// Whether a WAL of this table is a replica's own.
///
/// # Errors
/// What looking answers, except that there is no such file.
pub fn is_replicas_own(files: &dyn Files, table_dir: &str, wal: u32) -> Result<bool> {
    match files.len(&format!("{table_dir}/wal{wal}/{REPLICA_MARK}")) {
        Ok(_) => Ok(true),
        Err(Error::Absent { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The file of a column. Asked for with every column of every transaction, so without the detour of
/// formatting.
pub(super) fn column_file(dir: &str, name: &str, extension: &str) -> String {
    [dir, "/", name, ".", extension].concat()
}

/// Refuses a name from a file that would not stay inside its directory when used in a path.
///
/// QuestDB allows none of these in table and column names; only damaged or hostile files have them.
pub(super) fn check_component(file: impl fmt::Display, name: &str) -> Result<()> {
    let escapes = name.is_empty() || name == "." || name == ".." || name.contains(['/', '\\', '\0']);
    if escapes {
        return Err(Error::damaged(
            &file.to_string(),
            0,
            "a name that can be a file's",
            format_args!("{name:?}"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_directory() {
        assert_eq!(SegmentId { wal: 3, segment: 0 }.dir("t~1"), "t~1/wal3/0");
        assert!(check_component("f", "price~7").is_ok());
        for bad in ["", ".", "..", "../x", "a/b", "a\\b", "a\0b"] {
            assert!(check_component("f", bad).is_err(), "{bad:?}");
        }
    }
}
