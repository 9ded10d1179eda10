//! One holder of the table: what it has of each partition, and its state machine.

use super::convert::File;
use super::feed::{Arrived, Feed};
use super::settings::InstanceSettings;
use super::tasks::Doing;
use crate::apply;
use crate::policy::{Form, Machine, PartitionSeen, PartitionsSeen, TableSeen};
use crate::table::{Partition, Standing, Table};
use crate::wal::Transaction;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What an instance has of a partition.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) form: Form,
    /// The rows that are here.
    pub(super) partition: Option<Arc<Partition>>,
    /// The Parquet file, where it is one and was made or looked at here.
    pub(super) file: Option<File>,
    /// The transaction that changed it last.
    pub(super) version: u64,
    /// Rows that came late to what was dropped here: not those of the others.
    pub(super) own: bool,
    /// The others of its rows are in the bucket.
    pub(super) partial: bool,
    /// What is in the bucket for certain.
    pub(super) uploaded: Option<(u64, File)>,
}

/// What an instance had when it was stopped.
#[derive(Debug, Clone)]
pub(super) struct Frozen {
    pub(super) since_us: i64,
    pub(super) held: BTreeMap<i64, Held>,
    pub(super) seq_txn: u64,
}

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) settings: InstanceSettings,
    pub(super) machine: Machine,
    pub(super) held: BTreeMap<i64, Held>,
    pub(super) tasks: Vec<Doing>,
    /// Files that are written and not published, with their version.
    pub(super) ready: BTreeMap<i64, (u64, File)>,
    pub(super) frozen: Option<Frozen>,
    /// Of the settings' pauses, see [`InstanceSettings::edge`].
    pub(super) next_edge: usize,
    /// What the machine was not told while it stood still.
    pub(super) untold: BTreeSet<i64>,
    /// When the machine looked last, by the lab's clock.
    pub(super) looked_us: i64,
}

impl Held {
    /// As the server has it, where the log tells that.
    pub(super) fn of(partition: &Arc<Partition>, version: u64) -> Self {
        Self {
            form: if partition.parquet { Form::Parquet } else { Form::Native },
            partition: Some(partition.clone()),
            file: None,
            version,
            own: false,
            partial: false,
            uploaded: None,
        }
    }

    pub(super) fn is_local(&self) -> bool {
        matches!(self.form, Form::Native | Form::Parquet)
    }

    pub(super) fn seen(&self, floor: i64) -> PartitionSeen {
        let rows = self.partition.as_ref().map_or(0, |partition| partition.rows as u64);
        let native = self.partition.as_ref().map_or(0, |partition| partition.memory() as u64);
        let bytes = match self.form {
            Form::Parquet => self.file.as_ref().map_or(native, |file| file.bytes.len() as u64),
            _ => native,
        };
        let remote = self.uploaded.as_ref().map(|(version, _)| *version);
        let (form, version, partial) = (self.form, self.version, self.partial);
        PartitionSeen { floor, rows, bytes, form, version, remote, partial }
    }
}

impl Instance {
    pub(super) fn new(settings: InstanceSettings, now_us: i64, feed: &Feed) -> Self {
        let table = feed.table();
        let version = |floor: &i64| feed.versions.get(floor).copied().unwrap_or(table.seq_txn);
        let held = table.partitions.iter().map(|(floor, rows)| (*floor, Held::of(rows, version(floor))));
        Self {
            machine: Machine::new(settings.machine(), now_us.saturating_add(settings.skew_us)),
            held: held.collect(),
            settings,
            tasks: Vec::new(),
            ready: BTreeMap::new(),
            frozen: None,
            next_edge: 0,
            untold: BTreeSet::new(),
            looked_us: i64::MIN,
        }
    }

    /// Its own clock.
    pub(super) fn local(&self, now_us: i64) -> i64 {
        now_us.saturating_add(self.settings.skew_us)
    }

    /// The table as its machine is to see it.
    pub(super) fn table_seen(&self, table: &Table) -> TableSeen {
        TableSeen {
            table: table.dir.clone(),
            partition_by: table.schema.partition_by,
            nanos: table.schema.nanos(),
            ttl: table.schema.ttl,
            newest: table.max_ts(),
            partitions: self.held.iter().map(|(floor, held)| held.seen(*floor)).collect(),
        }
    }

    /// What the machine has yet to be told, once.
    pub(super) fn news(&mut self, table: &Table) -> PartitionsSeen {
        let untold = std::mem::take(&mut self.untold);
        let (mut changed, mut gone) = (Vec::new(), Vec::new());
        for floor in untold {
            match self.held.get(&floor) {
                Some(held) => changed.push(held.seen(floor)),
                None => gone.push(floor),
            }
        }
        let (ttl, newest) = (table.schema.ttl, table.max_ts());
        PartitionsSeen { table: table.dir.clone(), ttl, newest, changed, gone }
    }

    /// Takes a transaction over that the table has taken.
    pub(super) fn apply(&mut self, feed: &Feed, arrived: &Arrived) {
        let (mut absent, table) = (BTreeMap::new(), feed.table());
        for floor in &arrived.touched {
            self.untold.insert(*floor);
            let now = table.partitions.get(floor);
            match (self.held.get_mut(floor), now) {
                (None, Some(now)) => drop(self.held.insert(*floor, Held::of(now, arrived.seq_txn))),
                (Some(_), None) => drop(self.held.remove(floor)),
                (Some(held), Some(now)) if held.is_local() && !held.own => {
                    held.partition = Some(now.clone());
                    // A Parquet file that rows come to is put back to native, as a replica does.
                    held.form = if now.parquet { Form::Parquet } else { Form::Native };
                    held.file = None;
                    held.version = arrived.seq_txn;
                }
                (Some(held), Some(_)) => drop(absent.insert(*floor, held.partition.clone())),
                (None, None) => {}
            }
        }
        if !absent.is_empty() {
            self.apply_late(arrived, absent);
        }
    }

    /// What a transaction does where nothing is here but what came late before.
    fn apply_late(&mut self, arrived: &Arrived, absent: BTreeMap<i64, Option<Arc<Partition>>>) {
        let here = absent.iter().filter_map(|(floor, rows)| Some((*floor, rows.clone()?)));
        let mut table = Table {
            partitions: here.collect(),
            standing: Standing::Exact,
            symbols: arrived.before.symbols.clone(),
            name: arrived.before.name.clone(),
            dir: arrived.before.dir.clone(),
            schema: arrived.before.schema.clone(),
            seq_txn: arrived.before.seq_txn,
        };
        match &arrived.transaction {
            Transaction::Rows(commit) => drop(apply::apply_commits(&mut table, std::slice::from_ref(commit))),
            other => {
                if let Some(record) = &arrived.record {
                    drop(apply::apply_other(&mut table, other, record));
                }
            }
        }
        for (floor, before) in absent {
            let now = table.partitions.get(&floor).filter(|partition| partition.rows > 0);
            let Some(held) = self.held.get_mut(&floor) else { continue };
            match (now, before) {
                (Some(now), Some(before)) if Arc::ptr_eq(now, &before) => {}
                (Some(now), before) => {
                    held.partial |= before.is_none() && held.form == Form::Remote;
                    held.form = Form::Native;
                    (held.file, held.own, held.version) = (None, true, arrived.seq_txn);
                    held.partition = Some(now.clone());
                }
                (None, Some(_)) => {
                    held.form = if held.partial { Form::Remote } else { Form::Dropped };
                    (held.partition, held.file, held.own, held.partial) = (None, None, false, false);
                }
                (None, None) => {}
            }
        }
    }

    /// What is there to be looked at: while it stands still, what it had.
    pub(super) fn shown(&self) -> &BTreeMap<i64, Held> {
        self.frozen.as_ref().map_or(&self.held, |frozen| &frozen.held)
    }
}
