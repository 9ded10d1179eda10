//! Tasks: what is done with the table itself, between two blocks of its log.

use super::look::Here;
use super::work::{Made, Source};
use super::{Carried, Enforcer, Tables, Worked};
use crate::native::cluster::now_us;
use crate::native::store::{Blob, Committed, Converted, Dropped, FileTable};
use crate::policy::{Outcome, Task, TaskKind};
use crate::wal::Result;

/// Where a table can't be worked on.
const NO_TABLE: &str = "the table can't go on, or a copy of it is on its way";

impl Enforcer {
    /// Begins a task. The halves that take long go to a thread.
    pub(super) fn run(&mut self, tables: &mut Tables, task: Task) {
        // What was converted is of use to this one task.
        let mut converted = None;
        if task.kind == TaskKind::ParquetCommit {
            converted = self.ready.remove(&(task.table.clone(), task.floor));
        }
        let Some(here) = self.present(tables, &task) else {
            if let Some(converted) = converted {
                let _ = tables.with_table(&task.table, |table| table.discard_conversion(converted));
            }
            return self.ended(&task, Outcome::Stale);
        };
        match task.kind {
            TaskKind::ParquetConversion => {
                self.changed.insert(task.table.clone());
                self.begin_conversion(tables, task);
            }
            TaskKind::ParquetCommit => {
                let outcome = match converted {
                    Some(converted) => self.commit(tables, &task, here, converted),
                    None => Outcome::Failed("the converted file is gone".to_owned()),
                };
                self.ended_with(tables, &task, outcome);
            }
            TaskKind::NativeConversion => {
                let outcome =
                    self.publish(tables, &task, |table| table.to_native(task.floor).map(|_| Outcome::Done));
                self.ended_with(tables, &task, outcome);
            }
            TaskKind::DropLocal => {
                let outcome = self.publish(tables, &task, |table| {
                    Ok(match table.drop_local(task.floor, here.stamp)? {
                        Dropped::Gone(_) => Outcome::Done,
                        Dropped::Absent => Outcome::Stale,
                        Dropped::Active => Outcome::Failed("it is the last partition".to_owned()),
                    })
                });
                self.ended_with(tables, &task, outcome);
            }
            TaskKind::RemoteUpload => {
                self.begin_upload(tables, task, here);
            }
        }
    }

    /// Goes on with what a thread has made.
    pub(in crate::native::replica) fn worked(&mut self, tables: &mut Tables, worked: Worked) {
        let Worked { task, made } = worked;
        let made = match made {
            Ok(made) => made,
            Err(why) => {
                // Files that went while they were read are no failure where the partition is another one now.
                let same = self.present(tables, &task).is_some();
                return self.ended(&task, if same { Outcome::Failed(why) } else { Outcome::Stale });
            }
        };
        match made {
            Made::File(converted) => {
                if !self.machine.may_publish(now_us(), task.id) {
                    let discard = |table: &mut FileTable| table.discard_conversion(*converted);
                    // What can't be removed now goes when the table is opened next.
                    let _ = tables.with_table(&task.table, discard);
                    return self.ended(&task, Outcome::Cancelled);
                }
                self.ready.insert((task.table.clone(), task.floor), *converted);
                self.ended(&task, Outcome::Done);
            }
            Made::Uploaded(blob, covers) => {
                let outcome = self.uploaded(tables, &task, (blob, covers));
                self.ended_with(tables, &task, outcome);
            }
        }
    }

    fn begin_conversion(&mut self, tables: &mut Tables, task: Task) {
        let options = self.hands.options();
        let begun = tables.with_table(&task.table, |table| {
            Ok(match table.table().schema.stays_native() {
                Some(why) => Err(why),
                None => Ok(table.begin_conversion(task.floor, &options)),
            })
        });
        let failed = match begun {
            Some(Ok(Err(why))) => return self.ended(&task, Outcome::Refused(why.to_owned())),
            Some(Ok(Ok(Some(conversion)))) => match self.hands.convert(task.clone(), conversion) {
                Ok(()) => return,
                Err(failure) => failure.message,
            },
            Some(Ok(Ok(None))) => "it can't be converted as it is".to_owned(),
            Some(Err(error)) => error.to_string(),
            None => NO_TABLE.to_owned(),
        };
        self.ended(&task, Outcome::Failed(failed));
    }

    fn begin_upload(&mut self, tables: &mut Tables, task: Task, here: Here) {
        let away = self.tables.get(&task.table).and_then(|table| table.forms.away.get(&task.floor));
        let under = away.and_then(|away| away.under);
        let source = match under {
            Some(under) => Ok(Source::Late(under)),
            None if here.parquet => Ok(Source::Parquet),
            None => self.native_source(tables, &task),
        };
        let begun = source.and_then(|source| {
            let token = tables.token(&task.table).ok_or(NO_TABLE)?;
            let with = (source, here.stamp);
            self.hands.upload(task.clone(), token, with).map_err(|failure| failure.message)
        });
        if let Err(why) = begun {
            self.ended(&task, Outcome::Failed(why));
        }
    }

    fn native_source(&self, tables: &mut Tables, task: &Task) -> std::result::Result<Source, String> {
        let options = self.hands.options();
        let begin = |table: &mut FileTable| Ok(table.begin_conversion(task.floor, &options));
        match tables.with_table(&task.table, begin) {
            Some(Ok(Some(conversion))) => Ok(Source::Native(Box::new(conversion))),
            Some(Ok(None)) => Err("it can't be converted as it is".to_owned()),
            Some(Err(error)) => Err(error.to_string()),
            None => Err(NO_TABLE.to_owned()),
        }
    }

    /// Notes where in the bucket the partition is.
    fn uploaded(&mut self, tables: &mut Tables, task: &Task, (blob, covers): (Blob, u64)) -> Outcome {
        match self.present(tables, task) {
            Some(here) if here.stamp == covers => self.publish(tables, task, |table| {
                table.note_uploaded(task.floor, blob, covers)?;
                Ok(Outcome::Done)
            }),
            // Another form of the same rows, or other rows: the file may be of use to nobody, and takes only room.
            _ => Outcome::Stale,
        }
    }

    fn commit(&mut self, tables: &mut Tables, task: &Task, here: Here, converted: Converted) -> Outcome {
        if !self.machine.may_publish(now_us(), task.id) {
            let _ = tables.with_table(&task.table, |table| table.discard_conversion(converted));
            return Outcome::Cancelled;
        }
        let committed = tables.with_table(&task.table, |table| table.commit_conversion(converted));
        match committed {
            Some(Ok(Committed::Published)) => {
                self.keep_covered(tables, task, here);
                Outcome::Done
            }
            Some(Ok(Committed::Stale(_))) => Outcome::Stale,
            Some(Ok(Committed::Refused(why))) => Outcome::Refused(why.to_owned()),
            Some(Err(error)) => Outcome::Failed(error.to_string()),
            None => Outcome::Failed(NO_TABLE.to_owned()),
        }
    }

    /// Does something to the table that is seen at once.
    fn publish(
        &mut self,
        tables: &mut Tables,
        task: &Task,
        work: impl FnOnce(&mut FileTable) -> Result<Outcome>,
    ) -> Outcome {
        if !self.machine.may_publish(now_us(), task.id) {
            return Outcome::Cancelled;
        }
        match tables.with_table(&task.table, work) {
            Some(Ok(outcome)) => outcome,
            Some(Err(error)) => Outcome::Failed(error.to_string()),
            None => Outcome::Failed(NO_TABLE.to_owned()),
        }
    }

    /// The partition in another form is the one that the bucket has.
    fn keep_covered(&mut self, tables: &mut Tables, task: &Task, before: Here) {
        self.look(tables, &task.table, Some(carried(task)));
        let Some(watched) = self.tables.get(&task.table) else { return };
        let blob = watched.forms.away.get(&task.floor).and_then(|away| away.covering(before.stamp));
        let now = watched.here.get(&task.floor).map(|here| here.stamp);
        if let (Some(blob), Some(now)) = (blob, now) {
            // Where it can't be noted, it is put there again.
            let _ = tables.with_table(&task.table, |table| table.note_uploaded(task.floor, blob, now));
        }
    }

    /// Tells the machine, and then what the table is like.
    fn ended_with(&mut self, tables: &mut Tables, task: &Task, outcome: Outcome) {
        let same_rows = outcome == Outcome::Done && task.kind != TaskKind::DropLocal;
        self.ended(task, outcome);
        self.look(tables, &task.table, same_rows.then(|| carried(task)));
    }

    /// The partition as it is now, if it still is what the task is about.
    fn present(&mut self, tables: &Tables, task: &Task) -> Option<Here> {
        self.look(tables, &task.table, None);
        let here = self.tables.get(&task.table)?.here.get(&task.floor)?;
        (here.version == task.version).then_some(*here)
    }
}

fn carried(task: &Task) -> Carried {
    Carried { floor: task.floor, version: task.version }
}
