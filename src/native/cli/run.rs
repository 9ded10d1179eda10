//! `understudy run` of a node without a cluster.

use super::interrupt::interrupted;
use super::out::Out;
use crate::native::config::Config;
use crate::native::line_http::Server;
use crate::native::metrics::Metrics;
use crate::native::metrics::server::{Ready, Server as HealthServer};
use crate::native::node::{Standalone, StandaloneOptions};
use crate::native::outcome::{Exit, Failure, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Memory for rows on their way into tables.
const MEMORY: u64 = 256 << 20;
/// How long requests and tables have to be done with once the node is told to stop.
const LAST: Duration = Duration::from_secs(60);

/// Takes lines until it is told to stop.
pub(super) fn standalone(out: &Out, dir: &Path, config: &Config) -> Result<Exit> {
    config.warnings.iter().for_each(|warning| out.warn(warning.to_string()));
    let node = Arc::new(Standalone::start(StandaloneOptions {
        dir: dir.to_owned(),
        commit_mode: config.commit_mode,
        memory: MEMORY,
        write: config.lines.tables.clone(),
    })?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(error.to_string()))?;
    let served = runtime.block_on(serve(out, &node, config));
    runtime.shutdown_timeout(Duration::from_secs(1));
    served?;
    let level = node.settle(LAST);
    for (table, applied) in node.applied() {
        if let Some(trouble) = applied.trouble {
            out.warn(format!("{table}: {trouble}"));
        }
    }
    if !level {
        out.warn(
            "not all that was written is in the tables yet; the next start, or QuestDB's, goes on with it",
        );
    }
    Ok(Exit::Ok)
}

async fn serve(out: &Out, node: &Arc<Standalone>, config: &Config) -> Result<()> {
    let ready = Ready::default();
    let metrics = config.metrics.enabled.then(|| Metrics::new(config.metrics.per_table));
    let health = match config.metrics.server {
        true => HealthServer::start(config.metrics.bind, metrics, ready.clone()).await,
        false => Err(Failure::failed("")),
    };
    // Others can do without; the tables can't.
    let _health = health.inspect_err(|failure| {
        if !failure.message.is_empty() {
            out.warn(&failure.message);
        }
    });
    if !config.lines.enabled {
        return Err(Failure::usage("line.http.enabled is false, so there is nothing to run"));
    }
    let server = Server::start(config.lines.bind, node.clone(), config.lines.limits).await?;
    out.note(format!("takes lines on http://{}", server.address));
    ready.yes();
    let mut purge = tokio::time::interval(config.wal_purge_interval.max(Duration::from_secs(1)));
    purge.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stop = std::pin::pin!(interrupted());
    loop {
        tokio::select! {
            () = &mut stop => break,
            _ = purge.tick() => {
                let node = node.clone();
                let _ = tokio::task::spawn_blocking(move || node.purge()).await;
            }
        }
    }
    server.stop(LAST).await;
    Ok(())
}
