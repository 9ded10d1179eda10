//! What workers do: how long it takes, and what comes of it.

use super::convert::{Converter, File};
use super::feed::Feed;
use super::instance::{Held, Instance};
use crate::policy::{Form, Outcome, Task, TaskKind};
use crate::table::{Digest, Partition};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What only renames or removes files, and the least for anything else, microseconds.
const SHORT_US: i64 = 5_000;
/// A question to the bucket, microseconds.
const REQUEST_US: i64 = 20_000;

/// A task that a worker has.
#[derive(Debug)]
pub(super) struct Doing {
    pub(super) task: Task,
    /// By the lab's clock.
    pub(super) ends_us: i64,
    /// What was made of the partition as it was at the beginning.
    made: Option<Result<File, Outcome>>,
}

/// Files by what is in them: the same content is put once.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    files: BTreeMap<(i64, u128), File>,
    /// Puts that found the file there.
    pub(super) spared: usize,
}

impl Bucket {
    fn has(&self, floor: i64, digest: Digest) -> bool {
        self.files.contains_key(&(floor, digest.0))
    }

    fn put(&mut self, floor: i64, file: &File) {
        if self.files.insert((floor, file.digest.0), file.clone()).is_some() {
            self.spared += 1;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.files.values().map(|file| file.bytes.len()).sum()
    }
}

impl Instance {
    /// Gives a task to a worker.
    pub(super) fn begin(
        &mut self,
        feed: &Feed,
        converter: &mut Converter,
        bucket: &Bucket,
        now_us: i64,
        task: Task,
    ) {
        let (mut took, mut made) = (SHORT_US, None);
        if let Some(held) = self.held.get(&task.floor)
            && matches!(task.kind, TaskKind::ParquetConversion | TaskKind::RemoteUpload)
        {
            let rows = whole(feed, held, task.floor);
            let converts = task.kind == TaskKind::ParquetConversion;
            let stays_native = feed.table().schema.stays_native().filter(|_| converts);
            let file = held.file.clone().filter(|_| !held.partial).map(Ok).or_else(|| {
                let rows = rows.as_ref()?;
                if let Some(why) = stays_native {
                    return Some(Err(Outcome::Refused(why.to_owned())));
                }
                took += micros_for(rows.memory(), self.settings.convert_bytes_per_s);
                Some(converter.file(feed.table(), rows).map_err(Outcome::Failed))
            });
            if let (TaskKind::RemoteUpload, Some(Ok(file))) = (task.kind, &file) {
                took += REQUEST_US;
                if !bucket.has(task.floor, file.digest) {
                    took += micros_for(file.bytes.len(), self.settings.upload_bytes_per_s);
                }
            }
            made = file;
        }
        self.tasks.push(Doing { ends_us: now_us.saturating_add(took), task, made });
    }

    /// What a task comes to, now that its time is over.
    pub(super) fn outcome(&mut self, bucket: &mut Bucket, now_us: i64, doing: Doing) -> Outcome {
        let Doing { task, made, .. } = doing;
        let local = self.local(now_us);
        let publishes = task.kind != TaskKind::ParquetConversion;
        if publishes && !self.machine.may_publish(local, task.id) {
            return Outcome::Cancelled;
        }
        let Some(held) = self.held.get_mut(&task.floor).filter(|held| held.version == task.version) else {
            return Outcome::Stale;
        };
        let made = match made {
            Some(Err(outcome)) => return outcome,
            Some(Ok(file)) => Some(file),
            None => None,
        };
        match (task.kind, made) {
            (TaskKind::ParquetConversion, Some(file)) => {
                drop(self.ready.insert(task.floor, (task.version, file)))
            }
            (TaskKind::ParquetCommit, _) => {
                let Some((_, file)) =
                    self.ready.remove(&task.floor).filter(|(version, _)| *version == task.version)
                else {
                    return Outcome::Failed("the Parquet file is not there".to_owned());
                };
                (held.form, held.file) = (Form::Parquet, Some(file));
            }
            (TaskKind::NativeConversion, _) => (held.form, held.file) = (Form::Native, None),
            (TaskKind::RemoteUpload, Some(file)) => {
                bucket.put(task.floor, &file);
                held.uploaded = Some((task.version, file));
            }
            (TaskKind::DropLocal, _) => drop_local(held),
            _ => return Outcome::Failed("there are no rows to convert".to_owned()),
        }
        Outcome::Done
    }
}

fn drop_local(held: &mut Held) {
    let remote = held.uploaded.as_ref().is_some_and(|(version, _)| *version == held.version);
    held.form = if remote { Form::Remote } else { Form::Dropped };
    (held.partition, held.file, held.own, held.partial) = (None, None, false, false);
}

/// All rows of a partition: of one that is here in part those of the others, too, which are in the bucket.
pub(super) fn whole(feed: &Feed, held: &Held, floor: i64) -> Option<Arc<Partition>> {
    if !held.partial {
        return held.partition.clone();
    }
    let same = feed.versions.get(&floor) == Some(&held.version);
    feed.table().partitions.get(&floor).filter(|_| same).cloned()
}

fn micros_for(bytes: usize, per_second: u64) -> i64 {
    let micros = bytes as u128 * 1_000_000 / u128::from(per_second.max(1));
    i64::try_from(micros).unwrap_or(i64::MAX / 4)
}
