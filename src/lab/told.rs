//! How a lab stands, as plain data.

use super::convert::Conversions;
use super::feed::micros;
use super::instance::{Held, Instance};
use super::run::Lab;
use super::tasks::whole;
use crate::apply::file_rows;
use crate::policy::{Because, Form, Happening, PolicyError, PolicyStatus, TaskKind};
use crate::table::Table;
use serde::Serialize;
use std::collections::BTreeMap;

/// A lab at its moment. Times are microseconds since 1970 on its clock.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Now.
    pub now_us: i64,
    /// Where it begins.
    pub start_us: i64,
    /// When something happens next.
    pub next_us: Option<i64>,
    /// The last transaction that has arrived.
    pub seq_txn: u64,
    /// Transactions of the log.
    pub txn_count: u64,
    /// The newest row.
    pub newest_us: Option<i64>,
    /// Why the log can't be read on.
    pub stopped: Option<String>,
    /// The policy's stages as SQL.
    pub policy: Option<String>,
    /// What becomes of it on an instance with workers.
    pub status: PolicyStatus,
    /// Why the last statement was refused.
    pub refused: Option<String>,
    /// All that there are or were on any instance, from the oldest.
    pub partitions: Vec<PartitionTold>,
    /// In the order of the settings.
    pub instances: Vec<InstanceTold>,
    /// Names of partitions that are not the same everywhere.
    pub differing: Vec<String>,
    /// What was put into the bucket.
    pub bucket: BucketTold,
    /// What was converted.
    pub conversions: Conversions,
    /// Number of things that happened.
    pub happened: usize,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PartitionTold {
    /// As QuestDB names its folder.
    pub name: String,
    /// Its first possible timestamp.
    pub from_us: i64,
    /// The first one behind it.
    pub end_us: i64,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceTold {
    /// Its name.
    pub name: String,
    /// It stands still.
    pub paused: bool,
    /// Its own clock.
    pub clock_us: i64,
    /// What it has applied.
    pub seq_txn: u64,
    /// What becomes of the policy there.
    pub status: PolicyStatus,
    /// Tasks that workers have.
    pub working: usize,
    /// Partitions that end up to there are old enough for TO PARQUET, TO REMOTE, DROP LOCAL.
    pub lines: [Option<i64>; 3],
    /// One for each of [`Told::partitions`]; none: it was never there.
    pub bricks: Vec<Option<Brick>>,
    /// Bytes on it.
    pub bytes: usize,
}

/// A partition on an instance.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Brick {
    /// What it consists of, or what is done to it.
    pub form: BrickForm,
    /// The same without what is done to it.
    pub stands: Form,
    /// Rows that can be read, in the bucket or here.
    pub rows: usize,
    /// Bytes on this instance.
    pub bytes: usize,
    /// Bytes in the bucket that belong to it.
    pub remote_bytes: usize,
    /// Of the rows that can be read.
    pub digest: Option<String>,
    /// Only late rows are here, the others are in the bucket or gone.
    pub late: bool,
    /// It is not the same everywhere.
    pub differs: bool,
}

/// What a brick shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum BrickForm {
    Native,
    Converting,
    Parquet,
    Uploading,
    Remote,
    Dropping,
    Dropped,
}

/// The bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketTold {
    /// Files in it.
    pub files: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Puts that found the file there.
    pub spared: usize,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Happened {
    /// When.
    pub at_us: i64,
    /// To whom; none: to all.
    pub instance: Option<usize>,
    /// To which partition, if to one.
    pub partition: Option<String>,
    /// What.
    pub text: String,
}

/// Why a brick is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WhyTold {
    /// What it consists of.
    pub form: Form,
    /// Why nothing else is done right now, one sentence without a full stop.
    pub because: String,
    /// What comes next.
    pub next: Option<NextTold>,
    /// The transaction that changed it last there.
    pub version: u64,
    /// The version that is in the bucket.
    pub remote: Option<u64>,
}

/// What comes next for a brick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NextTold {
    /// The task's name.
    pub kind: String,
    /// When at the earliest, on the lab's clock.
    pub at_us: Option<i64>,
    /// It takes a row that new.
    pub newest_needed_us: Option<i64>,
}

impl Lab {
    /// How it stands.
    pub fn told(&mut self) -> Told {
        self.look_at_files();
        let table = self.feed.table();
        let (schema, calendar) = (&table.schema, table.calendar());
        let mut floors: Vec<i64> =
            self.instances.iter().flat_map(|one| one.shown().keys().copied()).collect();
        floors.sort_unstable();
        floors.dedup();
        let mut instances: Vec<InstanceTold> =
            self.instances.iter().map(|instance| self.instance(instance, &floors)).collect();
        let partitions: Vec<PartitionTold> = floors
            .iter()
            .map(|floor| PartitionTold {
                name: calendar.name(*floor),
                from_us: micros(schema, *floor),
                end_us: micros(schema, calendar.ceiling(*floor)),
            })
            .collect();
        let mut differing = Vec::new();
        for (place, partition) in partitions.iter().enumerate() {
            if compare(&mut instances, place) {
                differing.push(partition.name.clone());
            }
        }
        let status = match self.policy {
            None => PolicyStatus::None,
            Some(policy) if !policy.active => PolicyStatus::Disabled,
            Some(_) if schema.ttl != 0 => PolicyStatus::SuspendedByTtl,
            Some(_) => PolicyStatus::Active,
        };
        Told {
            now_us: self.now_us,
            start_us: self.start_us,
            next_us: self.next_due(),
            seq_txn: table.seq_txn,
            txn_count: self.feed.history().txn_count(),
            newest_us: table.max_ts().map(|ts| micros(schema, ts)),
            stopped: self.feed.stopped.clone(),
            policy: self.policy.map(|policy| policy.list()),
            status,
            refused: self.refused.as_ref().map(PolicyError::to_string),
            partitions,
            instances,
            differing,
            bucket: BucketTold {
                files: self.bucket.len(),
                bytes: self.bucket.bytes(),
                spared: self.bucket.spared,
            },
            conversions: self.converter.done,
            happened: self.happened_count,
        }
    }

    /// The last `count` things that happened, the newest last.
    pub fn happened(&self, count: usize) -> Vec<Happened> {
        self.happened.iter().skip(self.happened.len().saturating_sub(count)).cloned().collect()
    }

    /// Why a partition is as it is on an instance, if that has or had it.
    pub fn why(&self, instance: usize, partition: &str) -> Option<WhyTold> {
        let instance = self.instances.get(instance)?;
        let (table, floor) = (self.feed.table(), self.floor_of(partition)?);
        let held = instance.shown().get(&floor)?;
        let why = instance.machine.why(instance.local(self.now_us), &table.dir, floor)?;
        let next = why.next.map(|next| NextTold {
            kind: next.kind.to_string(),
            at_us: next.at_us.map(|at| at.saturating_sub(instance.settings.skew_us)),
            newest_needed_us: next.newest_needed.map(|ts| micros(&table.schema, ts)),
        });
        let because = match (&instance.frozen, &why.because) {
            (Some(_), _) => "the instance stands still".to_owned(),
            (None, Because::Settled) if held.form == Form::Remote => {
                "no stage is left for it: it is read from the bucket".into()
            }
            (None, Because::Settled) if held.form == Form::Dropped => {
                "no stage is left for it: its rows are gone from here".into()
            }
            (None, because) => because.to_string(),
        };
        let remote = held.uploaded.as_ref().map(|(version, _)| *version);
        Some(WhyTold { form: held.form, because, next, version: held.version, remote })
    }

    /// The rows of a partition as an instance reads them: of a Parquet file by decoding it. A table with that partition alone; why
    /// there is none is said in words.
    ///
    /// # Errors
    /// In words.
    pub fn rows(&mut self, instance: usize, partition: &str) -> Result<Table, String> {
        self.look_at_files();
        let floor = self.floor_of(partition).ok_or("there is no such partition")?;
        let held = self.instances.get(instance).and_then(|one| one.shown().get(&floor));
        let held = held.ok_or("the instance has no such partition")?;
        let file = match held.form {
            Form::Parquet => held.file.as_ref(),
            Form::Remote => held.uploaded.as_ref().map(|(_, file)| file),
            Form::Dropped => return Err("its rows are gone from this instance".to_owned()),
            Form::Native => None,
        };
        let mut table = self.feed.table().clone();
        let rows = match file {
            Some(file) => {
                let name = format!("{partition}/data.parquet");
                let rows = file_rows(&name, file.bytes.clone(), file.rows as u64, &mut table, floor);
                rows.map_err(|error| error.to_string())?.into()
            }
            None => whole(&self.feed, held, floor).ok_or("its rows are not known")?,
        };
        Ok(Table { partitions: BTreeMap::from([(floor, rows)]), ..table })
    }

    fn floor_of(&self, name: &str) -> Option<i64> {
        let calendar = self.feed.table().calendar();
        let mut floors = self.instances.iter().flat_map(|instance| instance.shown().keys());
        floors.find(|floor| calendar.name(**floor) == name).copied()
    }

    /// Makes the Parquet files that the server had made already.
    fn look_at_files(&mut self) {
        let (table, converter) = (self.feed.table(), &mut self.converter);
        for instance in &mut self.instances {
            let held = instance.frozen.as_mut().map_or(&mut instance.held, |frozen| &mut frozen.held);
            for held in held.values_mut().filter(|held| held.form == Form::Parquet && held.file.is_none()) {
                held.file = held.partition.as_ref().and_then(|rows| converter.file(table, rows).ok());
            }
        }
    }

    fn instance(&self, instance: &Instance, floors: &[i64]) -> InstanceTold {
        let table = self.feed.table();
        let local = instance.local(self.now_us);
        let lines = instance.machine.lines(local, &table.dir);
        let line = |ts: Option<i64>| ts.map(|ts| micros(&table.schema, ts));
        let bricks: Vec<Option<Brick>> = floors
            .iter()
            .map(|floor| instance.shown().get(floor).map(|held| self.brick(instance, *floor, held)))
            .collect();
        InstanceTold {
            name: instance.settings.name.clone(),
            paused: instance.frozen.is_some(),
            clock_us: local,
            seq_txn: instance.frozen.as_ref().map_or(table.seq_txn, |frozen| frozen.seq_txn),
            status: instance.machine.status(&table.dir),
            working: instance.tasks.len(),
            lines: lines.map_or([None; 3], |lines| {
                [line(lines.to_parquet), line(lines.to_remote), line(lines.drop_local)]
            }),
            bytes: bricks.iter().flatten().map(|brick| brick.bytes).sum(),
            bricks,
        }
    }

    fn brick(&self, instance: &Instance, floor: i64, held: &Held) -> Brick {
        let rows = whole(&self.feed, held, floor);
        let file = held.uploaded.as_ref().map(|(_, file)| file);
        let read = match (&rows, held.form, file) {
            (Some(rows), ..) if !rows.let_go => Some((rows.rows, self.feed.table().partition_digest(rows))),
            (Some(rows), ..) => Some((rows.rows, crate::table::Digest::default())),
            (None, Form::Remote, Some(file)) => Some((file.rows, file.digest)),
            _ => None,
        };
        let known = rows.as_ref().is_none_or(|rows| !rows.let_go);
        let doing =
            instance.tasks.iter().find(|doing| doing.task.floor == floor).map(|doing| doing.task.kind);
        let form = match (held.form, doing) {
            (_, Some(TaskKind::ParquetConversion | TaskKind::ParquetCommit | TaskKind::NativeConversion)) => {
                BrickForm::Converting
            }
            (_, Some(TaskKind::RemoteUpload)) => BrickForm::Uploading,
            (_, Some(TaskKind::DropLocal)) => BrickForm::Dropping,
            (Form::Native, None) => BrickForm::Native,
            (Form::Parquet, None) => BrickForm::Parquet,
            (Form::Remote, None) => BrickForm::Remote,
            (Form::Dropped, None) => BrickForm::Dropped,
        };
        Brick {
            form,
            stands: held.form,
            rows: read.map_or(0, |(rows, _)| rows),
            bytes: held.seen(floor).bytes as usize,
            remote_bytes: file.map_or(0, |file| file.bytes.len()),
            digest: read.filter(|_| known).map(|(_, digest)| digest.to_string()),
            late: held.own,
            differs: false,
        }
    }
}

/// Marks the bricks of one partition if they are not all the same: digests for the content, states for the form.
fn compare(instances: &mut [InstanceTold], place: usize) -> bool {
    let of = |instance: &InstanceTold| {
        let brick = instance.bricks.get(place).and_then(Option::as_ref);
        brick.map(|brick| (brick.stands, brick.digest.clone()))
    };
    let first = instances.first().and_then(of);
    let differs = instances.iter().any(|instance| of(instance) != first);
    if differs {
        let bricks = instances.iter_mut().filter_map(|instance| instance.bricks.get_mut(place)?.as_mut());
        bricks.for_each(|brick| brick.differs = true);
    }
    differs
}

/// What happened, in words.
pub(super) fn words(what: &Happening) -> String {
    match what {
        Happening::Defined { stages: Some(stages), status } => {
            format!("policy: {stages} ({})", word(*status))
        }
        Happening::Defined { stages: None, .. } => "no policy any more".to_owned(),
        Happening::Status { status } => format!("policy {}", word(*status)),
        Happening::Wished { parquet: true, .. } => "asked for Parquet".to_owned(),
        Happening::Wished { parquet: false, .. } => "asked for native".to_owned(),
        Happening::Queued { kind } => format!("{kind} waits for a worker"),
        Happening::Started { kind, attempt: 1, .. } => format!("{kind} begins"),
        Happening::Started { kind, attempt, .. } => format!("{kind} begins, try {attempt}"),
        Happening::Done { kind, .. } => format!("{kind} done"),
        Happening::Stale { kind, .. } => format!("{kind} is to be done again, as rows came meanwhile"),
        Happening::Cancelled { kind, .. } => format!("{kind} taken back"),
        Happening::Failed { kind, reason, .. } => format!("{kind} failed: {reason}"),
        Happening::GivenUp { kind, reason } => format!("{kind} given up: {reason}"),
    }
}

fn word(status: PolicyStatus) -> &'static str {
    match status {
        PolicyStatus::None => "none",
        PolicyStatus::Active => "active",
        PolicyStatus::Disabled => "disabled",
        PolicyStatus::SuspendedByTtl => "suspended by the table’s TTL",
        PolicyStatus::Off => "off: no workers",
    }
}
