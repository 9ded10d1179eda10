//! Comparing a table with the digest that the primary has published of it.

use super::tables::DigestJob;
use crate::columnar::parquet::ParquetForm;
use crate::native::store::{Disk, DiskReader};
use crate::table::files::read::AppliedTable;
use crate::table::{Digest, Table};
use crate::wal::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the table in its files is what the digest is of; `None` if it has moved on, or can't be read while others write.
pub(super) fn compare(disk: &dyn Disk, job: &DigestJob, stop: &AtomicBool) -> Option<bool> {
    let equal = digest(disk, job, stop).ok()??;
    // What was read is whole only if it was there all the time.
    let now = AppliedTable::read(&DiskReader(disk), &job.token).ok()?;
    (now.applied.seq_txn == job.seq_txn).then_some(equal == job.digest)
}

/// Partition by partition, so that no more than one is in memory.
fn digest(disk: &dyn Disk, job: &DigestJob, stop: &AtomicBool) -> Result<Option<Digest>> {
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
    Ok(Some(Table::digest_of(partitions)))
}
