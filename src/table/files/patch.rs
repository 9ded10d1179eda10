/// A write into a file below a table's directory.
///
/// Where several belong together their order matters: what is written last makes the others visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Path relative to the table's directory, with `/` between components, e.g. `txn_seq/_txnlog`.
    pub file: String,
    /// Where the bytes go. The file may end before that: what lies between is zeros.
    pub offset: u64,
    /// What is written.
    pub bytes: Vec<u8>,
}

impl Patch {
    /// A write of `bytes` at `offset` of `file`.
    ///
    /// ```
    /// use understudy::table::files::Patch;
    /// let mut content = vec![1, 2];
    /// Patch::new("_txn", 4, vec![9]).apply(&mut content);
    /// assert_eq!(content, [1, 2, 0, 0, 9]);
    /// ```
    pub fn new(file: impl Into<String>, offset: u64, bytes: Vec<u8>) -> Self {
        Self { file: file.into(), offset, bytes }
    }

    /// The offset after the last byte written.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes.len() as u64)
    }

    /// Writes into a file that is held in memory.
    pub fn apply(&self, content: &mut Vec<u8>) {
        let (Ok(start), Ok(end)) = (usize::try_from(self.offset), usize::try_from(self.end())) else {
            return;
        };
        if content.len() < end {
            content.resize(end, 0);
        }
        if let Some(place) = content.get_mut(start..end) {
            place.copy_from_slice(&self.bytes);
        }
    }
}
