//! Pauses between rounds: doubled, capped, and spread by jitter.

use super::Micros;

/// Where a walk's random numbers come from: SplitMix64, begun with a seed that the driver draws.
///
/// The same seed gives the same pauses on every machine, so that a run can be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall as this seed has it.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        // The high half of a product: no division, and hardly any bias.
        ((u128::from(word) * u128::from(end)) >> 64) as u64
    }
}

/// How a pause is spread around its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Jitter {
    /// `[base, 2 * base)`: ingress, where many producers come back at once.
    Equal,
    /// `[0, base)`: egress, where somebody waits for an answer.
    Full,
}

impl Jitter {
    /// A pause for this base.
    pub fn spread(self, base: Micros, dice: &mut Dice) -> Micros {
        match self {
            Self::Equal => base.saturating_add(dice.below(base)),
            Self::Full => dice.below(base),
        }
    }
}

/// The bases of pauses that follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Backoff {
    initial: Micros,
    most: Micros,
    next: Micros,
}

impl Backoff {
    /// Bases that begin with `initial` and double up to `most`.
    pub fn new(initial: Micros, most: Micros) -> Self {
        let initial = initial.min(most);
        Self { initial, most, next: initial }
    }

    /// The next base.
    pub fn advance(&mut self) -> Micros {
        let base = self.next;
        self.next = base.saturating_mul(2).min(self.most);
        base
    }

    /// Begins anew.
    pub fn reset(&mut self) {
        self.next = self.initial;
    }

    /// The first base.
    pub fn initial(&self) -> Micros {
        self.initial
    }

    /// The base of the `level`-th pause of a row of them, from 1; 0 for level 0.
    pub fn at_level(&self, level: u32) -> Micros {
        match level {
            0 => 0,
            level => {
                let doubled = 1_u64.checked_shl(level - 1).unwrap_or(u64::MAX);
                self.initial.saturating_mul(doubled).min(self.most)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_jitter_lands_between_base_and_twice_that_and_full_jitter_below_base() {
        let mut dice = Dice::new(7);
        for _ in 0..1_000 {
            assert!((100..200).contains(&Jitter::Equal.spread(100, &mut dice)));
            assert!(Jitter::Full.spread(100, &mut dice) < 100);
        }
        assert_eq!(Jitter::Full.spread(0, &mut dice), 0);
    }

    #[test]
    fn the_base_doubles_up_to_its_cap_and_begins_anew() {
        let mut backoff = Backoff::new(100, 500);
        let bases: Vec<_> = (0..5).map(|_| backoff.advance()).collect();
        assert_eq!(bases, [100, 200, 400, 500, 500]);
        backoff.reset();
        assert_eq!(backoff.advance(), 100);
        assert_eq!([0, 1, 3, 4, 99].map(|level| backoff.at_level(level)), [0, 100, 400, 500, 500]);
    }
}
