//! The storage policies that a replica's own tables have.

use super::Replica;
use crate::native::outcome::Result;
use crate::native::policies::definitions;
use crate::native::store::DiskReader;
use crate::policy::StoragePolicy;
use std::collections::BTreeMap;

impl Replica {
    /// The storage policies of its tables, by directory, with when each was changed; `None` while they are as they were when
    /// this was asked last. They come by the log like rows, so all replicas see the same changes in the same order.
    ///
    /// # Errors
    /// What reading them answers.
    pub fn policies(&mut self) -> Result<Option<BTreeMap<String, (StoragePolicy, i64)>>> {
        if !std::mem::take(&mut self.policies) {
            return Ok(None);
        }
        let read = definitions(&DiskReader(&**self.tables.disk()));
        self.policies = read.is_err();
        read.map(Some)
    }
}
