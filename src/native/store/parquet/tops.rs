//! From which row on columns of a partition in Parquet form had values when it was converted.
//!
//! The file has a null for each row before, as QuestDB's own has. But when a BOOLEAN, BYTE or SHORT, which have no null,
//! changes its type, rows before the top become nulls and others what they were; so going back to native needs to know.

use super::super::disk::{Disk, Open};
use crate::wal::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const FILE: &str = "_understudy.tops.json";
/// Longest such file that is read.
const BYTES_MAX: u64 = 1 << 20;

/// Columns, by writer index, that did not have values in all rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tops {
    /// Length of the Parquet file that this is said of: QuestDB may have changed it since.
    pub(super) bytes: u64,
    /// Rows in front without values.
    pub(super) tops: BTreeMap<usize, u64>,
    /// Columns that were added after all of these rows.
    pub(super) absent: BTreeSet<usize>,
}

impl Tops {
    /// All columns that have a null in each row before their first value.
    pub(super) fn columns(&self) -> impl Iterator<Item = usize> {
        self.tops.keys().chain(&self.absent).copied()
    }

    /// Writes them into a folder, if there are any; answers the file's name if so.
    pub(super) fn store(&self, disk: &dyn Disk, folder: &str) -> Result<Option<&'static str>> {
        if self.tops.is_empty() && self.absent.is_empty() {
            return Ok(None);
        }
        let file = disk.open(&format!("{folder}/{FILE}"), Open::New)?;
        file.write_at(0, &serde_json::to_vec(self).unwrap_or_default())?;
        file.sync()?;
        Ok(Some(FILE))
    }

    /// Whether there are any in a folder.
    pub(super) fn are_in(disk: &dyn Disk, folder: &str) -> Result<bool> {
        Ok(disk.len(&format!("{folder}/{FILE}"))?.is_some())
    }

    /// Those that were written with a file of `bytes`; none where nothing was, or the file is another by now.
    pub(super) fn load(disk: &dyn Disk, folder: &str, bytes: u64) -> Result<Self> {
        let path = format!("{folder}/{FILE}");
        let file = match disk.open(&path, Open::Read) {
            Ok(file) => file,
            Err(Error::Absent { .. }) => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let mut content = vec![0; file.len()?.min(BYTES_MAX) as usize];
        file.read_exact_at(&path, 0, &mut content)?;
        let tops: Self = serde_json::from_slice(&content)
            .map_err(|error| Error::damaged(&path, 0, "the tops of a partition", error))?;
        Ok(if tops.bytes == bytes { tops } else { Self::default() })
    }
}
