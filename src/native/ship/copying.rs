//! Making the copies that tables want, one after the other, beside everything else.

use super::Shared;
use super::blocks::Packing;
use super::copy::{Copied, Copier, Kept, NotCopied};
use super::files::BesideFiles;
use super::requests::policies_folder;
use super::tables::State;
use crate::ledger::{Note, Sum, Token};
use crate::native::bucket::Bucket;
use crate::native::cluster::put_blob;
use crate::native::outcome::Failure;
use crate::native::policies;
use crate::wal::Applied;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How often a table is looked at that has not been applied far enough yet.
const WAIT: Duration = Duration::from_millis(200);
/// How long a table waits that could not be copied.
const LATER: Duration = Duration::from_secs(10);

/// Makes copies for as long as the shipper runs.
pub(super) async fn run(shared: Arc<Shared>, packing: Arc<Packing>, bucket: Bucket) {
    let mut later: BTreeMap<String, Instant> = BTreeMap::new();
    let mut kept: BTreeMap<String, Kept> = BTreeMap::new();
    loop {
        let now = Instant::now();
        for (token, why, at_least) in wanted(&shared) {
            if later.get(&token.dir).is_some_and(|later| *later > now)
                || !is_applied(&shared, &token, at_least)
            {
                continue;
            }
            let (shared2, packing, bucket, handle) =
                (shared.clone(), packing.clone(), bucket.clone(), Handle::current());
            let mut partitions = kept.remove(&token.dir).unwrap_or_default();
            let of = token.clone();
            let copying = tokio::task::spawn_blocking(move || {
                let copied = copy(&shared2, &packing, &bucket, &handle, &of, &mut partitions);
                (copied, partitions)
            });
            let Ok((copied, partitions)) = copying.await else { return };
            match copied {
                Ok(Some(copied)) if copied.seq_txn >= at_least => enter(&shared, &token, copied, why),
                Ok(_) => {}
                Err(error) => {
                    kept.insert(token.dir.clone(), partitions);
                    later.insert(token.dir.clone(), Instant::now() + LATER);
                    tell(&shared, &token, &error);
                }
            }
        }
        tokio::select! {
            () = shared.copies.notified() => {}
            () = tokio::time::sleep(WAIT) => {}
        }
    }
}

fn wanted(shared: &Shared) -> Vec<(Token, String, u64)> {
    let tables = shared.tables.lock();
    let wanted = tables.values().filter(|table| !table.dropped).filter_map(|table| match &table.state {
        State::Wanting { why, at_least } => Some((table.token.clone(), why.clone(), *at_least)),
        _ => None,
    });
    wanted.collect()
}

/// Whether the server has applied a transaction.
pub(super) fn is_applied(shared: &Shared, token: &Token, at_least: u64) -> bool {
    let files = BesideFiles::open(&shared.options.db, &shared.options.own);
    files
        .is_ok_and(|files| Applied::read(&files, &token.dir).is_ok_and(|applied| applied.seq_txn >= at_least))
}

/// Copies a table; `None` of a view that is about to change.
pub(super) fn copy(
    shared: &Shared,
    packing: &Packing,
    bucket: &Bucket,
    handle: &Handle,
    token: &Token,
    kept: &mut Kept,
) -> Result<Option<Copied>, NotCopied> {
    let put = |sum: Sum, bytes: Bytes| {
        let put = handle.block_on(put_blob(bucket, sum, bytes));
        put.map(drop).map_err(|trouble| Failure::failed(trouble.to_string()))
    };
    let (db, own) = (&shared.options.db, &shared.options.own);
    let copier = Copier { db, own, packing, put: &put };
    match token.kind {
        crate::wal::TableKind::View => copier.view(token),
        _ => copier.copy(token, kept).map(Some),
    }
}

/// Copies the table of storage policies; `None` while there is none.
///
/// # Errors
/// What applying and copying it answers.
pub(super) fn copy_policies(
    shared: &Shared,
    packing: &Packing,
    bucket: &Bucket,
    handle: &Handle,
) -> Result<Option<Copied>, Failure> {
    let put = |sum: Sum, bytes: Bytes| {
        let put = handle.block_on(put_blob(bucket, sum, bytes));
        put.map(drop).map_err(|trouble| Failure::failed(trouble.to_string()))
    };
    let folder = policies_folder(&shared.options.own);
    let copier = Copier { db: &folder, own: &shared.options.own, packing, put: &put };
    {
        // Its files change here alone, so they stay as they are while they are copied.
        let mut requests = shared.requests();
        if requests.table.seq_txn().unwrap_or(0) == 0 {
            return Ok(None);
        }
        requests.table.apply()?;
    }
    let copied = copier.copy(&policies::token(), &mut Kept::new());
    copied.map(Some).map_err(|error| Failure::failed(format!("{}: {error}", policies::TABLE)))
}

fn enter(shared: &Shared, token: &Token, copied: Copied, why: String) {
    if token.kind != crate::wal::TableKind::View {
        let (table, seq_txn) = (token.dir.clone(), copied.seq_txn);
        shared
            .note(format!("{}: copied as of transaction {seq_txn}, {} rows: {why}", token.name, copied.rows));
        shared.journal(Note::Base { table, seq_txn, why: why.clone() });
    }
    let mut recovered = false;
    shared.tables.change(&token.dir, |table| {
        if matches!(table.state, State::Wanting { .. }) {
            table.state = State::Copied { copied, why };
            recovered = table.trouble.take().is_some();
        }
    });
    if recovered {
        shared.recovered(&token.dir);
    }
    shared.news.notify_one();
}

fn tell(shared: &Shared, token: &Token, error: &NotCopied) {
    let text = error.to_string();
    let mut new = false;
    shared.tables.change(&token.dir, |table| {
        new = table.trouble.as_ref() != Some(&text);
        table.trouble = Some(text.clone());
    });
    if new {
        shared.trouble(&token.dir, &text);
    }
}
