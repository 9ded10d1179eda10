//! The verbs of the `understudy` command.
//!
//! Results go to stdout, everything else to stderr. `docs/cli.md` is the contract.

mod apply;
mod args;
mod bucket;
mod convert;
mod diff;
mod divergent;
mod doctor;
mod generate;
mod index;
mod inspect;
mod interrupt;
mod log;
mod member;
mod out;
mod policy;
mod progress;
mod promote;
mod repair;
mod replay;
mod replica;
mod run;
mod send;
mod serve;
mod ship;
mod simulate;
mod size;
mod status;
mod tables;
mod verify;
mod when;

use super::outcome::{Exit, Result};
use args::{Cli, Global, NodeVerb, Verb};
use clap::Parser;
use out::Out;
use std::panic;
use std::process::ExitCode;

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    panic::set_hook(Box::new(report_panic));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            let _ = error.print();
            return exit.into();
        }
    };
    log::start(cli.global.log, cli.global.quiet);
    let out = Out::new(cli.global);
    // The hook has told what happened.
    let done = panic::catch_unwind(|| run(&out, cli.verb)).unwrap_or(Ok(Exit::Failed));
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => out.fail(&failure).into(),
    }
}

fn run(out: &Out, verb: Verb) -> Result<Exit> {
    match verb {
        Verb::Replay(args) => replay::run(out, &args),
        Verb::Inspect(args) => inspect::run(out, &args),
        Verb::Verify(args) => verify::run(out, &args),
        Verb::Diff(args) => diff::run(out, &args),
        Verb::Serve(args) => serve::run(out, args),
        Verb::Index(args) => index::run(out, &args),
        Verb::Apply(args) => apply::run(out, &args),
        Verb::Replica(args) => replica::run(out, &args),
        Verb::Run(args) => replica::run_role(out, &args),
        Verb::Status(args) => status::run(out, &args),
        Verb::Ls(args) => bucket::ls::run(out, &args.store, args.from, args.limit),
        Verb::Clean(args) => bucket::clean::run(out, &args),
        Verb::Node(args) => match args.what {
            NodeVerb::List { to } => bucket::node::list(out, &to),
            NodeVerb::Remove { name, to } => bucket::node::remove(out, &to, &name),
        },
        Verb::Policy(args) => policy::run(out, args),
        Verb::Promote(args) => promote::run(out, &args),
        Verb::Repair(args) => repair::run(out, &args),
        Verb::Convert(args) => convert::run(out, &args),
        Verb::Ship(args) => ship::run(out, args),
        Verb::Simulate(args) => simulate::run(out, &args),
        Verb::Send(args) => send::run(out, &args),
        Verb::Divergent(args) => divergent::run(out, &args),
        Verb::Doctor(args) => doctor::run(out, &args),
        Verb::Generate(args) => generate::run(out, &args),
    }
}

/// One line instead of a stack trace.
fn report_panic(info: &panic::PanicHookInfo<'_>) {
    let what = info.payload_as_str().unwrap_or("unknown");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    eprintln!(
        "understudy: internal error: {what} ({place}, version {version}); please report it with the command line"
    );
}
