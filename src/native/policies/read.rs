//! The policies that a bucket's log has: of the newest snapshot, and what came since.

use super::ask::{damaged, found, read};
use super::{DIR, OwnLog, PolicyRow, PolicyTable, newest, token};
use crate::ledger::{Cluster, INDEX_NUMBERS, IndexBlock, Key, Kind};
use crate::native::bucket::Bucket;
use crate::native::cluster::{get_document, log_end, newest_snapshot};
use crate::native::outcome::{Failure, Result};
use crate::policy::StoragePolicy;
use crate::table::files::read::read_table;
use crate::wal::{Error, Files, Registry};
use std::collections::BTreeMap;

/// The policies of all tables that have one, in order of the tables' directories.
///
/// # Errors
/// What the bucket answers, and what is damaged.
pub async fn policies_of(bucket: &Bucket, cluster: &Cluster) -> Result<Vec<PolicyRow>> {
    let folder =
        tempfile::tempdir().map_err(|error| Failure::failed(format!("no folder to work in: {error}")))?;
    let log = own_log(bucket, cluster).await?;
    let table = PolicyTable::load(folder.path(), bucket, log).await?;
    Ok(table.policies().cloned().collect())
}

/// The policies of a directory's tables as its own table of them has them applied, by the tables' directories. A table that is
/// not there has none, whatever the log still says of it.
///
/// # Errors
/// What reading answers. A directory without the table has no policies.
pub fn definitions(files: &dyn Files) -> Result<BTreeMap<String, (StoragePolicy, i64)>> {
    let tables = match Registry::read(files) {
        Ok(registry) => registry.tables,
        Err(Error::Absent { .. }) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.into()),
    };
    let is_there = |dir: &str| tables.iter().any(|token| token.dir == dir && !token.dropped);
    if !is_there(DIR) {
        return Ok(BTreeMap::new());
    }
    let table = read_table(files, &token().as_registered(false))?;
    let rows = newest(&table)?.into_values().filter(|row| is_there(&row.table_dir_name));
    let policy = |row: PolicyRow| Some((row.table_dir_name.clone(), (row.policy()?, row.last_updated)));
    Ok(rows.filter_map(policy).collect())
}

/// What a bucket's log has of the table of policies: the newest snapshot's copy, and what came since.
///
/// # Errors
/// What the bucket answers, and what is damaged.
pub async fn own_log(bucket: &Bucket, cluster: &Cluster) -> Result<OwnLog> {
    let mut log = OwnLog::default();
    let mut n = 0;
    if let Some(manifest) = newest_snapshot(bucket, cluster).await {
        log.base = manifest.parts.iter().find(|part| part.name == DIR).map(|part| part.sum);
        n = manifest.n + 1;
    }
    let end = log_end(bucket, cluster).await?;
    let Some(last) = end.last else { return Ok(log) };
    let (mut asked, mut block) = (None, None::<IndexBlock>);
    while n <= last.n {
        let k = n / INDEX_NUMBERS;
        if asked.replace(k) != Some(k) {
            // A hint: what it does not tell is looked up.
            block = get_document(bucket, Key::Index(k)).await.ok().flatten();
        }
        let listed = block.as_ref().and_then(|block| block.objects.get((n % INDEX_NUMBERS) as usize));
        let place = end.place(n);
        n += 1;
        let without = listed.is_some_and(|entry| !entry.tables.iter().any(|dir| dir == DIR));
        let Some(place) = place.filter(|_| !without) else { continue };
        let Some(bytes) = found(bucket, &place.to_string()).await? else {
            return Err(Failure::failed(format!("{place} is not in the bucket")));
        };
        let object = read(place, bytes)?;
        if object.head().kind == Kind::Pack {
            log.take(place.key(), object.pack().map_err(damaged)?.tables);
        }
    }
    Ok(log)
}
