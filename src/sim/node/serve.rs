//! What clients ask of a node: whether it takes writes, and to write.

use super::{Batch, Job, Node};
use crate::ilp::Unit;
use crate::ledger::{Codec, Pack};
use crate::node::{Event, Refusal, Role, write};
use crate::sim::applied::longs;
use crate::sim::call::{Answer, Asked, Call};
use crate::sim::ground::{Due, Ground};
use crate::sim::invariant::{Check, Invariant, breach};
use crate::sim::told::What;
use crate::sim::{End, Micros};

/// How long a commit takes to be written: at least, for each write, and for a sync.
const WRITE_US: (Micros, Micros, Micros) = (150, 8, 1_500);
/// How long a request takes that is only answered.
const TALK_US: Micros = 100;

impl Node {
    /// A request of a client arrives.
    pub(super) fn called(&mut self, call: Call, ground: &mut Ground) -> Check {
        let now = self.now(ground);
        let Some(process) = self.process.as_mut().filter(|process| process.probe.is_none()) else {
            ground.hang_up(self.id, &call);
            return Ok(());
        };
        if let Err(why) = process.machine.accepts_writes(now) {
            let role = role_for(why, process.machine.told(now).role);
            ground.turn_away(self.id, &call, role);
            return Ok(());
        }
        let line = (call.life, call.conn);
        match call.what {
            Asked::Settings => {
                process.lines.insert(call.client, line);
                ground.reply(self.id, &call, TALK_US, Answer::Settings);
            }
            Asked::Write { .. } if process.lines.get(&call.client) != Some(&line) => {
                ground.hang_up(self.id, &call);
            }
            Asked::Write { .. } => {
                process.calls.push_back(call);
                self.write_next(ground)?;
            }
        }
        Ok(())
    }

    /// Writes the next request, unless one is being written.
    fn write_next(&mut self, ground: &mut Ground) -> Check {
        let now = self.now(ground);
        while let Some(process) = self.process.as_mut().filter(|process| process.busy.is_none()) {
            let Some(call) = process.calls.pop_front() else { break };
            if let Err(why) = process.machine.accepts_writes(now) {
                let role = role_for(why, process.machine.told(now).role);
                ground.turn_away(self.id, &call, role);
                continue;
            }
            let Asked::Write { lines, durable, .. } = call.what.clone() else { continue };
            let Some(writer) = &mut process.writer else {
                ground.turn_away(self.id, &call, Role::Replica);
                continue;
            };
            let (written, refused) = match writer.commit(lines.to_vec(), Unit::Nanos, now.wall_us) {
                Ok(written) => (written, None),
                Err(refused) => (*refused.made, Some(refused.error.to_string())),
            };
            self.begin_batch(call, durable, refused, &written, ground)?;
        }
        Ok(())
    }

    fn begin_batch(
        &mut self,
        call: Call,
        durable: bool,
        refused: Option<String>,
        written: &write::Written,
        ground: &mut Ground,
    ) -> Check {
        let entries = match written.entries(Codec::Stored) {
            Ok(entries) => entries,
            Err(error) => return breach(Invariant::NobodyStops, error),
        };
        let commits: Vec<(String, u64)> =
            written.commits.iter().map(|commit| (commit.token.dir.clone(), commit.seq_txn)).collect();
        let rows = written.commits.iter().map(|commit| commit.rows).sum();
        let (least, each, sync) = WRITE_US;
        let sync = if self.settings.sync { sync } else { 0 };
        let takes = least + each * written.writes.len() as u64 + sync + self.slow_disk_us;
        self.disk.begin_batch(ground.now + takes);
        for write in &written.writes {
            let done = self.disk.write(ground.now, &write.path(), write.offset, write.bytes.clone());
            if let Err(error) = done {
                // What it knows of its tables is ahead of the disk: a process that starts anew reads what is there.
                ground.hang_up(self.id, &call);
                return self.ends(error, ground);
            }
        }
        if let Some(process) = &mut self.process {
            process.busy = Some(Batch { call, durable, refused, entries, commits, rows });
        }
        if std::mem::take(&mut self.tear_next) {
            let wait = self.chance.below(takes);
            ground.after(wait, Due::Torn { node: self.id, life: self.life });
        }
        self.later(ground, takes, Job::Committed);
        Ok(())
    }

    /// The disk has a commit.
    pub(super) fn committed(&mut self, ground: &mut Ground) -> Check {
        if self.settings.sync {
            self.disk.sync_all();
        }
        let Some(process) = &mut self.process else { return Ok(()) };
        let Some(Batch { call, durable, refused, entries, commits, rows }) = process.busy.take() else {
            return Ok(());
        };
        let pack = Pack { tables: entries, ..Pack::default() };
        let (own, row_id) = (&mut process.own, ground.book.row_id());
        let taken = process.engine.take(crate::ledger::Key::Head, &pack, &mut |applied| {
            own.insert((applied.dir.to_owned(), applied.seq_txn), longs(applied, row_id));
        });
        if let Err(why) = taken {
            return breach(Invariant::NobodyStops, format_args!("{} can't apply its own: {why}", self.end()));
        }
        process.outgoing.extend(pack.tables);
        if rows > 0 {
            ground.tell(End::Node(self.id), What::Committed { rows });
        }
        match refused {
            Some(message) => {
                let answer = Answer::Status { status: 400, role: None, message };
                ground.reply(self.id, &call, 0, answer);
            }
            // Fenced meanwhile: its numbers may be those of others in the history.
            None if durable && !process.writes => ground.turn_away(self.id, &call, Role::Replica),
            None if durable && !commits.is_empty() => {
                if call.is_two_step() {
                    let answer = Answer::Committed { tables: commits.clone() };
                    ground.reply(self.id, &call, 0, answer);
                }
                process.durable.push((call, commits));
            }
            None => ground.reply(self.id, &call, 0, Answer::Written { durable }),
        }
        let cut = process.cut.take();
        self.publish(None);
        self.tell(Event::Commits, ground);
        if let Some((head, needed, handover)) = cut {
            self.cut(head, needed, handover, ground)?;
        }
        self.write_next(ground)
    }

    /// Answers those whose transactions are all durable.
    pub(super) fn answer_durable(
        &mut self,
        is_durable: impl Fn(&(String, u64)) -> bool,
        ground: &mut Ground,
    ) -> Check {
        let Some(process) = &mut self.process else { return Ok(()) };
        let (done, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut process.durable)
            .into_iter()
            .partition(|(_, commits)| commits.iter().all(&is_durable));
        process.durable = waiting;
        for (call, tables) in done {
            let answer = if call.is_two_step() {
                Answer::Durable { tables }
            } else {
                Answer::Written { durable: true }
            };
            ground.reply(self.id, &call, 0, answer);
        }
        Ok(())
    }
}

/// What the header `X-QuestDB-Role` says with 421.
fn role_for(why: Refusal, role: Role) -> Role {
    match why {
        // It will be one again, or knows who is.
        Refusal::Opening | Refusal::Leaving | Refusal::SelfStop => Role::PrimaryCatchupUploads,
        _ if role == Role::Primary => Role::PrimaryCatchupUploads,
        _ => Role::Replica,
    }
}

impl Ground {
    /// An answer leaves a node.
    pub(in crate::sim) fn reply(&mut self, node: u32, call: &Call, takes: Micros, answer: Answer) {
        let leaves = self.now + takes;
        self.send_answer(node, call, leaves, answer);
    }

    /// 421 with a role.
    pub(in crate::sim) fn turn_away(&mut self, node: u32, call: &Call, role: Role) {
        let answer = Answer::Status { status: 421, role: Some(role), message: "not writable".into() };
        self.reply(node, call, TALK_US, answer);
    }

    /// The connection is refused, or breaks.
    pub(in crate::sim) fn hang_up(&mut self, node: u32, call: &Call) {
        self.reply(node, call, TALK_US, Answer::Broken);
    }
}
