//! `understudy generate`

mod bucket_access;
mod cors;
mod grafana;
mod systemd;

use super::args::Cli;
use super::out::Out;
use crate::native::config::print::server_conf;
use crate::native::outcome::{Exit, Failure, Result};
use bucket_access::Iam;
use clap::{Args, CommandFactory, Subcommand};
use clap_complete::Shell;
use cors::Cors;
use std::path::{Path, PathBuf};
use systemd::Systemd;

/// Write files for other programs
#[derive(Debug, Args)]
pub(super) struct Generate {
    #[command(subcommand)]
    what: Artifact,
}

#[derive(Debug, Subcommand)]
enum Artifact {
    /// Completions for a shell
    #[command(after_help = "\
Examples:
  understudy generate completions bash > ~/.local/share/bash-completion/completions/understudy
  understudy generate completions zsh > ~/.zfunc/_understudy
  understudy generate completions fish > ~/.config/fish/completions/understudy.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Manual pages
    #[command(after_help = "\
Examples:
  understudy generate man | man -l -              the command's own page
  understudy generate man --dir /usr/local/share/man/man1")]
    Man {
        /// Write a page for every verb into this directory
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    Systemd(Systemd),
    Cors(Cors),
    Iam(Iam),
    /// A Grafana dashboard on the metrics of all nodes, to import
    #[command(after_help = "\
Example:
  understudy generate grafana > understudy.json   then, in Grafana: Dashboards, New, Import")]
    Grafana,
    /// A server.conf with every setting, each commented out with its default
    #[command(after_help = "\
Example:
  understudy generate server-conf > /srv/replica/conf/server.conf")]
    ServerConf,
}

pub(super) fn run(out: &Out, args: &Generate) -> Result<Exit> {
    let text = match &args.what {
        Artifact::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "understudy", &mut script);
            script
        }
        Artifact::Man { dir: None } => page()?,
        Artifact::Man { dir: Some(dir) } => return pages(out, dir),
        Artifact::Systemd(args) => systemd::unit(args).into(),
        Artifact::Cors(args) => cors::document(args)?.into(),
        Artifact::Iam(args) => bucket_access::document(args)?.into(),
        Artifact::Grafana => grafana::dashboard()?.into(),
        Artifact::ServerConf => server_conf().into(),
    };
    out.raw(&text)?;
    Ok(Exit::Ok)
}

fn page() -> Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut page)
        .map_err(|error| Failure::output("the page", &error))?;
    Ok(page)
}

fn pages(out: &Out, dir: &Path) -> Result<Exit> {
    std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), dir))
        .map_err(|error| Failure::failed(format!("can't write the pages to {}: {error}", dir.display())))?;
    out.note(format!("the pages are in {}", dir.display()));
    Ok(Exit::Ok)
}

/// JSON for people and programs alike.
fn pretty(value: &serde_json::Value) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::failed(error.to_string()))?;
    Ok(text + "\n")
}
