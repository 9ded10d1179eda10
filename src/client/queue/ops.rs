//! What the queue asks of a disk, and what it reads from one.

use bytes::Bytes;

/// One thing to do in the slot's directory. To be done in the order given, each whole before the next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FileOp {
    /// Make a file of `len` zero bytes. What has that name is replaced: a file from before a crash.
    Create {
        /// In the slot's directory.
        name: Box<str>,
        /// In bytes.
        len: u64,
    },
    /// Write these bytes.
    Write {
        /// In the slot's directory.
        name: Box<str>,
        /// From the file's beginning, in bytes.
        at: u64,
        /// What.
        bytes: Bytes,
    },
    /// Write zeros.
    Zero {
        /// In the slot's directory.
        name: Box<str>,
        /// From the file's beginning, in bytes.
        at: u64,
        /// How many.
        len: u64,
    },
    /// Have the file's bytes on stable storage.
    Sync {
        /// In the slot's directory.
        name: Box<str>,
    },
    /// Have the directory's names on stable storage.
    SyncDir,
    /// Give a file another name; what had that name goes.
    Rename {
        /// The name it has.
        from: Box<str>,
        /// The name it gets.
        to: Box<str>,
    },
    /// Delete a file; that it is gone already is as good.
    Remove {
        /// In the slot's directory.
        name: Box<str>,
    },
}

/// A slot's directory, for reading when it is opened.
pub trait SlotFiles {
    /// Every file, with its length in bytes.
    ///
    /// # Errors
    /// In words, if the directory can't be listed.
    fn list(&self) -> Result<Vec<(Box<str>, u64)>, Box<str>>;

    /// Exactly these bytes of a file.
    ///
    /// # Errors
    /// In words, if they can't be read.
    fn read(&self, name: &str, at: u64, len: usize) -> Result<Bytes, Box<str>>;
}

/// Why a slot can't be opened. None of its bytes is touched then.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SlotError {
    /// The disk does not answer. Intact frames may be there.
    #[error("can't read {file}: {what}")]
    Unreadable {
        /// The file, or `.` for the directory.
        file: Box<str>,
        /// The system's words.
        what: Box<str>,
    },
    /// Bytes that a sound slot does not have.
    #[error("{file} at offset {offset}: {what}")]
    Damaged {
        /// The file.
        file: Box<str>,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong.
        what: Box<str>,
    },
    /// Frames are missing between two that are there, or at the beginning or the end: files were deleted or damaged.
    #[error("gap between segments: {what}; frames are missing that were not acknowledged")]
    Gap {
        /// Which.
        what: Box<str>,
    },
    /// Made by a version, or for a protocol, that this client does not speak.
    #[error("{file}: {what}")]
    Unsupported {
        /// The file.
        file: Box<str>,
        /// What is not known.
        what: Box<str>,
    },
}

/// What opening a slot had to mend. For people; nothing that was stored and not acknowledged is lost by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "found")]
pub enum Finding {
    /// The last frame of a segment was not whole: cut off. Nobody was told that it is stored.
    TornTail {
        /// The segment.
        file: Box<str>,
        /// Where its last whole frame ends.
        offset: u64,
        /// Bytes behind it that were not zero, up to the last one.
        bytes: u64,
    },
    /// A file that is no segment was renamed to `*.corrupt`.
    SetAside {
        /// The file.
        file: Box<str>,
        /// Why.
        why: Box<str>,
    },
    /// The watermark is above all frames: not believed.
    WatermarkIgnored {
        /// What it said.
        fsn: i64,
    },
}
