//! Random policies, clocks, late rows, failures and restarts on 2 to 4 instances of one history, over the state machine of
//! `policy` itself.
//!
//! `history.rs` is what happens to all, `instance.rs` what an instance makes of it, with the checks that hold at every step:
//! nothing is lost, dropped early or touched while active, and no step is tried for ever. At the end of each history
//! the instances get time, and must end in the same states: [`converged`].

mod chance;
mod history;
mod instance;
mod time;

use chance::Chance;
use history::{History, pause};
use instance::{Instance, Part};
use std::collections::{BTreeMap, BTreeSet};
use time::{DAY, HOUR, MINUTE, bounds, old};
use understudy::policy::{Form, Rules, Settings};

/// What a run of seeds has seen.
#[derive(Debug, Default)]
struct Seen {
    tasks: u64,
    calm_tables: u64,
    forms: BTreeMap<String, u64>,
}

/// Plays one history from its seed.
fn play(seed: u64, rules: Rules, seen: &mut Seen) -> Result<(), String> {
    let mut chance = Chance::new(seed);
    let mut now = 1_700_000_000_000_000 + chance.between(0, 1_500) * DAY + chance.between(0, DAY);
    let mut history = History::new(&mut chance, now);
    let mut instances: Vec<Instance> = (0..chance.between(2, 4))
        .map(|_| Instance::new(&history, some_settings(&mut chance, rules), now))
        .collect();
    let failing = chance.pick(&[0, 5, 30, 90]);
    for _ in 0..chance.between(8, 32) {
        now += pause(&mut chance);
        for _ in 0..chance.below(4) {
            history.go_on(&mut chance, now);
        }
        for instance in &mut instances {
            disturb(instance, &history, &mut chance, now)?;
            for _ in 0..chance.below(8) {
                instance.apply(&history, &mut chance, now)?;
                if chance.percent(30) {
                    instance.work(&history, &mut chance, now, failing)?;
                }
            }
            instance.advance(&history, now)?;
            for _ in 0..chance.below(6) {
                instance.work(&history, &mut chance, now, failing)?;
                instance.advance(&history, now)?;
            }
            instance.nothing_is_lost()?;
        }
    }
    history.settle(&mut chance, now);
    now = now.max(history.newest()) + HOUR;
    let mut rested = 0;
    for _ in 0..200 {
        let mut begun = 0;
        for instance in &mut instances {
            begun += calm_down(instance, &history, &mut chance, now)?;
        }
        rested = if begun == 0 { rested + 1 } else { 0 };
        if rested == 3 {
            return converged(&history, &instances, now, seen);
        }
        now += 2 * HOUR;
    }
    Err("the instances never rest".to_owned())
}

/// Clocks jump, processes die.
fn disturb(instance: &mut Instance, history: &History, chance: &mut Chance, now: i64) -> Result<(), String> {
    if chance.percent(8) {
        instance.skew = match chance.below(5) {
            0 => 0,
            1 => chance.between(-20, 20) * MINUTE,
            2 => chance.between(-90, -1) * DAY,
            3 => chance.between(1, 40) * DAY,
            _ => 4_000 * DAY,
        };
    }
    if chance.percent(6) {
        if chance.percent(20) {
            let reschedules = instance.settings.max_reschedule_count;
            instance.settings = some_settings(chance, instance.settings.rules);
            instance.settings.max_reschedule_count = reschedules;
        }
        instance.restart(history, chance, now)?;
    }
    Ok(())
}

/// All goes well from here on. Answers how many tasks were begun.
fn calm_down(
    instance: &mut Instance,
    history: &History,
    chance: &mut Chance,
    now: i64,
) -> Result<u64, String> {
    instance.skew = 0;
    if instance.settings.worker_count == 0 {
        instance.settings.worker_count = 1;
        instance.restart(history, chance, now)?;
    }
    while instance.cursor < history.log.len() {
        instance.apply(history, chance, now)?;
    }
    let before = instance.began;
    instance.advance(history, now)?;
    while instance.is_working() {
        instance.work(history, chance, now, 0)?;
        instance.advance(history, now)?;
    }
    instance.nothing_is_lost()?;
    Ok(instance.began - before)
}

/// What must be at the end: everywhere no stage is left undone; and where the stages were the same all along, every instance
/// has exactly the forms and rows that follow from the history alone.
///
/// Elsewhere instances may differ for good by what an earlier policy did to one of them in time: rows that were dropped
/// don't come back, and QuestDB makes nothing native again by itself.
fn converged(history: &History, instances: &[Instance], now: i64, seen: &mut Seen) -> Result<(), String> {
    for (number, instance) in instances.iter().enumerate() {
        seen.tasks += instance.began;
        for (table, def) in history.tables.iter().enumerate() {
            let here = &instance.tables[table];
            let policy = here.policy.ok_or("every table has a policy at the end")?;
            let reference = instance.reference(history, table, now);
            let last = here.last();
            let wrong = |floor: i64, part: &Part, why: &str| {
                let (form, list) = (part.form, policy.list());
                let explained =
                    instance.machine.why(now, &def.dir, floor * if def.nanos { 1_000 } else { 1 });
                format!(
                    "instance {number}, table {table}, partition {floor}, {form:?} under {list}: {why}; {explained:?}"
                )
            };
            for (floor, part) in here.parts.iter().filter(|(floor, _)| last != Some(**floor)) {
                let due = |ttl| old(bounds(def.unit, *floor).1, ttl, reference);
                let local = matches!(part.form, Form::Native | Form::Parquet);
                let uploaded = part.remote.as_ref().is_some_and(|(_, rows)| *rows == part.readable());
                if local && due(policy.drop_local) {
                    return Err(wrong(*floor, part, "should be dropped"));
                }
                if part.form == Form::Native && !part.partial && due(policy.to_parquet) {
                    return Err(wrong(*floor, part, "should be Parquet"));
                }
                if local && !uploaded && due(policy.to_remote) {
                    return Err(wrong(*floor, part, "should be in the bucket"));
                }
            }
            if !def.calm {
                continue;
            }
            seen.calm_tables += 1;
            let (have, should) = (states(&here.parts), expected(history, table, instance, now));
            if have != should {
                return Err(format!("instance {number}, table {table}: {have:?}\nshould be {should:?}"));
            }
            for (_, form, _) in have {
                *seen.forms.entry(format!("{form:?}")).or_default() += 1;
            }
        }
    }
    Ok(())
}

type State = (i64, Form, BTreeSet<usize>);

fn states(parts: &BTreeMap<i64, Part>) -> Vec<State> {
    parts.iter().map(|(floor, part)| (*floor, part.form, part.readable())).collect()
}

/// What follows from the history of a calm table.
fn expected(history: &History, table: usize, instance: &Instance, now: i64) -> Vec<State> {
    let unit = history.tables[table].unit;
    let Some(policy) = instance.tables[table].policy else { return Vec::new() };
    let reference = history.newest_of(table).min(now);
    let partitions = history.partitions(table);
    let last = partitions.last_key_value().map(|(floor, _)| *floor);
    let mut out = Vec::new();
    for (floor, (rows, wish)) in partitions {
        let due = |ttl| last != Some(floor) && old(bounds(unit, floor).1, ttl, reference);
        if due(policy.drop_local) {
            if policy.to_remote.is_some() {
                out.push((floor, Form::Remote, rows));
            }
        } else if due(policy.to_parquet) || wish && last != Some(floor) {
            out.push((floor, Form::Parquet, rows));
        } else {
            out.push((floor, Form::Native, rows));
        }
    }
    out
}

fn some_settings(chance: &mut Chance, rules: Rules) -> Settings {
    Settings {
        check_interval_us: chance.between(1, 110) * MINUTE,
        retry_interval_us: chance.between(1, 60) * MINUTE,
        max_reschedule_count: chance.pick(&[0, 1, 3, 20]),
        worker_count: chance.pick(&[0, 1, 1, 2, 4, 4]),
        use_wall_clock: chance.percent(80),
        rules,
    }
}

/// Leaves out a rule, and expects that something goes wrong.
fn needs(rule: &str) {
    let rules = Rules::without(rule).expect("the rule has a switch");
    for seed in 0..SEEDS {
        if let Err(what) = play(seed, rules, &mut Seen::default()) {
            println!("without {rule}, seed {seed}: {what}");
            return;
        }
    }
    panic!("without {rule} nothing goes wrong in {SEEDS} histories");
}

const SEEDS: u64 = 10_000;

#[test]
fn instances_converge_and_nothing_is_lost_early_or_for_ever() {
    let started = std::time::Instant::now();
    let mut seen = Seen::default();
    let one = std::env::var("POLICY_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = one.map_or(0..SEEDS, |seed: u64| seed..seed + 1);
    for seed in seeds {
        if let Err(what) = play(seed, Rules::ALL, &mut seen) {
            panic!("POLICY_SEED={seed}: {what}");
        }
    }
    println!("{seen:?} in {:.1} s", started.elapsed().as_secs_f32());
    // The histories are about what they should be about.
    assert!(one.is_some() || (seen.forms.len() == 3 && seen.tasks > 50 * SEEDS), "{seen:?}");
}

#[test]
fn active_the_last_partition_is_never_touched() {
    needs("active");
}

#[test]
fn version_what_was_made_of_an_older_version_is_not_published() {
    needs("version");
}

#[test]
fn wanted_what_is_not_wanted_any_more_is_not_published() {
    needs("wanted");
}

#[test]
fn upload_first_nothing_is_dropped_before_it_is_in_the_bucket() {
    needs("upload_first");
}

#[test]
fn merged_late_rows_are_uploaded_too() {
    needs("merged");
}

#[test]
fn ttl_suspends_the_policy() {
    needs("ttl");
}

#[test]
fn cap_the_clock_caps_the_newest_timestamp() {
    needs("cap");
}

#[test]
fn future_partitions_are_not_old() {
    needs("future");
}

#[test]
fn clamp_a_clock_put_back_brings_the_schedule_back() {
    needs("clamp");
}

#[test]
fn give_up_no_step_is_tried_for_ever() {
    needs("give_up");
}

#[test]
fn reset_what_was_given_up_is_taken_up_after_a_change() {
    needs("reset");
}

#[test]
fn restart_forgets_what_was_running() {
    needs("restart");
}

#[test]
fn wish_a_conversion_that_late_rows_undo_is_done_again() {
    needs("wish");
}
