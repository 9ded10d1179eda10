//! What a driver sees of the machine: one partition at a time. Everything at once is in `tests/it/policy_model`.

use super::*;
use crate::wal::PartitionBy;

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn policy(list: &str) -> StoragePolicy {
    let facts = TableFacts { partition_by: PartitionBy::Day, timestamp: true, ttl: 0 };
    parse_list(list).unwrap().policy(&facts).unwrap()
}

fn partition(day: i64, version: u64) -> PartitionSeen {
    let form = Form::Native;
    PartitionSeen { floor: day * DAY, rows: 10, bytes: 400, form, version, remote: None, partial: false }
}

fn table(ttl: i32, newest: i64, partitions: Vec<PartitionSeen>) -> Event {
    let (table, newest) = ("t~1".to_owned(), Some(newest));
    Event::Table(TableSeen { table, partition_by: PartitionBy::Day, nanos: false, ttl, newest, partitions })
}

fn define(list: &str) -> Event {
    Event::Policy { table: "t~1".into(), policy: Some(policy(list)) }
}

/// A table of three days, the newest row on day 9, on day 10.
fn machine(list: &str) -> Machine {
    let mut machine = Machine::new(Settings::default(), 10 * DAY);
    machine.handle(10 * DAY, define(list));
    machine.handle(10 * DAY, table(0, 9 * DAY, vec![partition(1, 1), partition(8, 1), partition(9, 1)]));
    machine
}

fn tasks(actions: &[Action]) -> Vec<(i64, TaskKind, u64)> {
    let task = |action: &Action| match action {
        Action::Run(task) => Some((task.floor / DAY, task.kind, task.id)),
        _ => None,
    };
    actions.iter().filter_map(task).collect()
}

fn ended(machine: &mut Machine, now: i64, task: u64, outcome: Outcome) -> Vec<Action> {
    machine.handle(now, Event::Ended { task, outcome })
}

/// Does whatever is asked until `end`, and tells what that was.
fn run(machine: &mut Machine, mut now: i64, end: i64, outcome: &Outcome) -> Vec<(i64, i64, TaskKind)> {
    let mut log = Vec::new();
    while let Some(due) = machine.next_due().filter(|due| *due <= end) {
        now = now.max(due);
        let mut actions = machine.advance(now);
        while let Some((day, kind, id)) = tasks(&actions).first().copied() {
            log.push((now, day, kind));
            machine.may_publish(now, id);
            actions = ended(machine, now, id, outcome.clone());
        }
    }
    log
}

#[test]
fn stages_come_in_their_order_and_a_drop_needs_no_conversion() {
    let mut two = machine("TO PARQUET 1d, DROP LOCAL 30d");
    let done = run(&mut two, 10 * DAY, 11 * DAY, &Outcome::Done);
    let kinds: Vec<_> = done.iter().map(|(_, day, kind)| (*day, *kind)).collect();
    // Day 8 ended when day 9 began, and the newest row is no younger.
    assert_eq!(kinds, [(1, TaskKind::ParquetConversion), (1, TaskKind::ParquetCommit)]);
    let mut drop = machine("TO PARQUET 1d, DROP LOCAL 2d");
    let done = run(&mut drop, 10 * DAY, 11 * DAY, &Outcome::Done);
    assert_eq!(done, [(10 * DAY, 1, TaskKind::DropLocal)]);
    assert_eq!(drop.partitions("t~1").next().unwrap().form, Form::Dropped);
}

#[test]
fn a_drop_waits_for_the_upload_of_the_present_version() {
    let mut machine = machine("TO REMOTE 2d, DROP LOCAL 2d");
    let first = tasks(&machine.advance(10 * DAY));
    assert_eq!(first, [(1, TaskKind::RemoteUpload, 0)]);
    // Rows come while the first version is on its way.
    let late = table(0, 9 * DAY, vec![partition(1, 2), partition(9, 1)]);
    assert!(machine.handle(10 * DAY, late).contains(&Action::Cancel { task: 0 }));
    ended(&mut machine, 10 * DAY, 0, Outcome::Done);
    assert_eq!(machine.partitions("t~1").next().unwrap().remote, Some(1));
    let done = run(&mut machine, 10 * DAY, 10 * DAY + HOUR, &Outcome::Done);
    let kinds: Vec<_> = done.iter().map(|(_, _, kind)| *kind).collect();
    assert_eq!(kinds, [TaskKind::RemoteUpload, TaskKind::DropLocal]);
    let seen = machine.partitions("t~1").next().unwrap();
    assert_eq!((seen.form, seen.remote), (Form::Remote, Some(2)));
    // Late rows make a local part, which is merged, uploaded and dropped again.
    let part = PartitionSeen { partial: true, remote: Some(2), ..partition(1, 3) };
    machine.handle(11 * DAY, table(0, 9 * DAY, vec![part, partition(9, 1)]));
    let kinds: Vec<_> =
        run(&mut machine, 11 * DAY, 12 * DAY, &Outcome::Done).iter().map(|(_, _, kind)| *kind).collect();
    assert_eq!(kinds, [TaskKind::RemoteUpload, TaskKind::DropLocal]);
    assert_eq!(machine.partitions("t~1").next().unwrap().form, Form::Remote);
}

#[test]
fn what_keeps_failing_is_given_up_once_and_taken_up_after_a_change() {
    let mut machine = machine("TO PARQUET 2d");
    let failed = Outcome::Failed("disk full".into());
    let tries = run(&mut machine, 10 * DAY, 20 * DAY, &failed);
    assert_eq!(tries.len(), 21);
    assert_eq!(tries[20].0 - tries[0].0, 20 * MINUTE);
    let why = machine.why(20 * DAY, "t~1", DAY).unwrap();
    assert!(matches!(why.because, Because::GivenUp { tries: 21, .. }), "{why:?}");
    assert_eq!(
        why.because.to_string(),
        "PARQUET_CONVERSION was given up after 21 tries, until the partition or the policy changes: disk full"
    );
    // The same again is no change.
    machine.handle(20 * DAY, define("TO PARQUET 2d"));
    machine.handle(20 * DAY, table(0, 9 * DAY, vec![partition(1, 1), partition(9, 1)]));
    machine.handle(20 * DAY, Event::Restarted);
    machine.handle(20 * DAY, table(0, 9 * DAY, vec![partition(1, 1), partition(9, 1)]));
    assert_eq!(run(&mut machine, 20 * DAY, 21 * DAY, &failed), []);
    machine.handle(21 * DAY, define("TO PARQUET 1d"));
    assert_eq!(run(&mut machine, 21 * DAY, 22 * DAY, &Outcome::Done).len(), 2);
}

#[test]
fn what_is_refused_is_given_up_at_once() {
    let mut machine = machine("TO PARQUET 2d");
    let refused = Outcome::Refused("it has to stay native".into());
    assert_eq!(run(&mut machine, 10 * DAY, 20 * DAY, &refused).len(), 1);
    let why = machine.why(20 * DAY, "t~1", DAY).unwrap();
    assert!(matches!(why.because, Because::GivenUp { tries: 1, .. }), "{why:?}");
    machine.handle(20 * DAY, table(0, 9 * DAY, vec![partition(1, 2), partition(9, 1)]));
    assert_eq!(run(&mut machine, 20 * DAY, 21 * DAY, &Outcome::Done).len(), 2);
}

#[test]
fn giving_up_is_told_aloud() {
    let settings = Settings { max_reschedule_count: 0, ..Settings::default() };
    let mut machine = machine("TO PARQUET 2d");
    machine.set_settings(settings);
    machine.advance(10 * DAY);
    let actions = ended(&mut machine, 10 * DAY, 0, Outcome::Failed("disk full".into()));
    let told = Action::GiveUp {
        table: "t~1".into(),
        floor: DAY,
        kind: TaskKind::ParquetConversion,
        reason: "disk full".into(),
    };
    assert_eq!(actions.iter().filter(|action| **action == told).count(), 1);
}

#[test]
fn what_has_no_effect_is_not_done_for_ever() {
    let mut machine = machine("TO PARQUET 2d");
    let mut tasks_begun = 0;
    let mut now = 10 * DAY;
    while now < 20 * DAY {
        now = now.max(machine.next_due().unwrap());
        tasks_begun += run(&mut machine, now, now, &Outcome::Done).len();
        // The driver says so, and the partition is native as before.
        machine.handle(now, table(0, 9 * DAY, vec![partition(1, 1), partition(9, 1)]));
    }
    assert_eq!(tasks_begun, 2 * 21);
}

#[test]
fn a_ttl_suspends_a_policy_and_takes_running_tasks_back() {
    let mut machine = machine("TO PARQUET 2d");
    assert_eq!(tasks(&machine.advance(10 * DAY)).len(), 1);
    let actions = machine.handle(10 * DAY, table(240, 9 * DAY, vec![partition(1, 1), partition(9, 1)]));
    assert!(actions.contains(&Action::Cancel { task: 0 }));
    assert!(!machine.may_publish(10 * DAY, 0));
    assert_eq!(machine.status("t~1"), PolicyStatus::SuspendedByTtl);
    ended(&mut machine, 10 * DAY, 0, Outcome::Cancelled);
    let why = machine.why(10 * DAY, "t~1", DAY).unwrap();
    assert_eq!(why.because, Because::Policy { status: PolicyStatus::SuspendedByTtl });
    assert_eq!(run(&mut machine, 10 * DAY, 20 * DAY, &Outcome::Done), []);
    machine.handle(20 * DAY, table(0, 9 * DAY, vec![partition(1, 1), partition(9, 1)]));
    assert_eq!(run(&mut machine, 20 * DAY, 21 * DAY, &Outcome::Done).len(), 2);
}

#[test]
fn statements_convert_at_once_without_a_policy_and_without_workers_for_policies() {
    let settings = Settings { worker_count: 0, ..Settings::default() };
    let mut machine = Machine::new(settings, 10 * DAY);
    machine.handle(10 * DAY, table(0, 9 * DAY, vec![partition(1, 1), partition(9, 1)]));
    assert_eq!(machine.next_due(), None);
    let wish = |day: i64, parquet: bool| Event::Wish { table: "t~1".into(), floor: day * DAY, parquet };
    assert_eq!(tasks(&machine.handle(10 * DAY, wish(9, true))), [], "the last partition");
    assert_eq!(tasks(&machine.handle(10 * DAY, wish(1, true))), [(1, TaskKind::ParquetConversion, 0)]);
    let commit = ended(&mut machine, 10 * DAY, 0, Outcome::Done);
    assert_eq!(tasks(&commit), [(1, TaskKind::ParquetCommit, 1)]);
    assert!(machine.may_publish(10 * DAY, 1));
    ended(&mut machine, 10 * DAY, 1, Outcome::Done);
    assert_eq!(machine.partitions("t~1").next().unwrap().form, Form::Parquet);
    assert_eq!(tasks(&machine.handle(10 * DAY, wish(1, false))), [(1, TaskKind::NativeConversion, 2)]);
    ended(&mut machine, 10 * DAY, 2, Outcome::Done);
    // A later partition comes.
    let parts = [1, 9, 10].map(|day| partition(day, 1)).to_vec();
    machine.handle(10 * DAY, table(0, 10 * DAY, parts));
    assert_eq!(machine.next_due(), Some(10 * DAY));
    assert_eq!(tasks(&machine.advance(10 * DAY)), [(9, TaskKind::ParquetConversion, 3)]);
}

#[test]
fn says_when_the_next_step_is_due() {
    let mut machine = machine("TO PARQUET 2d, DROP LOCAL 30d");
    run(&mut machine, 10 * DAY, 10 * DAY, &Outcome::Done);
    let why = machine.why(10 * DAY, "t~1", 8 * DAY).unwrap();
    assert_eq!(why.because, Because::Young);
    // Two days after the end of day 8, at a check; and there must be rows of that time.
    let at_us = Some(11 * DAY);
    let next = Next { kind: TaskKind::ParquetConversion, at_us, newest_needed: Some(11 * DAY) };
    assert_eq!(why.next, Some(next));
    let why = machine.why(10 * DAY, "t~1", DAY).unwrap();
    let next = Next { kind: TaskKind::DropLocal, at_us: Some(32 * DAY), newest_needed: Some(32 * DAY) };
    assert_eq!((why.form, why.next), (Form::Parquet, Some(next)));
    assert_eq!(machine.why(10 * DAY, "t~1", 9 * DAY).unwrap().because, Because::Active);
    assert_eq!(machine.why(10 * DAY, "t~1", 77), None);
    let lines = machine.lines(10 * DAY, "t~1").unwrap();
    // From the newest row on day 9.
    assert_eq!((lines.to_parquet, lines.to_remote, lines.drop_local), (Some(7 * DAY), None, Some(-21 * DAY)));
}

#[test]
fn the_state_and_the_records_can_be_kept_as_text() {
    let mut machine = machine("TO PARQUET 2d");
    let actions = machine.advance(10 * DAY);
    let text = serde_json::to_string(&machine).unwrap();
    let kept: Machine = serde_json::from_str(&text).unwrap();
    assert_eq!(kept, machine);
    let records: Vec<String> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Record(record) => Some(serde_json::to_string(record).unwrap()),
            _ => None,
        })
        .collect();
    assert_eq!(
        records,
        [
            r#"{"at_us":864000000000,"table":"t~1","floor":86400000000,"policy":"queued","kind":"PARQUET_CONVERSION"}"#,
            r#"{"at_us":864000000000,"table":"t~1","floor":86400000000,"policy":"started","task":0,"kind":"PARQUET_CONVERSION","version":1,"attempt":1}"#,
        ]
    );
}

#[test]
fn after_a_restart_nothing_is_begun_before_time_is_let_pass() {
    let mut kept = machine("DROP LOCAL 2d");
    kept.advance(10 * DAY);
    // What was kept does not know yet that the drop was done.
    assert_eq!(tasks(&kept.handle(11 * DAY, Event::Restarted)), []);
    assert_eq!(tasks(&kept.handle(11 * DAY, table(0, 9 * DAY, vec![partition(9, 1)]))), []);
    assert_eq!(tasks(&kept.advance(11 * DAY)), []);
}

#[test]
fn a_partition_that_comes_again_waits_until_its_old_task_has_ended() {
    let mut machine = machine("TO PARQUET 2d");
    assert_eq!(tasks(&machine.advance(10 * DAY)).len(), 1);
    assert!(
        machine
            .handle(10 * DAY, table(0, 9 * DAY, vec![partition(9, 1)]))
            .contains(&Action::Cancel { task: 0 })
    );
    machine.handle(10 * DAY, table(0, 9 * DAY, vec![partition(1, 2), partition(9, 1)]));
    assert_eq!(tasks(&machine.advance(11 * DAY)), []);
    ended(&mut machine, 11 * DAY, 0, Outcome::Cancelled);
    assert_eq!(tasks(&machine.advance(12 * DAY)), [(1, TaskKind::ParquetConversion, 1)]);
    assert_eq!(tasks(&machine.advance(13 * DAY)), [], "one at a time");
}

#[test]
fn a_statement_about_a_dropped_partition_is_not_about_what_comes_in_its_place() {
    let mut machine = machine("DROP LOCAL 2d");
    run(&mut machine, 10 * DAY, 10 * DAY, &Outcome::Done);
    machine.handle(10 * DAY, Event::Wish { table: "t~1".into(), floor: DAY, parquet: true });
    machine.handle(10 * DAY, Event::Policy { table: "t~1".into(), policy: None });
    machine.handle(10 * DAY, table(0, 9 * DAY, vec![partition(1, 2), partition(9, 1)]));
    assert_eq!(run(&mut machine, 10 * DAY, 20 * DAY, &Outcome::Done), []);
}
