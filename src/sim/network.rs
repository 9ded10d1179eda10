//! The network: how long a message takes, and whether it arrives.

use super::weather::Weather;
use super::{Chance, End, Fault, Micros};

/// How long a refused connection takes to be noticed.
const REFUSED_US: Micros = 500;

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// It arrives then; perhaps once more.
    Arrives(Micros, Option<Micros>),
    /// The connection is refused or breaks: the sender hears of it then. Of one that breaks, the message may have
    /// arrived before.
    Breaks { heard: Micros, arrives: Option<Micros> },
    /// Nobody hears of it any more.
    Vanishes,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Request,
    Answer,
}

#[derive(Debug)]
pub(super) struct Network {
    chance: Chance,
    /// Between any two ends, one way.
    typical_us: Micros,
}

impl Network {
    pub(super) fn new(seed: u64, typical_us: Micros) -> Self {
        Self { chance: Chance::new(seed, "network"), typical_us }
    }

    /// Sends a message.
    pub(super) fn send(&mut self, weather: &Weather, now: Micros, from: End, to: End, way: Way) -> Passage {
        let usual = now + self.chance.latency(self.typical_us);
        if weather.in_force().is_empty() {
            return Passage::Arrives(usual, None);
        }
        if weather.divides(Fault::Partition, from, to) {
            return Passage::Breaks { heard: now + REFUSED_US, arrives: None };
        }
        if vanishes(weather, from, to, way) || self.hits(weather, Fault::Loss, from, to) {
            return Passage::Vanishes;
        }
        let delay = weather.between(Fault::Delay, from, to).unwrap_or(0);
        let spread = weather.between(Fault::Reorder, from, to).unwrap_or(0);
        let arrives = usual + delay + self.chance.below(spread + 1);
        if self.hits(weather, Fault::Reset, from, to) {
            let came = self.chance.per_mille(500).then_some(arrives);
            return Passage::Breaks { heard: arrives, arrives: came };
        }
        let twice = way == Way::Request && self.hits(weather, Fault::Duplicate, from, to);
        let again = twice.then(|| arrives + self.chance.latency(20 * self.typical_us));
        Passage::Arrives(arrives, again)
    }

    fn hits(&mut self, weather: &Weather, fault: Fault, from: End, to: End) -> bool {
        weather.between(fault, from, to).is_some_and(|strength| self.chance.per_mille(strength))
    }
}

fn vanishes(weather: &Weather, from: End, to: End, way: Way) -> bool {
    let with_bucket = from == End::Bucket || to == End::Bucket;
    weather.divides(Fault::BlackHole, from, to)
        || with_bucket && weather.between(Fault::CutFromBucket, from, to).is_some()
        || way == Way::Answer && weather.between(Fault::OneWay, from, to).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Ends, Trouble};

    const A: End = End::Node(0);
    const B: End = End::Node(1);
    const C: End = End::Client(0);

    fn weather(fault: Fault, ends: impl IntoIterator<Item = End>, strength: u64) -> Weather {
        let mut weather = Weather::default();
        let ends: Ends = ends.into_iter().collect();
        weather.begins(Trouble { fault, ends, from_us: 0, until_us: 1, strength });
        weather
    }

    fn passages(weather: &Weather, from: End, to: End, way: Way) -> Vec<Passage> {
        let mut network = Network::new(1, 500);
        (0..200).map(|_| network.send(weather, 1_000, from, to, way)).collect()
    }

    fn arrivals(passages: &[Passage]) -> Vec<Micros> {
        let at = |passage: &Passage| match passage {
            Passage::Arrives(at, _) => Some(*at),
            _ => None,
        };
        passages.iter().filter_map(at).collect()
    }

    #[test]
    fn without_faults_everything_arrives_once() {
        let all = passages(&Weather::default(), A, End::Bucket, Way::Request);
        assert!(all.iter().all(|passage| matches!(passage, Passage::Arrives(at, None) if *at > 1_000)));
    }

    #[test]
    fn delay_and_reorder_take_time_and_lose_nothing() {
        let late = passages(&weather(Fault::Delay, [A], 100_000), A, End::Bucket, Way::Request);
        assert!(arrivals(&late).len() == 200 && arrivals(&late).iter().all(|at| *at > 101_000));
        let mixed = arrivals(&passages(&weather(Fault::Reorder, [A], 50_000), A, B, Way::Request));
        let (least, most) = (mixed.iter().min().unwrap(), mixed.iter().max().unwrap());
        assert!(mixed.len() == 200 && most - least > 30_000);
        let others = passages(&weather(Fault::Delay, [A], 100_000), B, End::Bucket, Way::Request);
        assert!(arrivals(&others).iter().all(|at| *at < 101_000));
    }

    #[test]
    fn loss_duplicates_and_resets_strike_as_often_as_they_say() {
        let lost = passages(&weather(Fault::Loss, [A], 500), A, B, Way::Answer);
        let lost = lost.iter().filter(|passage| **passage == Passage::Vanishes).count();
        assert!((70..130).contains(&lost), "{lost}");
        let twice = passages(&weather(Fault::Duplicate, [A], 500), A, End::Bucket, Way::Request);
        let twice = twice.iter().filter(|passage| matches!(passage, Passage::Arrives(_, Some(_)))).count();
        assert!((70..130).contains(&twice), "{twice}");
        let broken = passages(&weather(Fault::Reset, [A], 1_000), A, End::Bucket, Way::Request);
        let came = broken.iter().filter(|p| matches!(p, Passage::Breaks { arrives: Some(_), .. })).count();
        assert!((70..130).contains(&came), "{came}");
        assert!(arrivals(&broken).is_empty());
    }

    #[test]
    fn partitions_refuse_and_black_holes_are_silent() {
        for (from, to) in [(A, B), (B, A), (End::Bucket, A), (C, A)] {
            let cut = passages(&weather(Fault::Partition, [A], 0), from, to, Way::Request);
            assert!(cut.iter().all(|passage| matches!(passage, Passage::Breaks { arrives: None, .. })));
            let gone = passages(&weather(Fault::BlackHole, [A], 0), from, to, Way::Request);
            assert!(gone.iter().all(|passage| *passage == Passage::Vanishes));
        }
        let together = passages(&weather(Fault::Partition, [A, C], 0), C, A, Way::Request);
        assert_eq!(arrivals(&together).len(), 200);
    }

    #[test]
    fn one_way_loses_answers_only() {
        let weather = weather(Fault::OneWay, [A], 0);
        assert_eq!(arrivals(&passages(&weather, A, End::Bucket, Way::Request)).len(), 200);
        assert!(arrivals(&passages(&weather, End::Bucket, A, Way::Answer)).is_empty());
    }

    #[test]
    fn cut_from_the_bucket_a_node_still_has_its_clients() {
        let weather = weather(Fault::CutFromBucket, [A], 0);
        assert!(arrivals(&passages(&weather, A, End::Bucket, Way::Request)).is_empty());
        assert!(arrivals(&passages(&weather, End::Bucket, A, Way::Answer)).is_empty());
        assert_eq!(arrivals(&passages(&weather, C, A, Way::Request)).len(), 200);
        assert_eq!(arrivals(&passages(&weather, B, End::Bucket, Way::Request)).len(), 200);
    }
}
