//! `understudy convert`

use super::apply::{held, target};
use super::args::{Convert, Form};
use super::out::Out;
use super::progress::{Progress, grouped};
use super::repair::floor_of;
use super::tables;
use crate::columnar::parquet::Options as ParquetOptions;
use crate::native::config::Config;
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::store::lock::DirectoryLock;
use crate::native::store::{CommitMode, Committed, Database, Disk, FileTable, RealDisk};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What was found, or done.
enum Done {
    /// It has the form already.
    Already,
    Converted,
}

pub(super) fn run(out: &Out, args: &Convert) -> Result<Exit> {
    let dir = target(&args.dir);
    let _lock = DirectoryLock::take(&dir).map_err(held)?;
    let disk =
        RealDisk::open(&dir).map_err(|error| Failure::failed(format!("{}: {error}", dir.display())))?;
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let database = Database::open(disk.clone())?;
    let token = tables::find(database.tables(), &args.table)?;
    // What is asked for by hand is to survive.
    let mut table = FileTable::open(disk, token, CommitMode::Sync)?;
    if !table.is_ours() {
        return Err(Failure::failed(format!("{} was {}", token.name, table.written_elsewhere()))
            .advise("`understudy apply ... --adopt` takes it as it is"));
    }
    table.recover()?;
    table.sweep_conversions()?;
    let there = floor_of(&table, &args.partition, table.table().calendar());
    let there = there.filter(|floor| table.table().partitions.contains_key(floor));
    let Some(floor) = there else {
        let what = format!("{} has no partition {}", token.name, args.partition);
        return Err(
            Failure::failed(what).advise("partitions are named as in SHOW PARTITIONS, e.g. 2024-01-31")
        );
    };
    let done = match args.to {
        Form::Parquet => {
            // A `db` directory without its root has QuestDB's defaults, and what the environment says.
            let config = dir.parent().map_or_else(Config::from_environment, Config::load)?;
            to_parquet(out, &mut table, floor, &config.parquet)?
        }
        Form::Native if table.to_native(floor)? => Done::Converted,
        Form::Native => Done::Already,
    };
    let form = match args.to {
        Form::Parquet => "parquet",
        Form::Native => "native",
    };
    let (rows, bytes) = table.partition_size(floor)?;
    let already = if matches!(done, Done::Already) { "already " } else { "" };
    out.text(format!(
        "{}: partition {} is {already}{form}, {} rows in {} bytes\n",
        token.name,
        args.partition,
        grouped(rows),
        grouped(bytes)
    ))?;
    out.json(&serde_json::json!({
        "table": token.name, "directory": token.dir, "partition": args.partition, "form": form,
        "converted": matches!(done, Done::Converted), "rows": rows, "bytes": bytes,
    }))?;
    Ok(Exit::Ok)
}

fn to_parquet(out: &Out, table: &mut FileTable, floor: i64, options: &ParquetOptions) -> Result<Done> {
    if let Some(why) = table.table().schema.stays_native() {
        return Err(Failure::failed(format!("{}: {why}", table.table().name)));
    }
    let Some(conversion) = table.begin_conversion(floor, options) else {
        return Ok(Done::Already);
    };
    let (done, progress) =
        (AtomicU64::new(0), Mutex::new(Progress::new(*out, "converting", "values", conversion.values())));
    let converted = conversion.run(&|more| {
        let all = done.fetch_add(more, Ordering::Relaxed) + more;
        // Whoever comes while another thread tells need not.
        if let Ok(mut progress) = progress.try_lock() {
            progress.set(all);
        }
    })?;
    match table.commit_conversion(converted)? {
        Committed::Published => Ok(Done::Converted),
        Committed::Stale(why) | Committed::Refused(why) => Err(Failure::failed(why)),
    }
}
