//! Numbers that look like chance: the same seed gives the same ones.

use crate::ledger::Sum;

/// Draws from a seed that the driver hands in: real random bits natively, a seed in the simulator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Dice {
    seed: u128,
    drawn: u64,
}

impl Dice {
    pub(super) fn new(seed: u128) -> Self {
        Self { seed, drawn: 0 }
    }

    /// 128 bits that nobody else draws (rule P1): a hash of the seed and of how many were drawn.
    pub(super) fn id(&mut self) -> u128 {
        let mut bytes = [0; 24];
        let (seed, drawn) = bytes.split_at_mut(16);
        seed.copy_from_slice(&self.seed.to_le_bytes());
        drawn.copy_from_slice(&self.drawn.to_le_bytes());
        self.drawn += 1;
        let Sum(hash) = Sum::of(&bytes);
        hash.first_chunk().map_or(0, |id| u128::from_le_bytes(*id))
    }

    /// Below `bound`; 0 if that is 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        u64::try_from(self.id() % u128::from(bound)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_and_another_one_others() {
        let draw = |seed| {
            let mut dice = Dice::new(seed);
            [dice.id(), dice.id(), u128::from(dice.below(1000))]
        };
        assert_eq!(draw(5), draw(5));
        assert_ne!(draw(5), draw(6));
        let [first, second, _] = draw(5);
        assert_ne!(first, second);
        assert!((0..100).all(|seed| Dice::new(seed).below(3) < 3));
        assert_eq!(Dice::new(1).below(0), 0);
    }
}
