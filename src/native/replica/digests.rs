//! Comparing a table with the digest that the primary has published of it.

use super::partitions::Digests;
use super::tables::DigestJob;
use crate::columnar::parquet::ParquetForm;
use crate::native::store::{Disk, DiskReader};
use crate::table::files::read::AppliedTable;
use crate::table::{Digest, Table};
use crate::wal::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What came of a comparison.
#[derive(Debug)]
pub(super) struct Compared {
    /// Whether the table in its files is what the digest is of.
    pub(super) equal: bool,
    /// Of its partitions.
    pub(super) partitions: Digests,
}

/// Compares a table's files with a digest; `None` if it has moved on, or can't be read while others write.
pub(super) fn compare(disk: &dyn Disk, job: &DigestJob, stop: &AtomicBool) -> Option<Compared> {
    let partitions = digests(disk, job, stop).ok()??;
    // What was read is whole only if it was there all the time.
    let now = AppliedTable::read(&DiskReader(disk), &job.token).ok()?;
    let equal = Table::digest_of(partitions.iter().copied()) == job.digest;
    let partitions = Digests { seq_txn: job.seq_txn, partitions };
    (now.applied.seq_txn == job.seq_txn).then_some(Compared { equal, partitions })
}

/// Partition by partition, so that no more than one is in memory.
fn digests(disk: &dyn Disk, job: &DigestJob, stop: &AtomicBool) -> Result<Option<Vec<(i64, Digest)>>> {
    let files = DiskReader(disk);
    let applied = AppliedTable::read(&files, &job.token)?.with_form(&ParquetForm);
    if applied.applied.seq_txn != job.seq_txn {
        return Ok(None);
    }
    let mut table = applied.without_rows(applied.symbols(&files)?);
    let mut partitions = Vec::new();
    for (floor, parts) in applied.partitions() {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Pending);
        }
        let partition = Arc::new(applied.read_parts(&files, floor, parts)?);
        if partition.rows > 0 {
            partitions.push((floor, table.partition_digest(&partition)));
        }
    }
    table.partitions.clear();
    Ok(Some(partitions))
}
