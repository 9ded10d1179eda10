//! Storage policies: the real machine decides, and a task takes its time. A Parquet file is not made here: what a
//! partition's form changes is only where its rows are.

use super::{Job, Node};
use crate::policy::{
    Action, Event, Form, Machine, Outcome, PartitionSeen, Settings, TableFacts, TableSeen, Task, TaskKind,
    parse_list,
};
use crate::sim::applied::TableState;
use crate::sim::ground::Ground;
use crate::sim::invariant::{Check, Invariant, breach};
use crate::sim::told::What;
use crate::sim::workload::{PACE, paced};
use std::collections::BTreeMap;

/// How often tables are looked at, and how long a task takes, microseconds.
const EVERY_US: u64 = 1_000_000;
const TASK_US: u64 = 300_000;
/// How often the machine checks, on a clock that runs with the rows' own time.
const CHECK_US: i64 = 2_000_000 * PACE;

#[derive(Debug)]
pub(super) struct Policies {
    machine: Option<Machine>,
    policy: String,
    /// Forms that are not native, with the version that they are of.
    forms: BTreeMap<(String, i64), (Form, u64)>,
    running: Vec<(u64, Task)>,
}

impl Policies {
    pub(super) fn new(policy: &str, wall_us: i64) -> Self {
        let settings = Settings { check_interval_us: CHECK_US, ..Settings::default() };
        let machine = (!policy.is_empty()).then(|| Machine::new(settings, paced(wall_us)));
        Self { machine, policy: policy.to_owned(), forms: BTreeMap::new(), running: Vec::new() }
    }

    /// What is here of a table; rows that came to a Parquet file have put it back to native.
    fn seen(&mut self, dir: &str, state: &TableState) -> TableSeen {
        let table = &state.table;
        let partitions = table.partitions.iter().map(|(floor, partition)| {
            let version = partition.rows as u64;
            let form = match self.forms.get(&(dir.to_owned(), *floor)) {
                Some((form, of)) if *of == version => *form,
                _ => Form::Native,
            };
            let bytes = 40 * version;
            PartitionSeen { floor: *floor, rows: version, bytes, form, version, remote: None, partial: false }
        });
        TableSeen {
            table: dir.to_owned(),
            partition_by: table.schema.partition_by,
            nanos: table.schema.nanos(),
            ttl: table.schema.ttl,
            newest: table.max_ts(),
            partitions: partitions.collect(),
        }
    }
}

impl Node {
    /// Tells the machine how the tables stand, ends tasks whose time is over, begins new ones.
    pub(super) fn look_after_policies(&mut self, ground: &mut Ground) -> Check {
        self.later(ground, EVERY_US, Job::Policies);
        let wall_us = paced(self.now(ground).wall_us);
        let end = self.end();
        let Some(process) = &mut self.process else { return Ok(()) };
        let policies = &mut process.policies;
        let Some(mut machine) = policies.machine.take() else { return Ok(()) };
        let mut done = Vec::new();
        for (dir, state) in process.engine.tables() {
            if machine.policy(dir).is_none() {
                let facts = TableFacts {
                    partition_by: state.table.schema.partition_by,
                    timestamp: true,
                    ttl: state.table.schema.ttl,
                };
                let policy = parse_list(&policies.policy).and_then(|list| list.policy(&facts));
                match policy {
                    Ok(policy) => {
                        machine.handle(wall_us, Event::Policy { table: dir.clone(), policy: Some(policy) });
                    }
                    Err(error) => return breach(Invariant::NobodyStops, error),
                }
            }
            let seen = policies.seen(dir, state);
            machine.handle(wall_us, Event::Table(seen));
        }
        let (over, running): (Vec<_>, Vec<_>) =
            std::mem::take(&mut policies.running).into_iter().partition(|(until, _)| *until <= ground.now);
        policies.running = running;
        for (_, task) in over {
            let now_is = process.engine.tables().get(&task.table);
            let rows =
                now_is.and_then(|state| state.table.partitions.get(&task.floor)).map(|it| it.rows as u64);
            let outcome = if rows != Some(task.version) {
                Outcome::Stale
            } else if task.kind != TaskKind::ParquetConversion && !machine.may_publish(wall_us, task.id) {
                Outcome::Cancelled
            } else {
                let form = match task.kind {
                    TaskKind::ParquetConversion => None,
                    TaskKind::ParquetCommit => Some(Form::Parquet),
                    _ => Some(Form::Native),
                };
                if let Some(form) = form {
                    policies.forms.insert((task.table.clone(), task.floor), (form, task.version));
                    done.push((task.table.clone(), task.floor));
                }
                Outcome::Done
            };
            let more = machine.handle(wall_us, Event::Ended { task: task.id, outcome });
            policies.begin(more, ground.now);
        }
        let more = machine.advance(wall_us);
        policies.begin(more, ground.now);
        policies.machine = Some(machine);
        for (table, floor) in done {
            ground.tell(end, What::PolicyDone { table, floor });
        }
        Ok(())
    }
}

impl Policies {
    fn begin(&mut self, actions: Vec<Action>, now: u64) {
        for action in actions {
            if let Action::Run(task) = action {
                self.running.push((now + TASK_US, task));
            }
        }
    }
}
