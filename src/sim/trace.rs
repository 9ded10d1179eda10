//! A number that stands for all that happened: equal runs have equal ones, natively and in a tab.

/// A hash of 64 bits over whole numbers, one after the other. Not for forgers: it tells runs apart.
///
/// A word is taken in as `hash = (rotate_left(hash, 27) ^ word) * P`, with P the odd word 0x9e3779b97f4a7c15; what is
/// shown is that, with its high bits folded into the low ones. Text is taken in as its length and its bytes, eight to a
/// word with the first one lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceHash(u64);

const P: u64 = 0x9e37_79b9_7f4a_7c15;

impl TraceHash {
    /// Of nothing yet, for this seed.
    pub(super) fn new(seed: u64) -> Self {
        let mut hash = Self(0);
        hash.word(seed);
        hash
    }

    /// One more number.
    pub(super) fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(27) ^ word).wrapping_mul(P);
    }

    /// One more name.
    pub(super) fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            self.word(chunk.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }

    /// What it comes to.
    pub(super) fn value(self) -> u64 {
        let folded = (self.0 ^ self.0 >> 32).wrapping_mul(P);
        folded ^ folded >> 29
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_each_word_count() {
        let of = |words: &[u64]| {
            let mut hash = TraceHash::new(1);
            words.iter().for_each(|word| hash.word(*word));
            hash.value()
        };
        assert_eq!(of(&[1, 2]), of(&[1, 2]));
        let all = [of(&[]), of(&[0]), of(&[1, 2]), of(&[2, 1]), of(&[1, 2, 0])];
        for (at, one) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|other| other != one));
        }
    }

    #[test]
    fn names_are_more_than_their_bytes() {
        let of = |texts: &[&str]| {
            let mut hash = TraceHash::new(1);
            texts.iter().for_each(|text| hash.text(text));
            hash.value()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
    }
}
