//! Chance that a seed decides: the same numbers on every machine, in a tab too.
//!
//! The generator is xoshiro256** (Blackman and Vigna), whose four words come from SplitMix64 of seed and stream. All is
//! done in whole numbers. Each thing that has luck has a stream of its own, so that a draw more in one place does not
//! change what happens in all others.

/// A stream of numbers.
///
/// ```
/// use understudy::sim::Chance;
/// let (mut one, mut two) = (Chance::new(7, "network"), Chance::new(7, "network"));
/// assert_eq!(one.draw(), two.draw());
/// assert_ne!(one.draw(), Chance::new(7, "bucket").draw());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chance([u64; 4]);

impl Chance {
    /// The stream of this name that belongs to a seed.
    pub fn new(seed: u64, stream: &str) -> Self {
        let mut state = stream.bytes().fold(seed, |state, byte| split_mix(state ^ u64::from(byte)).0);
        let mut word = || {
            let (word, next) = split_mix(state);
            state = next;
            word
        };
        Self([word(), word(), word(), word()])
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let drawn = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        drawn
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The high half of a product: no division, and the bias is less than end / 2^64.
        let (low, high) = (u128::from(self.draw()), u128::from(end));
        ((low * high) >> 64) as u64
    }

    /// A number from `first` to `last`, both included.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first.saturating_add(self.below(last.saturating_sub(first).saturating_add(1)))
    }

    /// True in `n` of 1,000 draws.
    pub fn per_mille(&mut self, n: u64) -> bool {
        self.below(1_000) < n
    }

    /// One of these; `None` if there are none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        usize::try_from(self.below(from.len() as u64)).ok().and_then(|at| from.get(at))
    }

    /// 128 bits, for identities.
    pub fn id(&mut self) -> u128 {
        u128::from(self.draw()) << 64 | u128::from(self.draw())
    }

    /// A time that is usually about `typical` and now and then several times as long: as networks and stores answer.
    pub fn latency(&mut self, typical: u64) -> u64 {
        let half = typical / 2;
        let usual = half.saturating_add(self.below(typical.saturating_add(1)));
        match self.below(100) {
            0 => usual.saturating_mul(8),
            1..=5 => usual.saturating_mul(3),
            _ => usual,
        }
    }
}

/// SplitMix64: a number, and the state after it.
fn split_mix(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (word ^ word >> 31, state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_these_on_every_machine() {
        // The reference implementation's first numbers from the state 1, 2, 3, 4.
        let mut chance = Chance([1, 2, 3, 4]);
        assert_eq!([chance.draw(), chance.draw(), chance.draw()], [11520, 0, 1509978240]);
        assert_eq!(split_mix(0).0, 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn bounds_are_kept_and_reached() {
        let mut chance = Chance::new(1, "test");
        let drawn: Vec<u64> = (0..1_000).map(|_| chance.between(3, 5)).collect();
        assert!(drawn.iter().all(|n| (3..=5).contains(n)));
        assert!([3, 4, 5].iter().all(|n| drawn.contains(n)));
        assert_eq!(chance.below(0), 0);
        assert!((0..1_000).all(|_| !chance.per_mille(0) && chance.per_mille(1_000)));
        assert_eq!(chance.pick::<u8>(&[]), None);
    }
}
