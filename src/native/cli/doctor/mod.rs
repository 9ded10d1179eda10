//! `understudy doctor`

mod directory;
mod page;
mod store;

use super::bucket::block_on;
use super::out::Out;
use crate::native::config::Config;
use crate::native::outcome::{Exit, Failure, Result};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Check a bucket and a directory, step by step
///
/// Tries what `ship` and `replica` need, and says of each what was seen and what to do about it. In the bucket it puts a few
/// small objects under `probe/` and removes them; in DIR it makes a hard link and removes it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy doctor --to 's3::bucket=backups;root=questdb;region=eu-west-1;'
  understudy doctor --to STORE --read-only                     as a node that only reads
  understudy doctor --dir /var/lib/questdb                     the store from conf/server.conf or the environment
Exits 0 when nothing fails, 1 when something does.")]
pub(super) struct Doctor {
    /// The bucket, as `replication.object.store` has it; what DIR's server.conf or the environment says unless given
    #[arg(long, value_name = "STORE")]
    to: Option<String>,
    /// A directory with `db` and `conf`: QuestDB's, or a replica's
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Put nothing into the bucket
    #[arg(long)]
    read_only: bool,
}

/// What one step found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    what: String,
    advice: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// Worth knowing.
    Note,
    Warn,
    Fail,
    /// It could not be looked at.
    Skip,
}

/// What was found, in order, each told as it is found.
struct Checks {
    out: Out,
    found: Vec<Check>,
}

pub(super) fn run(out: &Out, args: &Doctor) -> Result<Exit> {
    let mut checks = Checks { out: *out, found: Vec::new() };
    let root = args.dir.as_deref().map(directory::root);
    let config = match &root {
        Some(root) => directory::config(&mut checks, root)?,
        None => environment(args)?,
    };
    if let (Some(root), Some(config)) = (&root, &config) {
        directory::check(&mut checks, root, config)?;
    }
    block_on(store::check(&mut checks, args.to.as_deref(), config.as_ref(), args.read_only))?;
    checks.end()
}

/// The environment's settings where there is no directory; a bucket has to be named somewhere.
fn environment(args: &Doctor) -> Result<Option<Config>> {
    let config = Config::from_environment()?;
    if args.to.is_none() && config.object_store.is_none() {
        return Err(Failure::usage("nothing to look at").advise("give --to STORE, --dir DIR or both"));
    }
    Ok(Some(config))
}

impl Checks {
    fn ok(&mut self, name: &'static str, what: impl Into<String>) -> Result<()> {
        self.add(Check { name, state: State::Ok, what: what.into(), advice: None })
    }

    fn add(&mut self, check: Check) -> Result<()> {
        let state = match check.state {
            State::Ok => "ok  ",
            State::Note => "note",
            State::Warn => "WARN",
            State::Fail => "FAIL",
            State::Skip => "skip",
        };
        let mut text = format!("{state}  {}: {}\n", check.name, check.what);
        if let Some(advice) = &check.advice {
            text.push_str(&format!("      {advice}\n"));
        }
        self.out.text(text)?;
        self.found.push(check);
        Ok(())
    }

    fn say(&mut self, name: &'static str, state: State, what: impl Into<String>, advice: &str) -> Result<()> {
        let advice = (!advice.is_empty()).then(|| advice.to_owned());
        self.add(Check { name, state, what: what.into(), advice })
    }

    fn end(self) -> Result<Exit> {
        let failed = self.found.iter().filter(|check| check.state == State::Fail).count();
        let exit = if failed == 0 { Exit::Ok } else { Exit::Failed };
        self.out.text(match failed {
            0 => "nothing fails\n".to_owned(),
            1 => "1 check fails\n".to_owned(),
            many => format!("{many} checks fail\n"),
        })?;
        self.out.json(&serde_json::json!({ "result": exit, "checks": self.found }))?;
        Ok(exit)
    }
}
