//! Breadth first over all worlds that can be reached.

use super::check::violation;
use super::world::{Model, World};
use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

pub enum Outcome {
    Complete { states: usize, transitions: usize, depth: usize },
    Violation { what: String, path: Vec<String>, states: usize },
}

/// A world's fingerprint. Of a million worlds two share one with a chance of one in 30 million.
fn fingerprint(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

pub fn explore(model: &Model) -> Outcome {
    let first = World::new(model);
    let mut came_from = HashMap::from([(fingerprint(&first), 0)]);
    let mut waiting = VecDeque::from([(first, 0)]);
    let (mut transitions, mut deepest) = (0, 0);
    while let Some((world, depth)) = waiting.pop_front() {
        let here = fingerprint(&world);
        deepest = depth;
        for (_, next) in world.successors(model) {
            transitions += 1;
            let there = fingerprint(&next);
            if came_from.contains_key(&there) {
                continue;
            }
            came_from.insert(there, here);
            if let Some(what) = violation(&next, model) {
                let path = path(model, &came_from, there);
                return Outcome::Violation { what, path, states: came_from.len() };
            }
            waiting.push_back((next, depth + 1));
        }
    }
    Outcome::Complete { states: came_from.len(), transitions, depth: deepest }
}

/// The steps that led to a world, found by taking them again.
fn path(model: &Model, came_from: &HashMap<u64, u64>, mut to: u64) -> Vec<String> {
    let mut worlds = vec![to];
    while let Some(from) = came_from.get(&to).filter(|from| **from != 0) {
        worlds.push(*from);
        to = *from;
    }
    let mut world = World::new(model);
    let mut steps = Vec::new();
    for wanted in worlds.into_iter().rev().skip(1) {
        let found = world.successors(model).into_iter().find(|(_, next)| fingerprint(next) == wanted);
        let (step, next) = found.expect("the step was taken before");
        steps.push(format!("{step:?}"));
        world = next;
    }
    steps
}
