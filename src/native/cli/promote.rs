//! `understudy promote`

use super::args::time;
use super::bucket::{block_on, connect, connection};
use super::out::Out;
use super::policy::asker;
use super::progress::grouped;
use super::tables::clean;
use crate::ledger::{Cluster, PromoteRequest, Request};
use crate::native::bucket::{Bucket, RequestLimits};
use crate::native::cluster::{LogEnd, join, log_end, nodes, now_us};
use crate::native::config::Config;
use crate::native::node::{NodeStatus, PromoteOrder, node_status, put_promote_order};
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::policies::{answer, put_request};
use clap::Args;
use serde_json::json;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often it is looked whether it is done.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Have a replica become the primary
///
/// Without --planned the replica ends the primary's term at once, whatever that is doing: what the primary took and had not
/// uploaded is not in the history; it is kept and reported when that node comes back. With --planned the primary takes no more
/// writes, uploads all it has and hands over: nothing is lost. Both need a node that runs (`understudy run`). On the
/// node's own machine give --dir, from anywhere else --to and --node. Says what will be lost, and asks.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy promote --dir /srv/replica
  understudy promote --dir /srv/replica --planned --yes
  understudy promote --to 's3::bucket=b;root=r;' --node replica-2 --planned
Exits 1 when the primary refuses, 3 when nobody did it in time.")]
pub(super) struct Promote {
    /// The directory of the node that shall be the primary
    #[arg(long, value_name = "DIR", required_unless_present = "to", conflicts_with_all = ["to", "node"])]
    dir: Option<PathBuf>,
    /// The cluster's bucket
    #[arg(long, value_name = "STORE", requires = "node")]
    to: Option<String>,
    /// The name of the node that shall be the primary
    #[arg(long, value_name = "NAME", requires = "to")]
    node: Option<String>,
    /// The primary hands over
    #[arg(long)]
    planned: bool,
    /// Don't ask
    #[arg(long, short)]
    yes: bool,
    /// How long it is waited for
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time)]
    timeout: Duration,
}

/// What is to be done.
struct Wanted<'a> {
    args: &'a Promote,
    name: String,
    bucket: Bucket,
    cluster: Cluster,
    end: LogEnd,
}

pub(super) fn run(out: &Out, args: &Promote) -> Result<Exit> {
    let (bucket, name) = match (&args.dir, &args.to, &args.node) {
        (Some(dir), ..) => {
            let config = Config::load(dir)?;
            let running = running(dir)?;
            if running.role == "primary" {
                out.text(format!("{} is the primary already\n", running.name))?;
                return Ok(Exit::Ok);
            }
            (connect(config.needed_store()?, config.requests.clone())?, running.name)
        }
        (None, Some(to), Some(node)) => {
            (connect(&connection("--to", to)?, RequestLimits::default())?, node.clone())
        }
        _ => return Err(Failure::usage("give --dir, or --to and --node")),
    };
    block_on(async {
        let cluster = join(&bucket, None).await?;
        let end = log_end(&bucket, &cluster).await?;
        let wanted = Wanted { args, name, bucket, cluster, end };
        wanted.check().await?;
        out.note(wanted.losses());
        if !args.yes && !confirmed(out, &format!("Promote {}?", wanted.name))? {
            return Err(Failure::failed("nothing was done"));
        }
        wanted.promote(out).await
    })
}

/// The node of a directory, which has to run.
fn running(dir: &Path) -> Result<NodeStatus> {
    let old = |status: &NodeStatus| now_us() - status.written_us > 10_000_000;
    match node_status(dir)? {
        Some(status) if !old(&status) => Ok(status),
        _ => Err(Failure::failed(format!("{}: no node runs here", dir.display())).advise(
            "start it with `understudy run --dir DIR`. To have it start as the primary, put an empty file _migrate_primary into \
             DIR and replication.role=primary into its server.conf",
        )),
    }
}

impl Wanted<'_> {
    /// A node of this name has to be there.
    async fn check(&self) -> Result<()> {
        let nodes = nodes(&self.bucket).await?;
        let known = nodes.iter().any(|node| node.name == self.name);
        if known {
            return Ok(());
        }
        let names: Vec<_> = nodes.iter().map(|node| clean(&node.name)).collect();
        Err(Failure::failed(format!("there is no node {:?} in the cluster", self.name))
            .advise(format!("its nodes are {}", names.join(", "))))
    }

    /// What will be lost, as far as can be told from here.
    fn losses(&self) -> String {
        let newest = self.end.last.map_or("the log is empty".to_owned(), |last| {
            let age = (now_us() - self.end.committed_us).max(0) as f64 / 1e6;
            format!("the newest object in the log is number {}, {age:.1} s old", grouped(last.n))
        });
        if self.args.planned {
            return format!(
                "{newest}. Nothing will be lost: the primary takes no more writes, uploads all it has, and hands over to {}",
                self.name
            );
        }
        format!(
            "{newest}; {} reads all of them first. What the primary took and has not uploaded by now will not be in the \
             history: it stays in the primary's directory, and `understudy divergent` lists it once that node has come back. \
             Rows that were answered with durable=1 are not among it",
            self.name
        )
    }

    async fn promote(&self, out: &Out) -> Result<Exit> {
        let begun = Instant::now();
        let planned = self.args.planned;
        let mut asked = None;
        if planned || self.args.dir.is_none() {
            let wish = PromoteRequest { node: self.name.clone(), planned };
            let request = Request::promote(self.cluster.cluster, &asker(), now_us(), &wish);
            asked = Some(put_request(&self.bucket, &request).await?);
        }
        if let Some(dir) = &self.args.dir {
            put_promote_order(dir, PromoteOrder { planned })?;
        }
        if let (true, Some(k)) = (planned, asked) {
            let answered = answer(&self.bucket, &self.end, k, self.args.timeout).await?;
            let Some(answered) = answered else { return Err(self.unanswered()) };
            let text = clean(&answered.text);
            if !answered.done {
                return Err(Failure::failed(format!("the primary refused: {text}")));
            }
            out.note(text);
        }
        let term = self.wait(begun).await?;
        let took = begun.elapsed().as_secs_f64();
        out.text(format!("{} is the primary of term {term}, after {took:.1} s\n", self.name))?;
        out.json(&json!({ "node": self.name, "term": term, "planned": planned, "seconds": took }))?;
        Ok(Exit::Ok)
    }

    /// Until it is the primary; answers the term.
    async fn wait(&self, begun: Instant) -> Result<u64> {
        let before = self.end.terms.last().map_or(0, |span| span.directory.term.0);
        loop {
            match &self.args.dir {
                Some(dir) => {
                    let status = node_status(dir)?.unwrap_or_default();
                    if status.role == "primary"
                        && status.refuses.is_none()
                        && let Some(term) = status.term
                    {
                        return Ok(term);
                    }
                }
                None => {
                    let end = log_end(&self.bucket, &self.cluster).await?;
                    let term = end.terms.last().map_or(0, |span| span.directory.term.0);
                    if term > before {
                        return Ok(term);
                    }
                }
            }
            if begun.elapsed() >= self.args.timeout {
                return Err(self.unanswered());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn unanswered(&self) -> Failure {
        let what = format!("{} is not the primary after {:?}", self.name, self.args.timeout);
        Failure::new(Exit::Unanswered, what).advise(match self.args.planned {
            true => "does the primary run, and is it `understudy run`? Without --planned it is not asked",
            false => "does that node run? `understudy status STORE` tells when it was heard of",
        })
    }
}

/// Asks a person.
fn confirmed(out: &Out, question: &str) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("nobody can be asked here").advise("--yes goes on without asking"));
    }
    out.note(format!("{question} [y/N]"));
    let failed = |error: std::io::Error| Failure::failed(error.to_string());
    std::io::stderr().flush().map_err(failed)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(failed)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}
