//! The command line.

use crate::native::config::value as config;
use crate::native::export::Format;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  could not be done: source unreachable, output not writable, no such table
  2  wrong usage
  3  rows that the result needs were purged by QuestDB; of `policy`: no primary answered in time
  4  the log is damaged; of `ship`: another process continues the history
  5  the result diverged: a statement in the log can't be executed exactly; two databases differ
  6  the table is suspended, as it is on the server
  7  the log uses a format or version that this program does not know";

/// Replays a QuestDB's write-ahead log: in this terminal, and in a browser tab
#[derive(Debug, Parser)]
#[command(name = "understudy", version, max_term_width = 100, after_help = EXIT_CODES)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Global {
    /// Print the result as JSON (docs/cli.md describes it)
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Print nothing but the result and errors
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
    /// Show no progress
    #[arg(long, global = true)]
    pub(super) no_progress: bool,
    #[command(flatten)]
    pub(super) log: super::log::LogArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    Replay(Replay),
    Inspect(Inspect),
    Verify(Verify),
    Diff(Diff),
    Serve(Serve),
    Index(Index),
    Apply(Apply),
    Replica(super::replica::ReplicaArgs),
    Run(super::replica::RunArgs),
    Status(Status),
    Ls(Ls),
    Clean(Clean),
    Node(Node),
    Policy(super::policy::Policy),
    Promote(super::promote::Promote),
    Repair(Repair),
    Convert(Convert),
    Ship(super::ship::Ship),
    Simulate(super::simulate::Simulate),
    Send(super::send::Send),
    Divergent(super::divergent::Divergent),
    Doctor(super::doctor::Doctor),
    Generate(super::generate::Generate),
}

/// Replay tables to a moment and print their rows
///
/// Applies the log with the same rules as the server, so that the rows are those that the server had then.
/// SOURCE is a QuestDB `db` directory or an http(s) URL of one. Without --table, every table that was not
/// dropped is replayed; stdout takes the rows of one table, -o DIR those of several.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy replay /var/lib/questdb/db --table trades > trades.csv
  understudy replay db --table trades --to 98311               after transaction 98,311
  understudy replay db --table trades --to 2026-08-01T12:30    as of that time (UTC)
  understudy replay db --table trades --to '5 minutes ago'
  understudy replay https://example.org/db -o out --format parquet
  understudy replay db --json                                  rows, digests and standing, without the rows
Exits 3 when rows were purged, 4 when the log is damaged, 5 when the result diverged from the server's,
6 when the table is suspended there.")]
pub(super) struct Replay {
    /// A QuestDB `db` directory, or an http(s) URL of one
    pub(super) source: String,
    /// Table by name or directory, may be repeated
    #[arg(long, short, value_name = "TABLE")]
    pub(super) table: Vec<String>,
    /// Transaction number or time to stop after; a time counts by when transactions were committed
    #[arg(long, value_name = "TXN|TIME")]
    pub(super) to: Option<String>,
    /// What to write the rows as
    #[arg(long, short, value_enum, default_value_t = Format::Csv)]
    pub(super) format: Format,
    /// File for one table's rows, or directory for several
    #[arg(long, short, value_name = "OUT")]
    pub(super) output: Option<PathBuf>,
    /// Overwrite files that exist
    #[arg(long)]
    pub(super) force: bool,
}

/// Show what is in a log: tables, segments, transactions, the bytes of one
///
/// SOURCE is a QuestDB `db` directory or an http(s) URL of one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy inspect db                  the tables
  understudy inspect db trades           its columns, segments and first transactions
  understudy inspect db trades 98311     one transaction down to its bytes
  understudy inspect db trades --from 98000 --limit 0 --json
  understudy inspect 's3::bucket=b;root=r;' log/1-0123456789abcdef0123456789abcdef/00000000/0000000000000007.pack")]
pub(super) struct Inspect {
    /// A QuestDB `db` directory, an http(s) URL of one, or a store's connection string
    pub(super) source: String,
    /// Table by name or directory; of a store the key of an object
    pub(super) table: Option<String>,
    /// Transaction number
    pub(super) txn: Option<u64>,
    /// First transaction to list
    #[arg(long, value_name = "TXN")]
    pub(super) from: Option<u64>,
    /// Transactions to list, or rows of each column of one; 0 for all
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(super) limit: u64,
    /// Show QuestDB's own tables too
    #[arg(long)]
    pub(super) all: bool,
}

/// Read everything and report damage, with the transactions that it affects
///
/// Rows that QuestDB purged after applying them are no damage. Exits 0 when nothing is wrong, 4 when
/// something is damaged, 7 when something is of a version that this program does not know, 1 when
/// something could not be read at all.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy verify /var/lib/questdb/db
  understudy verify https://example.org/db --table trades --json
  understudy verify 's3::bucket=b;root=r;' --deep     the log of a bucket, with all copies of tables")]
pub(super) struct Verify {
    /// A QuestDB `db` directory, an http(s) URL of one, or a store's connection string
    pub(super) source: String,
    /// Of a store: read the copies of tables, too, to their last byte
    #[arg(long)]
    pub(super) deep: bool,
    /// Table by name or directory, may be repeated
    #[arg(long, short, value_name = "TABLE")]
    pub(super) table: Vec<String>,
}

/// Compare two databases: schema, partitions, then rows
///
/// Looks at the tables as they are applied, QuestDB's or ours, not at their logs. Without --table, every table
/// that was not dropped is compared, by name. Files of a running server may be read: each table is seen as of
/// one of its transactions.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy diff /var/lib/questdb/db /srv/replica/db
  understudy diff db copy --table trades --limit 100
Exits 0 when all is equal, 5 when something differs.")]
pub(super) struct Diff {
    /// A QuestDB `db` directory, or an http(s) URL of one
    pub(super) a: String,
    /// Another one
    pub(super) b: String,
    /// Table by name, may be repeated
    #[arg(long, short, value_name = "TABLE")]
    pub(super) table: Vec<String>,
    /// Differences to show of each table
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) limit: usize,
}

/// Serve the page, and a db directory or a cluster's bucket
///
/// Prints the URL to open. The database's files are under /db/, those of a bucket in a directory (one with a
/// cluster.json) under /bucket/, readable for pages of any origin unless --allow-origin says otherwise.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy serve                                the page with its bundled recording
  understudy serve /var/lib/questdb/db --open     watch this database in the browser
  understudy serve /mnt/backup/bucket             a cluster's history: each instance, all that was shipped
  understudy serve db --bind 127.0.0.1:0          on any free port")]
pub(super) struct Serve {
    /// A QuestDB `db` directory, or the directory of a cluster's bucket
    pub(super) dir: Option<PathBuf>,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9010", env = "UNDERSTUDY_BIND")]
    pub(super) bind: SocketAddr,
    /// Open the URL in the browser
    #[arg(long)]
    pub(super) open: bool,
    /// Serve this build of the page instead of the one in the program
    #[arg(long, value_name = "DIR")]
    pub(super) page: Option<PathBuf>,
    /// Origin whose pages may read the database, may be repeated
    #[arg(long, value_name = "ORIGIN", default_value = "*")]
    pub(super) allow_origin: Vec<String>,
}

/// Write understudy-index.json, the listing that a static web server does not give
///
/// `understudy replay URL` and the page find tables and segments by it. Run it again when the
/// database has changed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy index /srv/www/db        then: understudy replay https://example.org/db --table trades")]
pub(super) struct Index {
    /// A QuestDB `db` directory
    pub(super) dir: PathBuf,
}

/// Apply a log into a directory that QuestDB itself opens
///
/// SOURCE is a QuestDB `db` directory whose log is read; DIR becomes, or is, one that holds the same tables as of the
/// transactions applied. It goes on where it stopped: what DIR has already is not applied again. Nothing in SOURCE is
/// changed. Each table that can't go on keeps the others from nothing; `understudy status DIR` tells which and why.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy apply /var/lib/questdb/db --to /srv/replica/db
  understudy apply /var/lib/questdb/db --to /srv/replica/db --follow
  understudy apply db --to copy --table trades --memory-limit 4GiB --commit-mode sync
Then start QuestDB on it: java -p LIB -m io.questdb/io.questdb.ServerMain -d /srv/replica")]
pub(super) struct Apply {
    /// A QuestDB `db` directory
    pub(super) source: PathBuf,
    /// Directory of the tables that are written, or one that holds `db` and `conf`; made where there is none
    #[arg(long, value_name = "DIR")]
    pub(super) to: PathBuf,
    /// Table by name or directory, may be repeated
    #[arg(long, short, value_name = "TABLE")]
    pub(super) table: Vec<String>,
    /// Go on as SOURCE grows, until interrupted
    #[arg(long)]
    pub(super) follow: bool,
    /// Threads; as many as there are cores unless given
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Memory for rows on their way; a backlog that does not fit is applied in parts
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = super::size::parse)]
    pub(super) memory_limit: u64,
    /// What survives a loss of power; `nosync` unless DIR's server.conf says otherwise
    #[arg(long, value_enum)]
    pub(super) commit_mode: Option<Commit>,
    /// Go on with tables that another program has written to since, as they are now
    #[arg(long)]
    pub(super) adopt: bool,
}

/// Show how a cluster is, or how far each table of a directory is
///
/// Of a STORE: its instances, how far each is behind, what keeps tables from going on, and whether all have converged; all of
/// it from the bucket, where each instance writes what it does (every 10 s while there is work, once a minute while not). Of a
/// directory: each table, what keeps it from going on, and the command that would repair it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy status 's3::bucket=b;root=r;'
  understudy status 'fs::root=/mnt/cluster;' --watch
  understudy status /srv/replica/db --json
Exits 0 when all is well, 5 when a table differs, diverged or stopped, 6 when one is suspended.")]
pub(super) struct Status {
    /// A store's connection string, or a directory that `understudy apply` or `replica` writes
    #[arg(value_name = "STORE|DIR", required_unless_present = "to")]
    pub(super) target: Option<String>,
    /// The same
    #[arg(long, value_name = "STORE", conflicts_with = "target")]
    pub(super) to: Option<String>,
    /// Look again every two seconds
    #[arg(long)]
    pub(super) watch: bool,
    /// Instances that were not heard of for so long are gone
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    pub(super) gone_after: u64,
}

/// List what is in a cluster's bucket: terms, instances, packs
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy ls 's3::bucket=b;root=r;'            the newest 20 objects of the log
  understudy ls 'fs::root=/mnt/cluster;' --from 0 --limit 0 --json")]
pub(super) struct Ls {
    /// A store's connection string
    pub(super) store: String,
    /// First number to list
    #[arg(long, value_name = "N")]
    pub(super) from: Option<u64>,
    /// Numbers to list, 0 for all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(super) limit: u64,
}

/// Delete packs that nobody needs any more
///
/// What a snapshot stands for goes, unless an instance has still to read it. Without --yes nothing is deleted, and what can go is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy clean 's3::bucket=b;root=r;'                   what could go
  understudy clean 's3::bucket=b;root=r;' --keep 30d --yes  keep a month to replay")]
pub(super) struct Clean {
    /// A store's connection string
    pub(super) store: String,
    /// Keep what is younger, e.g. 12h, 30d
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = time, conflicts_with = "before")]
    pub(super) keep: Duration,
    /// Keep this number of the log and those above it, whatever their age
    #[arg(long, value_name = "N")]
    pub(super) before: Option<u64>,
    /// Instances that were not heard of for so long are not waited for
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = time)]
    pub(super) gone_after: Duration,
    /// Tell what could go, and delete nothing
    #[arg(long, conflicts_with = "yes")]
    pub(super) dry_run: bool,
    /// Delete it
    #[arg(long)]
    pub(super) yes: bool,
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    config::time(text).ok_or_else(|| "a time is a number with a unit, e.g. 30s, 12h or 7d".to_owned())
}

/// List the instances of a cluster, or retire one
#[derive(Debug, Args)]
pub(super) struct Node {
    #[command(subcommand)]
    pub(super) what: NodeVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum NodeVerb {
    /// List all that were ever registered
    List {
        /// A store's connection string
        #[arg(long, value_name = "STORE")]
        to: String,
    },
    /// Retire one: it is no longer waited for
    Remove {
        /// Its name
        name: String,
        /// A store's connection string
        #[arg(long, value_name = "STORE")]
        to: String,
    },
}

/// Get a table going again that can't go on
///
/// `understudy status` names the command that fits. No program may have the directory open.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy repair /srv/replica/db trades --skip 98312
  understudy repair /srv/replica/db trades --partition 2026-08-01 --from /var/lib/questdb/db")]
pub(super) struct Repair {
    /// Directory that `understudy apply` writes
    pub(super) dir: PathBuf,
    /// Table by name or directory
    pub(super) table: String,
    /// Go past this transaction, which must be the next one, without applying it
    #[arg(long, value_name = "TXN", conflicts_with_all = ["partition", "from"])]
    pub(super) skip: Option<u64>,
    /// Replace this partition
    #[arg(long, value_name = "NAME", requires = "from")]
    pub(super) partition: Option<String>,
    /// By what this `db` directory has of it
    #[arg(long, value_name = "DIR", requires = "partition")]
    pub(super) from: Option<String>,
}

/// Write a partition as a Parquet file, or put it back to native
///
/// What `ALTER TABLE ... CONVERT PARTITION` does, in a directory of ours and nowhere else: nothing of it is in the log. QuestDB
/// reads either form. Rows that come for a partition in Parquet form put it back to native. No program may have the directory
/// open. How the file is written is said by cairo.partition.encoder.parquet.* in DIR's server.conf.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy convert /srv/replica/db trades 2026-08-01 --to parquet
  understudy convert /srv/replica/db trades 2026-08-01 --to native")]
pub(super) struct Convert {
    /// Directory that `understudy apply` or `replica` writes
    pub(super) dir: PathBuf,
    /// Table by name or directory
    pub(super) table: String,
    /// Partition, named as in SHOW PARTITIONS
    pub(super) partition: String,
    /// The form that it is to have
    #[arg(long, value_enum)]
    pub(super) to: Form,
}

/// The form of a partition
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Form {
    /// One Parquet file
    Parquet,
    /// A file for each column
    Native,
}

/// QuestDB's `cairo.commit.mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Commit {
    /// What the system has written back by then
    Nosync,
    /// As nosync: on Linux QuestDB's own async (MS_ASYNC) starts no writing either
    Async,
    /// Every transaction that is reported as applied
    Sync,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn is_consistent() {
        Cli::command().debug_assert();
    }
}
