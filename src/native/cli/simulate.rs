//! `understudy simulate`

use super::interrupt;
use super::out::Out;
use super::progress::{Progress, grouped};
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::simulate::{Batch, Ended, Tally};
use crate::sim::{Faults, Scenario, Sim, lab_link};
use clap::Args;
use serde::Serialize;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Try a cluster with everything that can go wrong, in a simulator
///
/// Each seed is a cluster of its own on virtual time: the real machines of nodes, clients, the log and storage policies, with
/// faults that the seed chooses. After every step invariants are checked: one history, nothing durable is lost, equal rows at
/// equal places, and more (docs/simulator.md). The same seed gives the same run, on any machine.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy simulate --seeds 0..1000
  understudy simulate --seeds 0..100000 --resume run.json      goes on where it stopped
  understudy simulate --seeds 0..1000 --faults kill,pause,black-hole
  understudy simulate --replay 4711                            what happens in this seed, step by step
Exits 0 when all invariants held, 1 when one did not.")]
pub(super) struct Simulate {
    /// Seeds, the last one excluded
    #[arg(long, value_name = "A..B", default_value = "0..1000", value_parser = seeds)]
    seeds: Range<u64>,
    /// Steps of each seed, at most
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Kinds of fault, with commas between them; all, none, or list to see them
    #[arg(long, value_name = "LIST", default_value = "all")]
    faults: String,
    /// Show what happens in this one seed
    #[arg(long, value_name = "SEED", conflicts_with = "resume")]
    replay: Option<u64>,
    /// Write the run into this file now and then, and go on with it if it is there
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// A scenario in place of the usual one (docs/simulator.md)
    #[arg(long, value_name = "FILE", conflicts_with = "faults")]
    scenario: Option<PathBuf>,
    /// Threads; as many as there are cores unless given
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

/// The last line with `--json`: nothing in it depends on the machine.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    seeds: [u64; 2],
    done: u64,
    steps: u64,
    simulated_s: u64,
    faults: String,
    trace: String,
    violations: Vec<Told<'a>>,
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    seed: u64,
    step: u64,
    at_us: u64,
    invariant: &'a str,
    what: &'a str,
    command: String,
    link: String,
}

pub(super) fn run(out: &Out, args: &Simulate) -> Result<Exit> {
    if args.faults == "list" {
        return list(out);
    }
    let scenario = scenario(args)?;
    let threads =
        args.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
    let seeds = args.replay.map_or(args.seeds.clone(), |seed| seed..seed.saturating_add(1));
    let batch = Batch { scenario, seeds, steps: args.steps, threads };
    if let Some(seed) = args.replay {
        narrate(out, &batch, seed)?;
    }
    let begun = Instant::now();
    let count = batch.seeds.end.saturating_sub(batch.seeds.start);
    let mut progress = Progress::new(*out, "simulating", "seeds", count);
    let stop = Arc::new(AtomicBool::new(false));
    interrupt::listen(stop.clone(), || {});
    let tally = batch.run(args.resume.as_deref(), &stop, |tally, bad| {
        progress.set(tally.done);
        if let Some(ended) = bad {
            out.warn(story(&batch.scenario, &given(args), ended));
        }
    })?;
    drop(progress);
    tell(out, args, &batch, &tally, begun)?;
    Ok(if tally.bad.is_empty() { Exit::Ok } else { Exit::Failed })
}

fn scenario(args: &Simulate) -> Result<Scenario> {
    if let Some(file) = &args.scenario {
        let failed = |why: String| Failure::failed(format!("{}: {why}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
        return Scenario::read(&text).map_err(failed);
    }
    let faults: Faults = args.faults.parse().map_err(|error: String| {
        Failure::usage(error).advise("`understudy simulate --faults list` shows all of them")
    })?;
    Ok(Scenario { faults, ..Scenario::chaos() })
}

fn list(out: &Out) -> Result<Exit> {
    let mut text = String::new();
    for fault in Faults::all().iter() {
        text += &format!("{:<20} {}\n", fault.name(), fault.sentence());
    }
    out.text(text)?;
    let told: Vec<_> = Faults::all().iter().map(|fault| (fault.name(), fault.sentence())).collect();
    out.json(&told)?;
    Ok(Exit::Ok)
}

/// What happens, line by line.
fn narrate(out: &Out, batch: &Batch, seed: u64) -> Result<()> {
    if out.quiet {
        return Ok(());
    }
    let mut sim = Sim::new(&batch.scenario, seed);
    sim.listen();
    let most = batch.steps.unwrap_or(u64::MAX);
    loop {
        let goes_on = sim.steps() < most && sim.step();
        for happening in sim.take_happenings() {
            let (seconds, micros) = (happening.at_us / 1_000_000, happening.at_us % 1_000_000);
            let (step, who, what) = (happening.step, happening.who, &happening.what);
            out.text(format!("{step:>8} {seconds:>4}.{micros:06} {:<8} {what:?}\n", who.to_string()))?;
            out.json(&happening)?;
        }
        if !goes_on {
            return Ok(());
        }
    }
}

fn tell(out: &Out, args: &Simulate, batch: &Batch, tally: &Tally, begun: Instant) -> Result<()> {
    let took = begun.elapsed().as_secs_f64();
    let simulated = tally.simulated_us as f64 / 1e6;
    let held = match tally.bad.len() {
        0 => "all invariants held".to_owned(),
        count => format!("{count} did not end well"),
    };
    out.text(format!(
        "{} of {} seeds, {} steps, {simulated:.0} s simulated: {held}\ntrace {:016x}\n",
        grouped(tally.done),
        grouped(batch.seeds.end.saturating_sub(batch.seeds.start)),
        grouped(tally.steps),
        tally.trace
    ))?;
    if args.resume.is_none() && args.replay.is_none() {
        out.note(format!("took {took:.1} s, {:.0} times real time", simulated / took.max(1e-6)));
    }
    let given = given(args);
    let violations = tally.bad.iter().map(|ended| told(&batch.scenario, &given, ended)).collect();
    out.json(&Summary {
        seeds: [batch.seeds.start, batch.seeds.end],
        done: tally.done,
        steps: tally.steps,
        simulated_s: tally.simulated_us / 1_000_000,
        faults: batch.scenario.faults.to_string(),
        trace: format!("{:016x}", tally.trace),
        violations,
    })
}

/// The scenario, as the command line has it.
fn given(args: &Simulate) -> String {
    match &args.scenario {
        Some(file) => format!(" --scenario {}", file.display()),
        None if args.faults == "all" => String::new(),
        None => format!(" --faults {}", args.faults),
    }
}

fn story(scenario: &Scenario, given: &str, ended: &Ended) -> String {
    let Told { seed, command, link, .. } = told(scenario, given, ended);
    let what = match (&ended.violation, &ended.panic) {
        (Some(violation), _) => violation.to_string(),
        (None, Some(panic)) => format!("the program itself failed at step {}: {panic}", ended.steps),
        (None, None) => String::new(),
    };
    format!("seed {seed}: {what}\n  {command}\n  index.html{link}")
}

fn told<'a>(scenario: &Scenario, given: &str, ended: &'a Ended) -> Told<'a> {
    let (invariant, what, step, at_us) = match (&ended.violation, &ended.panic) {
        (Some(it), _) => (it.invariant.name(), it.what.as_str(), it.step, it.at_us),
        (None, panic) => ("panic", panic.as_deref().unwrap_or_default(), ended.steps, ended.simulated_us),
    };
    Told {
        seed: ended.seed,
        step,
        at_us,
        invariant,
        what,
        command: format!("understudy simulate --replay {}{given}", ended.seed),
        link: link(scenario, ended.seed, step),
    }
}

/// Where the page shows this step.
fn link(scenario: &Scenario, seed: u64, step: u64) -> String {
    if *scenario == (Scenario { faults: scenario.faults, ..Scenario::chaos() }) {
        return lab_link(seed, step, scenario.faults);
    }
    let document = serde_json::to_string(scenario).unwrap_or_default();
    let document = percent_encoding::utf8_percent_encode(&document, percent_encoding::NON_ALPHANUMERIC);
    format!("#lab&scenario={document}&seed={seed}&step={step}")
}

fn seeds(text: &str) -> std::result::Result<Range<u64>, String> {
    let wrong = || "seeds are given as A..B, the last one excluded, e.g. 0..1000".to_owned();
    let (from, to) = text.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str| text.replace('_', "").parse::<u64>().map_err(|_not_a_number| wrong());
    let (from, to) = (number(from)?, number(to)?);
    if from < to { Ok(from..to) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_what_the_seed_alone_does_not_say() {
        assert_eq!(link(&Scenario::chaos(), 7, 120), "#lab&seed=7&step=120");
        let other = Scenario { nodes: 5, ..Scenario::chaos() };
        let told = link(&other, 7, 120);
        assert!(told.starts_with("#lab&scenario=%7B%22format%22%3A1%2C"), "{told}");
        assert!(told.contains("%22nodes%22%3A5") && told.ends_with("&seed=7&step=120"), "{told}");
    }

    #[test]
    fn ranges_of_seeds_are_read() {
        assert_eq!(seeds("0..100_000"), Ok(0..100_000));
        for wrong in ["", "5", "5..", "5..5", "9..3", "a..b", "-1..3"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
