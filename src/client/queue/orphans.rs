//! Slots of senders that are gone, for somebody else to send on.

use super::FileOp;
use bytes::Bytes;

/// Says that nobody adopts the slot until a person has looked: its text is why.
pub const FAILED_FILE: &str = ".failed";

/// A directory beside the own slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// Its name: a sender's id.
    pub name: Box<str>,
    /// Its files.
    pub files: Vec<Box<str>>,
}

/// The slots to adopt (`drain_orphans`), in order: all but the own one that hold a segment and were not given up.
/// Whether their sender still lives, only the slot's lock tells: skip those that are locked.
pub fn orphans<'a>(own: &str, siblings: &'a [Sibling]) -> Vec<&'a str> {
    let is_orphan = |sibling: &&Sibling| {
        &*sibling.name != own
            && sibling.files.iter().any(|file| file.ends_with(".sfa"))
            && !sibling.files.iter().any(|file| &**file == FAILED_FILE)
    };
    let mut found: Vec<&str> = siblings.iter().filter(is_orphan).map(|sibling| &*sibling.name).collect();
    found.sort_unstable();
    found
}

/// Marks a slot that could not be drained.
pub fn failed_sentinel(why: &str) -> Vec<FileOp> {
    let (name, bytes) = (Box::<str>::from(FAILED_FILE), Bytes::copy_from_slice(why.as_bytes()));
    vec![FileOp::Create { name: name.clone(), len: bytes.len() as u64 }, FileOp::Write { name, at: 0, bytes }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orphans_have_segments_are_not_failed_and_not_ones_own() {
        let sibling = |name: &str, files: &[&str]| Sibling {
            name: name.into(),
            files: files.iter().map(|file| (*file).into()).collect(),
        };
        let siblings = [
            sibling("z", &["sf-0000000000000001.sfa"]),
            sibling("me", &["sf-0000000000000001.sfa"]),
            sibling("a", &["sf-0000000000000001.sfa", ".lock"]),
            sibling("drained", &[".lock", ".lock.pid"]),
            sibling("failed", &["sf-0000000000000001.sfa", ".failed"]),
        ];
        assert_eq!(orphans("me", &siblings), ["a", "z"]);
    }
}
