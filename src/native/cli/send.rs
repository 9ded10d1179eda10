//! `understudy send`

use super::interrupt::listen;
use super::out::Out;
use super::progress::grouped;
use crate::client::Settings;
use crate::native::client::{Listen, Progress, Report, Stop, send};
use crate::native::outcome::{Exit, Failure, Result};
use clap::Args;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Send rows, as lines of ILP text, to whichever server takes writes
///
/// Reads lines from FILE or stdin, collects them into frames, and sends them by ILP over HTTP to the first server of
/// the list that takes writes. Frames are kept, with --sf-dir on disk, until they are acknowledged, and sent again
/// after an outage: declare DEDUP UPSERT KEYS on tables where a row must not be there twice. docs/client.md lists
/// the settings.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy send --conf 'http::addr=localhost:9000;' rows.ilp
  generate | understudy send --conf 'http::addr=a:9000,b:9000;initial_connect_retry=async;' --sf-dir /var/lib/sender
  understudy send --conf 'http::addr=a:9000,b:9000;' --durable rows.ilp     acknowledged once in the object store
Exits 1 if not everything was acknowledged; with --sf-dir the next run sends the rest.")]
pub(super) struct Send {
    /// Connection string, as of QuestDB's clients: http::addr=HOST:PORT[,...];KEY=VALUE;...
    #[arg(long, value_name = "CONF", env = "QDB_CLIENT_CONF", hide_env_values = true)]
    conf: String,
    /// Ask for durable acknowledgement (request_durable_ack=on)
    #[arg(long)]
    durable: bool,
    /// Keep frames in this directory until they are acknowledged (sf_dir)
    #[arg(long, value_name = "DIR")]
    sf_dir: Option<PathBuf>,
    /// File of lines; - or nothing is stdin
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(out: &Out, args: &Send) -> Result<Exit> {
    let conf = whole_conf(args)?;
    let settings = Settings::parse(&conf).map_err(|error| {
        Failure::usage(error.to_string()).advise("docs/client.md lists the keys of --conf")
    })?;
    let input = open(args)?;
    let stop = Stop::default();
    listen(stop.clone(), || {});
    let begun = Instant::now();
    let teller = Teller::new(*out);
    let report = send(&settings, input, &stop, &teller)?;
    let exit = report.failure.as_ref().map_or(Exit::Ok, |failure| failure.exit);
    tell(out, &report, begun.elapsed(), exit)?;
    if let Some(failure) = &report.failure {
        out.complain(failure);
    }
    Ok(exit)
}

/// The connection string with what other arguments add to it.
fn whole_conf(args: &Send) -> Result<String> {
    let mut conf = args.conf.clone();
    // A doubled semicolon is one in a value, and ends nothing.
    let semicolons = conf.chars().rev().take_while(|c| *c == ';').count();
    if semicolons.is_multiple_of(2) && !conf.ends_with("::") {
        conf.push(';');
    }
    if args.durable {
        conf += "request_durable_ack=on;";
    }
    if let Some(dir) = &args.sf_dir {
        let dir = dir.to_str().ok_or_else(|| Failure::usage("--sf-dir has to be plain text"))?;
        conf += &format!("sf_dir={};", dir.replace(';', ";;"));
    }
    Ok(conf)
}

fn open(args: &Send) -> Result<Box<dyn Read + std::marker::Send>> {
    match args.file.as_deref().filter(|file| file.as_os_str() != "-") {
        None => Ok(Box::new(io::stdin())),
        Some(path) => {
            let file =
                File::open(path).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
            Ok(Box::new(file))
        }
    }
}

fn tell(out: &Out, report: &Report, took: Duration, exit: Exit) -> Result<()> {
    let counters = &report.counters;
    let kind = if report.durable { "durable" } else { "acknowledged" };
    out.text(format!(
        "{} rows, {} {kind}, in {} frames ({} sent again); {} reconnects, {} server errors, {} backpressure stalls\n",
        grouped(report.rows),
        grouped(report.rows_acknowledged),
        grouped(counters.frames_appended),
        grouped(counters.total_frames_replayed),
        grouped(counters.total_reconnects_succeeded),
        grouped(counters.total_server_errors),
        grouped(counters.total_backpressure_stalls),
    ))?;
    let document = Document {
        result: exit,
        error: report.failure.as_ref().map(|failure| failure.message.as_str()),
        advice: report.failure.as_ref().and_then(|failure| failure.advice.as_deref()),
        seconds: (took.as_secs_f64() * 1000.0).round() / 1000.0,
        report,
    };
    out.json(&document)
}

#[derive(serde::Serialize)]
struct Document<'a> {
    result: Exit,
    error: Option<&'a str>,
    advice: Option<&'a str>,
    seconds: f64,
    #[serde(flatten)]
    report: &'a Report,
}

/// Tells people how it goes.
struct Teller {
    out: Out,
    told: Mutex<(Instant, u64)>,
}

impl Teller {
    fn new(out: Out) -> Self {
        Self { out, told: Mutex::new((Instant::now(), 0)) }
    }
}

impl Listen for Teller {
    fn note(&self, text: &str) {
        self.out.note(text);
    }

    fn warn(&self, text: &str) {
        self.out.warn(text);
    }

    fn progress(&self, progress: Progress) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let every = Duration::from_secs(if io::stderr().is_terminal() { 5 } else { 30 });
        let passed = told.0.elapsed();
        if !self.out.progress || passed < every || progress.acknowledged == told.1 {
            return;
        }
        let rate = progress.acknowledged.saturating_sub(told.1) as f64 / passed.as_secs_f64();
        *told = (Instant::now(), progress.acknowledged);
        self.out.note(format!(
            "sending: {} of {} rows acknowledged, {rate:.0} per second, {} frames wait",
            grouped(progress.acknowledged),
            grouped(progress.rows),
            grouped(progress.waiting)
        ));
    }
}
