//! The clocks of a machine: a wall clock that jumps and drifts, and a monotonic one that only drifts.

use super::Micros;

/// Wall clocks begin here: 2026-01-01, in microseconds since 1970.
pub(super) const EPOCH_US: i64 = 1_767_225_600_000_000;
const MILLION: u64 = 1_000_000;

/// One machine's clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clock {
    /// True time when the rate last changed, and what the monotonic clock showed then.
    since: (Micros, u64),
    /// Microseconds that it counts in a true second.
    rate: u64,
    /// Of the wall clock, against the monotonic one.
    offset_us: i64,
}

impl Clock {
    /// Right, but for this constant offset.
    pub(super) fn new(offset_us: i64) -> Self {
        Self { since: (0, 0), rate: MILLION, offset_us }
    }

    /// Microseconds since the machine was switched on. Never goes back.
    pub(super) fn monotonic(&self, now: Micros) -> u64 {
        let (then, shown) = self.since;
        let passed = u128::from(now.saturating_sub(then)) * u128::from(self.rate) / u128::from(MILLION);
        shown.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// Microseconds since 1970, as the machine believes.
    pub(super) fn wall_us(&self, now: Micros) -> i64 {
        let passed = i64::try_from(self.monotonic(now)).unwrap_or(i64::MAX);
        EPOCH_US.saturating_add(passed).saturating_add(self.offset_us)
    }

    /// The true time at which the monotonic clock shows this; now if it has.
    pub(super) fn when(&self, now: Micros, monotonic: u64) -> Micros {
        let missing = monotonic.saturating_sub(self.monotonic(now));
        let wait = (u128::from(missing) * u128::from(MILLION)).div_ceil(u128::from(self.rate.max(1)));
        now.saturating_add(u64::try_from(wait).unwrap_or(u64::MAX / 2))
    }

    /// The wall clock jumps, forward or back.
    pub(super) fn jump(&mut self, by_us: i64) {
        self.offset_us = self.offset_us.saturating_add(by_us);
    }

    /// From now on the clocks are fast by this many microseconds in a second, or slow.
    pub(super) fn drift(&mut self, now: Micros, ppm: i64) {
        self.since = (now, self.monotonic(now));
        self.rate = MILLION.saturating_add_signed(ppm).max(MILLION / 10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_jumps_and_the_other_one_does_not() {
        let mut clock = Clock::new(0);
        assert_eq!(clock.wall_us(5), EPOCH_US + 5);
        clock.jump(-1_000);
        assert_eq!((clock.wall_us(5), clock.monotonic(5)), (EPOCH_US - 995, 5));
    }

    #[test]
    fn drift_changes_the_rate_and_never_what_is_shown() {
        let mut clock = Clock::new(0);
        clock.drift(1_000_000, 100_000);
        assert_eq!((clock.monotonic(1_000_000), clock.monotonic(2_000_000)), (1_000_000, 2_100_000));
        clock.drift(2_000_000, -500_000);
        assert_eq!((clock.monotonic(2_000_000), clock.monotonic(4_000_000)), (2_100_000, 3_100_000));
        let when = clock.when(2_000_000, 2_600_001);
        assert!(clock.monotonic(when) >= 2_600_001 && clock.monotonic(when - 2) < 2_600_001);
        assert_eq!(clock.when(3_000_000, 7), 3_000_000);
    }
}
