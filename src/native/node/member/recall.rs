//! What a node's directory remembers.

use super::super::aside;
use super::super::keeper::Keeper;
use super::super::short::can_go_on;
use crate::native::disk::DiskFiles;
use crate::native::outcome::{Failure, Result};
use crate::native::replica::remembered;
use crate::node::{Held, Kept};
use crate::wal::{Applied, Registry};
use std::path::Path;

/// What a directory remembers: for the machine, the first request that is not answered, and the instance's number.
pub(super) fn recall(dir: &Path, keeper: &Keeper) -> Result<(Kept, u64, Option<u32>)> {
    let (mut kept, requests) = keeper.read()?;
    if aside::is_rewinding(dir)? {
        (kept.wrote, kept.point, kept.held) = (false, None, Held::new());
        kept.own.clear();
    }
    if kept.wrote {
        can_go_on(&dir.join("db"), &kept.held)?;
        return Ok((kept, requests, number_of(dir)));
    }
    let known = remembered(dir, "run")?;
    let number = known.as_ref().map(|(_, number, _)| *number).or_else(|| number_of(dir));
    if let Some((cluster, _, point)) = known {
        kept.cluster = kept.cluster.or(Some(cluster));
        kept.point = point;
        kept.held = applied(&dir.join("db"))?;
    }
    Ok((kept, requests, number))
}

/// The last transaction of each table that is applied: a replica has them all from the history.
fn applied(db: &Path) -> Result<Held> {
    let files = DiskFiles::open(db).map_err(|error| Failure::failed(format!("{}: {error}", db.display())))?;
    let registry = match Registry::read(&files) {
        Ok(registry) => registry,
        Err(crate::wal::Error::Absent { .. }) => return Ok(Held::new()),
        Err(error) => return Err(error.into()),
    };
    let live = registry.tables.iter().filter(|token| !token.dropped);
    let read =
        live.filter_map(|token| Some((token.dir.clone(), Applied::read(&files, &token.dir).ok()?.seq_txn)));
    Ok(read.collect())
}

const NUMBER: &str = "understudy/node.number";

/// A primary's number is wanted again when it becomes a replica.
pub(super) fn remember_number(dir: &Path, number: u32) {
    // Else it is asked for again.
    let _ = std::fs::write(dir.join(NUMBER), number.to_string());
}

fn number_of(dir: &Path) -> Option<u32> {
    std::fs::read_to_string(dir.join(NUMBER)).ok()?.trim().parse().ok()
}
