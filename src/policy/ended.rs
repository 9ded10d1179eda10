//! What comes of tasks.

use super::machine::{Running, record};
use super::partition::{Partition, Step};
use super::{Action, Form, Happening, Machine, Outcome, TaskKind};

impl Machine {
    pub(super) fn ended(&mut self, now: i64, id: u64, outcome: Outcome, out: &mut Vec<Action>) {
        let Some(Running { task, cancelled }) = self.running.remove(&id) else { return };
        let (dir, floor, kind) = (&*task.table, task.floor, task.kind);
        let retry = now.saturating_add(self.settings.retry_interval_us.max(1));
        let Some(partition) = self.tables.get_mut(dir).and_then(|table| table.partitions.get_mut(&floor))
        else {
            if outcome == Outcome::Done {
                record(out, now, dir, Some(floor), Happening::Done { task: id, kind });
            }
            return;
        };
        if partition.running == Some(id) {
            partition.running = None;
        }
        let same = partition.seen.version == task.version;
        let say = |out: &mut Vec<Action>, what: Happening| record(out, now, dir, Some(floor), what);
        match outcome {
            // Nothing is to be seen of a conversion yet, and the driver has thrown it away.
            Outcome::Done if !(cancelled && kind == TaskKind::ParquetConversion) => {
                if kind == TaskKind::RemoteUpload {
                    partition.seen.remote = Some(task.version);
                }
                if same {
                    done(partition, kind, self.settings.rules.wish);
                }
                say(out, Happening::Done { task: id, kind });
                if kind == TaskKind::ParquetConversion {
                    // Publishes it, or begins again if it is of another version.
                    self.enqueue(dir, floor, if same { now } else { retry });
                }
            }
            Outcome::Stale if !same => {
                say(out, Happening::Stale { task: id, kind });
                self.enqueue(dir, floor, retry);
            }
            _ if cancelled => {
                // The machine's own doing is nobody's failure.
                partition.converted = None;
                if let Some(tries) = partition.tries.get_mut(&Step::of(kind)).filter(|_| same) {
                    tries.count = tries.count.saturating_sub(1);
                }
                self.enqueue(dir, floor, retry);
            }
            Outcome::Stale => {
                self.failed(now, &task, "the partition changed meanwhile".to_owned(), false, out);
            }
            Outcome::Done | Outcome::Cancelled => {
                self.failed(now, &task, "the task was cut short".to_owned(), false, out)
            }
            Outcome::Failed(reason) => self.failed(now, &task, reason, false, out),
            Outcome::Refused(reason) => self.failed(now, &task, reason, true, out),
        }
    }

    fn failed(
        &mut self,
        now: i64,
        task: &super::Task,
        reason: String,
        for_good: bool,
        out: &mut Vec<Action>,
    ) {
        let (max, bounded) = (self.settings.tries_max(), self.settings.rules.give_up);
        let (dir, floor, kind) = (&*task.table, task.floor, task.kind);
        let Some(partition) = self.tables.get_mut(dir).and_then(|table| table.partitions.get_mut(&floor))
        else {
            return;
        };
        // The file may be what is wrong.
        partition.converted = None;
        let tries = partition.tries.entry(Step::of(kind)).or_default();
        tries.reason.clone_from(&reason);
        let (id, attempt) = (task.id, task.attempt);
        let last = for_good || tries.count >= max && bounded;
        record(
            out,
            now,
            dir,
            Some(floor),
            Happening::Failed { task: id, kind, attempt, reason: reason.clone() },
        );
        if last {
            self.give_up(now, dir, floor, kind, reason, out);
        } else {
            self.enqueue(dir, floor, now.saturating_add(self.settings.retry_interval_us.max(1)));
        }
    }

    /// Tasks that were running are begun again; that they were cut short counts as a try.
    pub(super) fn restarted(&mut self, now: i64, out: &mut Vec<Action>) {
        self.next_check = now;
        if !self.settings.rules.restart {
            return;
        }
        for id in self.running.keys().copied().collect::<Vec<_>>() {
            self.ended(now, id, Outcome::Cancelled, out);
        }
        // What is known may be older than what is there: nothing is begun before the next check.
        self.queue.clear();
        for partition in self.tables.values_mut().flat_map(|table| table.partitions.values_mut()) {
            (partition.converted, partition.due) = (None, None);
        }
    }
}

/// What a task that is done has made of the partition on which it was.
fn done(partition: &mut Partition, kind: TaskKind, remember: bool) {
    let seen = &mut partition.seen;
    match kind {
        TaskKind::ParquetConversion => partition.converted = Some(seen.version),
        TaskKind::ParquetCommit => {
            seen.form = Form::Parquet;
            partition.converted = None;
            // Late rows may undo it.
            partition.wish = partition.wish.filter(|parquet| remember || !parquet);
        }
        TaskKind::NativeConversion => {
            seen.form = Form::Native;
            partition.wish = None;
        }
        TaskKind::RemoteUpload => {}
        TaskKind::DropLocal => {
            let remote = seen.remote == Some(seen.version);
            seen.form = if remote { Form::Remote } else { Form::Dropped };
            (seen.bytes, seen.partial) = (0, false);
            (partition.wish, partition.converted) = (None, None);
        }
    }
}
