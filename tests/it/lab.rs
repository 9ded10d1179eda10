//! Storage policies in a lab, on a real log: instances differ, converge, and what they made can be read.

use crate::common::{BY_CODEC, Recording, files_made, partition_by_codec, read_by_codec, recording};
use understudy::apply::file_rows;
use understudy::columnar::parquet::Options;
use understudy::lab::{
    Brick, BrickForm, InstanceSettings, Lab, LabSettings, PolicyChange, PolicyStep, Told, encode_partition,
};
use understudy::policy::{Form, PolicyStatus};
use understudy::replay::{History, PlayerOptions, tables};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

fn instance(name: &str, check_interval_us: i64) -> InstanceSettings {
    InstanceSettings {
        name: name.to_owned(),
        check_interval_us,
        workers: 2,
        convert_bytes_per_s: 50_000_000,
        upload_bytes_per_s: 20_000_000,
        skew_us: 0,
        pauses: Vec::new(),
    }
}

fn settings(stages: &str, instances: Vec<InstanceSettings>) -> LabSettings {
    let change = PolicyChange::Set { stages: stages.to_owned() };
    LabSettings { policy: vec![PolicyStep { at_us: 0, change }], instances }
}

fn lab(recording: &Recording, name: &str, settings: LabSettings) -> Lab {
    let tokens = tables(&recording.files).expect("tables");
    let token = tokens.iter().find(|token| token.name == name).expect("the table is there");
    let history = History::read(&recording.files, token).expect("a log");
    let mut lab = Lab::new(history, 0, PlayerOptions::default()).expect("a lab");
    lab.set(settings);
    lab
}

fn run(lab: &mut Lab, recording: &Recording, until: i64) -> Told {
    while !lab.run(&recording.files, until, 1_000).expect("it runs") {}
    lab.told()
}

fn start(lab: &mut Lab, recording: &Recording) -> i64 {
    assert_eq!(lab.run(&recording.files, i64::MAX, 0), Ok(false));
    lab.told().start_us
}

fn bricks(told: &Told, instance: usize) -> impl Iterator<Item = &Brick> {
    told.instances[instance].bricks.iter().flatten()
}

fn count(told: &Told, instance: usize, form: Form) -> usize {
    bricks(told, instance).filter(|brick| brick.stands == form).count()
}

/// How the lab stands every ten minutes from its beginning on, for so long.
fn film(lab: &mut Lab, recording: &Recording, hours: i64) -> Vec<Told> {
    let start = start(lab, recording);
    (1..=hours * 6).map(|tenth| run(lab, recording, start + tenth * 10 * MINUTE)).collect()
}

#[test]
fn instances_differ_and_then_converge() {
    let recording = recording("trading_day");
    let two = vec![instance("a", 5 * MINUTE), instance("b", 100 * MINUTE)];
    let mut lab = lab(&recording, "orders", settings("TO PARQUET 1h, DROP LOCAL 4h", two));
    let film = film(&mut lab, &recording, 16);
    assert!(film.iter().any(|told| !told.differing.is_empty()), "the second one looks less often");
    let last = film.last().expect("a last one");
    assert_eq!((last.seq_txn, last.differing.len()), (last.txn_count, 0));
    assert_eq!(last.status, PolicyStatus::Active);
    // Nine hours: the last is active, those that ended four hours before the newest row are gone.
    for instance in 0..2 {
        assert!(count(last, instance, Form::Dropped) >= 4, "{last:#?}");
        assert!(count(last, instance, Form::Parquet) >= 2);
        assert_eq!(count(last, instance, Form::Native), 2, "the active hour, and the one before it");
    }
    assert!(last.conversions.file_bytes > 0 && last.conversions.files >= 6);
    // Going back is beginning again, and the same comes of it.
    let middle = &film[film.len() / 2];
    let again = run(&mut lab, &recording, middle.now_us);
    assert_eq!((&again.instances, &again.differing), (&middle.instances, &middle.differing));
}

#[test]
fn a_parquet_brick_is_the_real_file() {
    let recording = recording("trading_day");
    let two = vec![instance("a", 5 * MINUTE), instance("idle", 100 * 24 * HOUR)];
    let mut lab = lab(&recording, "trades", settings("TO PARQUET 1h", two));
    let start = start(&mut lab, &recording);
    let told = run(&mut lab, &recording, start + 16 * HOUR);
    let place =
        told.partitions.iter().position(|partition| partition.name == "2025-06-20T10").expect("it is there");
    let brick = |instance: usize| told.instances[instance].bricks[place].as_ref().expect("a brick");
    assert_eq!((brick(0).form, brick(1).form), (BrickForm::Parquet, BrickForm::Native));
    assert_eq!(brick(0).digest, brick(1).digest);
    let native = lab.rows(1, "2025-06-20T10").expect("rows");
    let (floor, partition) = native.partitions.first_key_value().expect("a partition");
    let bytes = encode_partition(&native, partition, Options::default()).expect("a file");
    assert_eq!(brick(0).bytes, bytes.len());
    let rows = partition.rows as u64;
    let back = file_rows("f", bytes.into(), rows, &mut native.clone(), *floor).expect("it can be read");
    assert_eq!(native.partition_digest(&back).to_string(), *brick(0).digest.as_ref().expect("a digest"));
    let parquet = lab.rows(0, "2025-06-20T10").expect("rows");
    assert_eq!(parquet.digest(), native.digest());
    let why = lab.why(0, "2025-06-20T10").expect("it is known");
    assert_eq!((why.form, &*why.because, why.next), (Form::Parquet, "no stage is left for it", None));
    let last = told.partitions.last().expect("a partition").name.clone();
    assert_eq!(lab.why(0, &last).expect("it is known").because, "the last partition is never touched");
}

#[test]
fn the_bucket_gets_each_content_once_and_is_read_from() {
    let recording = recording("trading_day");
    let two = vec![instance("a", 5 * MINUTE), instance("b", 7 * MINUTE)];
    let mut lab = lab(&recording, "quotes", settings("TO REMOTE 1h, DROP LOCAL 2h", two));
    let start = start(&mut lab, &recording);
    let told = run(&mut lab, &recording, start + 16 * HOUR);
    assert_eq!(told.differing, Vec::<String>::new());
    let remote = count(&told, 0, Form::Remote);
    assert!(remote >= 5 && told.bucket.files >= remote, "{told:#?}");
    assert!(told.bucket.spared >= remote, "the second one finds what the first has put");
    let first = bricks(&told, 0).find(|brick| brick.form == BrickForm::Remote).expect("one");
    assert!(first.bytes == 0 && first.remote_bytes > 0 && first.rows > 0);
    let rows = lab.rows(1, "2025-06-20T08").expect("from the bucket");
    assert_eq!(rows.rows(), 1459);
}

#[test]
fn a_partition_in_the_bucket_follows_a_change_of_type() {
    let recording = recording("trading_day");
    let idle = InstanceSettings { workers: 0, ..instance("idle", 5 * MINUTE) };
    let stages = "TO PARQUET 1h, TO REMOTE 1h, DROP LOCAL 2h";
    let mut lab = lab(&recording, "quotes", settings(stages, vec![instance("a", 5 * MINUTE), idle]));
    let start = start(&mut lab, &recording);
    let told = run(&mut lab, &recording, start + 16 * HOUR);
    // INT became LONG in the middle of the day.
    let first = told.partitions.iter().zip(&told.instances[0].bricks);
    let remote =
        first.filter(|(_, brick)| brick.as_ref().is_some_and(|brick| brick.form == BrickForm::Remote));
    let remote: Vec<String> = remote.map(|(partition, _)| partition.name.clone()).collect();
    assert!(remote.len() >= 5, "{told:#?}");
    for name in &remote {
        let [there, native] = [0, 1].map(|instance| lab.rows(instance, name).expect("rows").digest());
        assert_eq!(there, native, "{name}");
    }
    // From there on QuestDB would end at a late row for a Parquet partition.
    let reasons: Vec<String> = remote
        .iter()
        .chain(told.partitions.iter().map(|partition| &partition.name))
        .map(|name| lab.why(0, name).expect("known").because)
        .collect();
    assert!(reasons.iter().any(|because| because.contains("changed its type")), "{reasons:#?}");
}

#[test]
fn who_stands_still_is_left_behind_and_catches_up() {
    let recording = recording("trading_day");
    let mut lab = lab(&recording, "quotes", LabSettings::default());
    let start = start(&mut lab, &recording);
    let stops = InstanceSettings {
        pauses: vec![(start + 2 * HOUR, start + 7 * HOUR)],
        ..instance("stops", 5 * MINUTE)
    };
    lab.set(settings("TO PARQUET 1h", vec![instance("runs", 5 * MINUTE), stops]));
    let during = run(&mut lab, &recording, start + 6 * HOUR);
    assert!(during.instances[1].paused && during.instances[1].seq_txn < during.instances[0].seq_txn);
    assert!(during.differing.len() >= 4, "{:?}", during.differing);
    assert_eq!(lab.why(1, "2025-06-20T08").expect("known").because, "the instance stands still");
    let after = run(&mut lab, &recording, start + 16 * HOUR);
    assert_eq!((after.instances[1].paused, after.differing.len()), (false, 0));
}

#[test]
fn late_rows_to_a_dropped_partition_are_a_part_of_their_own() {
    let recording = recording("trading_day");
    for (stages, table) in [("DROP LOCAL 1h", "orders"), ("TO REMOTE 1h, DROP LOCAL 1h", "trades")] {
        let two = vec![instance("a", MINUTE), instance("idle", 100 * 24 * HOUR)];
        let mut lab = lab(&recording, table, settings(stages, two));
        let start = start(&mut lab, &recording);
        let (mut late, mut at) = (None, start);
        while late.is_none() && at < start + 16 * HOUR {
            at += MINUTE / 4;
            let told = run(&mut lab, &recording, at);
            let found = told.instances[0]
                .bricks
                .iter()
                .position(|brick| brick.as_ref().is_some_and(|brick| brick.late));
            late = found.map(|place| (told.partitions[place].name.clone(), told));
        }
        let (name, told) = late.expect("late rows");
        let place = told.partitions.iter().position(|partition| partition.name == name).expect("it is there");
        let brick = |instance: usize| told.instances[instance].bricks[place].as_ref().expect("a brick");
        assert!(brick(0).bytes < brick(1).bytes, "{table}");
        if stages.starts_with("TO REMOTE") {
            assert_eq!(brick(0).digest, brick(1).digest, "readers merge both");
        } else {
            assert!(brick(0).rows < brick(1).rows);
        }
        let last = run(&mut lab, &recording, start + 20 * HOUR);
        assert!(bricks(&last, 0).all(|brick| !brick.late), "it goes in its turn");
    }
}

#[test]
fn late_rows_put_a_parquet_partition_back() {
    let recording = recording("trading_day");
    let one = vec![instance("a", MINUTE)];
    let mut lab = lab(&recording, "orders", settings("TO PARQUET 1h", one));
    let start = start(&mut lab, &recording);
    let (mut before, mut back) = (Vec::new(), 0);
    for tick in 1..16 * 60 * 4 {
        let told = run(&mut lab, &recording, start + tick * MINUTE / 4);
        let forms: Vec<Form> = bricks(&told, 0).map(|brick| brick.stands).collect();
        let again = |(before, now): (&Form, &Form)| *before == Form::Parquet && *now == Form::Native;
        back += before.iter().zip(&forms).filter(|pair| again(*pair)).count();
        before = forms;
    }
    assert!(back > 0, "late rows");
    assert!(
        before.iter().filter(|form| **form == Form::Parquet).count() >= 7,
        "and they are converted again"
    );
}

#[test]
fn a_statement_that_does_not_fit_is_refused() {
    let recording = recording("trading_day");
    let mut lab = lab(&recording, "bars", settings("TO PARQUET 36h", vec![instance("a", MINUTE)]));
    let start = start(&mut lab, &recording);
    let told = run(&mut lab, &recording, start + HOUR);
    assert_eq!(told.refused.as_deref(), Some("TTL value must be an integer multiple of partition size"));
    assert_eq!((told.policy, told.status), (None, PolicyStatus::None));
}

/// The module for the browser is held to the same list (`tests/wasm/lab.rs`). `UNDERSTUDY_BLESS=1` writes it anew.
#[test]
fn the_bundled_days_files_are_these_bytes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/parquet_files.txt");
    let made = files_made(&recording("trading_day"));
    if std::env::var_os("UNDERSTUDY_BLESS").is_some() {
        std::fs::write(path, &made).expect("the list can be written");
    }
    assert_eq!(made, std::fs::read_to_string(path).expect("the list is there"));
}

#[cfg(feature = "parquet-codecs")]
#[test]
fn files_of_other_codecs_are_read() {
    let recording = recording("trading_day");
    if std::env::var_os("UNDERSTUDY_BLESS").is_some() {
        let (table, floor) = partition_by_codec(&recording);
        for (codec, _) in BY_CODEC {
            let options = Options { codec, level: 3, min_ratio: 0.0, ..Options::default() };
            let bytes = encode_partition(&table, &table.partitions[&floor], options).expect("a file");
            let name = codec.name().to_lowercase();
            let path = format!("{}/tests/data/parquet_{name}.parquet", env!("CARGO_MANIFEST_DIR"));
            std::fs::write(path, bytes).expect("the file can be written");
        }
    }
    read_by_codec(&recording);
}
