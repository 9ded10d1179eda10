//! What takes long, on threads beside the one that applies.

use super::super::bases::Means;
use super::super::stream::Event;
use crate::columnar::parquet::Options as ParquetOptions;
use crate::columnar::parquet::ParquetForm;
use crate::native::outcome::{Failure, Result};
use crate::native::remote::{merged_file, upload};
use crate::native::store::{Blob, Conversion, Converted, DiskReader, stamp};
use crate::policy::Task;
use crate::table::files::read::AppliedTable;
use crate::table::files::{PARQUET_FILE, partition_dir};
use crate::wal::{Files, TableToken};
use bytes::Bytes;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;

/// What came of a task.
#[derive(Debug)]
pub(in crate::native::replica) struct Worked {
    pub(super) task: Task,
    /// Or why not, for a person.
    pub(super) made: std::result::Result<Made, String>,
}

/// What was made.
#[derive(Debug)]
pub(super) enum Made {
    /// A Parquet file beside the table.
    File(Box<Converted>),
    /// A file in the bucket, of what has this stamp here.
    Uploaded(Blob, u64),
}

/// Threads for tasks; made when they are first needed.
pub(super) struct Hands {
    threads: usize,
    pool: Option<rayon::ThreadPool>,
    means: Means,
    options: ParquetOptions,
    sender: Sender<Event>,
}

/// What a partition's file in the bucket is made of.
pub(super) enum Source {
    /// Column files.
    Native(Box<Conversion>),
    /// The file that is here.
    Parquet,
    /// What came late, and a file in the bucket with the other rows.
    Late(Blob),
}

impl Hands {
    pub(super) fn new(workers: u32, means: Means, options: ParquetOptions, sender: Sender<Event>) -> Self {
        Self { threads: workers.max(1) as usize, pool: None, means, options, sender }
    }

    /// How partitions are written as Parquet files.
    pub(super) fn options(&self) -> ParquetOptions {
        self.options.clone()
    }

    /// Writes a partition as a Parquet file.
    pub(super) fn convert(&mut self, task: Task, conversion: Conversion) -> Result<()> {
        self.spawn(task, move || {
            let converted = conversion.run(&|_| ()).map_err(|error| error.to_string())?;
            Ok(Made::File(Box::new(converted)))
        })
    }

    /// Puts a partition's file into the bucket; `expected` is the stamp of what is here of it.
    pub(super) fn upload(
        &mut self,
        task: Task,
        token: TableToken,
        (source, expected): (Source, u64),
    ) -> Result<()> {
        let (means, options, floor) = (self.means.clone(), self.options(), task.floor);
        self.spawn(task, move || {
            let Means { bucket, handle, disk, .. } = &means;
            let (bytes, rows, columns) = match source {
                Source::Native(conversion) => {
                    let converted = conversion.run(&|_| ()).map_err(|error| error.to_string())?;
                    let (rows, columns) = (converted.rows(), converted.structure_version());
                    let path = converted.path();
                    let bytes = DiskReader(&**disk).read(&path, 0, converted.bytes());
                    // What can't be removed goes when the table is opened next.
                    let _ = disk.remove_dir(path.rsplit_once('/').map_or(&*path, |(folder, _)| folder));
                    (bytes.map_err(|error| error.to_string())?, rows, columns)
                }
                Source::Parquet => present_file(&means, &token, floor, expected)?,
                Source::Late(under) => {
                    let with = (&**disk, handle, bucket);
                    merged_file(with, &token, floor, (under, expected), &options)?
                }
            };
            upload(handle, bucket, bytes, rows, columns).map(|blob| Made::Uploaded(blob, expected))
        })
    }

    fn spawn(
        &mut self,
        task: Task,
        work: impl FnOnce() -> std::result::Result<Made, String> + Send + 'static,
    ) -> Result<()> {
        let sender = self.sender.clone();
        self.pool()?.spawn(move || {
            // What decodes foreign bytes may give up in its own way; the others go on.
            let made = catch_unwind(AssertUnwindSafe(work));
            let made = made.unwrap_or_else(|_| Err("the task ended in a panic; please report it".to_owned()));
            // A replica that is gone wants to know nothing.
            let _ = sender.send(Event::Worked(Worked { task, made }));
        });
        Ok(())
    }

    fn pool(&mut self) -> Result<&rayon::ThreadPool> {
        let pool = match self.pool.take() {
            Some(pool) => pool,
            None => rayon::ThreadPoolBuilder::new()
                .num_threads(self.threads)
                .thread_name(|index| format!("policy-{index}"))
                .build()
                .map_err(|error| Failure::failed(format!("no threads for storage policies: {error}")))?,
        };
        Ok(self.pool.insert(pool))
    }
}

/// The file of a partition in Parquet form, once all that is in it could be read.
fn present_file(
    means: &Means,
    token: &TableToken,
    floor: i64,
    expected: u64,
) -> std::result::Result<(Bytes, u64, i64), String> {
    let files = DiskReader(&*means.disk);
    let told = |error: crate::wal::Error| error.to_string();
    let applied = AppliedTable::read(&files, token).map_err(told)?.with_form(&ParquetForm);
    let parts = applied.partitions().into_iter().find(|(at, _)| *at == floor).map(|(_, parts)| parts);
    let parts = parts.filter(|parts| stamp(&applied, parts.clone()) == expected);
    let parts = parts.ok_or("the partition changed meanwhile")?;
    let [part] = applied.applied.partitions.get(parts.clone()).unwrap_or_default() else {
        return Err("the partition consists of several parts".to_owned());
    };
    let schema = &applied.schema;
    let folder = partition_dir(schema.partition_by, schema.nanos(), part.ts, part.name_txn);
    let path = format!("{}/{folder}/{PARQUET_FILE}", token.dir);
    let len = u64::try_from(part.parquet_len).unwrap_or(0);
    let bytes = files.read(&path, 0, len).map_err(told)?;
    // What can't be read must not be the only copy.
    applied.read_parts(&files, floor, parts).map_err(told)?;
    Ok((bytes, part.rows, schema.version))
}
