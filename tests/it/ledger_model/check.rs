//! What must hold in every world.

use super::world::{Follower, Model, Node, World};
use understudy::ledger::{Document, GetAnswer, Key, Kind, Manifest, Object, Point, Reader, Status};

/// What is wrong with this world, if anything.
pub fn violation(world: &World, model: &Model) -> Option<String> {
    world.fault.clone().or_else(|| {
        let newcomer = match newcomer(world, Reader::with_rules(Point::start(&world.cluster), model.rules)) {
            Ok(newcomer) => newcomer,
            Err(error) => return Some(format!("a newcomer stops: {error}")),
        };
        one_history(world, model, &newcomer)
            .or_else(|| acknowledged(world, &newcomer))
            .or_else(|| stragglers(world, model, &newcomer))
            .or_else(|| stopped(world))
    })
}

/// What somebody reads who begins now.
fn newcomer(world: &World, reader: Reader) -> Result<Follower, String> {
    let mut follower = Follower { reader, history: Vec::new() };
    loop {
        match follower.step(world, false) {
            Some(Ok(true)) => {}
            Some(Ok(false)) | None => return Ok(follower),
            Some(Err(error)) => return Err(error),
        }
    }
}

/// (a): any two histories: one begins with the other. Snapshots hold nothing that the log lacks.
fn one_history(world: &World, model: &Model, newcomer: &Follower) -> Option<String> {
    let log = &newcomer.history;
    let mut longest = log;
    let histories = || {
        let nodes = world.nodes.iter().filter_map(|node| match node {
            Node::Claim(_, history) => Some(history.as_slice()),
            // What a primary has written itself is not history before it is acknowledged.
            Node::Write(writer, history) => {
                history.get(..(writer.acknowledged() as usize).min(history.len()))
            }
            Node::Over => None,
        });
        nodes.chain(world.readers.iter().map(|reader| reader.history.as_slice()))
    };
    for reader in &world.readers {
        if reader.history.len() > longest.len() {
            longest = &reader.history;
        }
    }
    if let Some(other) = histories().find(|other| !begins(longest, other) && !begins(other, longest)) {
        return Some(format!("two histories: {other:x?} and {longest:x?}"));
    }
    if let Some(snapshot) = world.snapshots.values().find(|snapshot| !begins(log, snapshot)) {
        return Some(format!("a snapshot holds {snapshot:x?}, the log {log:x?}"));
    }
    // Whoever begins at the newest snapshot reads the same.
    let (n, content) = world.snapshots.last_key_value()?;
    let bytes = world.store.get(&Key::Snapshot(*n))?;
    let manifest = Manifest::read("snapshot", &bytes.bytes).expect("the snapshot was written whole");
    let reader = Reader::with_rules(Point::behind(&manifest), model.rules);
    let mut behind = Follower { reader, history: content.clone() };
    while let Some(step) = behind.step(world, false) {
        match step {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Some(format!("a newcomer at snapshot {n} stops: {error}")),
        }
    }
    (behind.history != *log)
        .then(|| format!("from snapshot {n}: {:x?}, from the start {log:x?}", behind.history))
}

/// (b): what was acknowledged is in what a newcomer reads.
fn acknowledged(world: &World, newcomer: &Follower) -> Option<String> {
    let log = &newcomer.history;
    let lost = world.acknowledged.iter().find(|(n, sum)| log.get(**n as usize) != Some(sum));
    lost.map(|(n, _)| format!("number {n} was acknowledged and is not in the history"))
}

/// (c): a writer that was sealed at f never sends a number above f + K - 1.
fn stragglers(world: &World, model: &Model, newcomer: &Follower) -> Option<String> {
    let spans = &newcomer.reader.point().terms;
    world.sent.iter().find_map(|sent| {
        let Key::Object(place) = sent.key else { return None };
        let seal = spans.iter().find(|span| span.directory == place.dir)?.seal?;
        if place.n < seal + model.window as u64 {
            return None;
        }
        let object = Object::read(place, sent.bits.bytes.clone()).expect("what was sent is an object");
        let is_pack = object.head().kind == Kind::Pack;
        is_pack.then(|| format!("number {} was sent, the seal is at {seal}", place.n))
    })
}

/// Nobody meets what should not be.
fn stopped(world: &World) -> Option<String> {
    world.nodes.iter().find_map(|node| match node {
        Node::Write(writer, _) => match writer.status() {
            Status::Stopped(error) => Some(format!("a writer stops: {error}")),
            _ => None,
        },
        _ => None,
    })
}

fn begins(whole: &[u64], part: &[u64]) -> bool {
    whole.starts_with(part)
}

/// The store's answer to a get.
pub fn get(world: &World, key: Key) -> GetAnswer {
    match world.store.get(&key) {
        Some(bits) => GetAnswer::Found(bits.bytes.clone()),
        None => GetAnswer::NotFound,
    }
}
