//! How often a reader asks for the next object: seldom when nothing has come for long.

use std::time::{Duration, Instant};

/// `head.json` is not written more often than this, so a younger one says nothing about how busy the log is.
const QUIET: Duration = Duration::from_secs(10);
/// Beyond, a pause is this part of the time for which nothing has come.
const PART: u32 = 10;

/// How long a reader that is level with the log waits before it asks for the next object again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// While something has come lately.
    pub least: Duration,
    /// When nothing has come for long.
    pub most: Duration,
}

impl Pace {
    /// Always the same.
    pub fn steady(pause: Duration) -> Self {
        Self { least: pause, most: pause }
    }

    /// The pause when the newest object is this old.
    pub fn pause(&self, age: Duration) -> Duration {
        (age.saturating_sub(QUIET) / PART).min(self.most).max(self.least)
    }
}

/// How old the newest object of the log is.
///
/// Of one that came while the reader was waiting for it, our own clock tells; only of one that was there before, its writer's.
#[derive(Debug, Default)]
pub(super) struct Newest {
    /// It is as if it had come then, by our clock.
    came: Option<Instant>,
    /// Its age when it was read, by the two machines' clocks.
    before: Duration,
}

impl Newest {
    /// An object has come. `waited`: it was not there before.
    pub(super) fn come(&mut self, committed_us: i64, waited: bool) {
        let age = u64::try_from(super::now_us().saturating_sub(committed_us)).unwrap_or(0);
        self.before = if waited { Duration::ZERO } else { Duration::from_micros(age) };
        self.came = Some(Instant::now());
    }

    /// Whether any object is known.
    pub(super) fn is_known(&self) -> bool {
        self.came.is_some()
    }

    /// How old the newest object is.
    pub(super) fn age(&self) -> Duration {
        self.came.map_or(Duration::ZERO, |came| came.elapsed() + self.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_the_age_between_their_limits() {
        let pace = Pace { least: Duration::from_millis(50), most: Duration::from_secs(8) };
        let pauses = [0, 9, 10, 20, 60, 90, 3600].map(|age| pace.pause(Duration::from_secs(age)).as_millis());
        assert_eq!(pauses, [50, 50, 50, 1_000, 5_000, 8_000, 8_000]);
        let seldom = Pace { least: Duration::from_secs(20), ..pace };
        assert_eq!(seldom.pause(Duration::MAX), Duration::from_secs(20));
    }

    #[test]
    fn a_clock_that_is_wrong_counts_only_for_what_was_there_before() {
        let mut newest = Newest::default();
        assert!(!newest.is_known() && newest.age().is_zero());
        let hour_ago = super::super::now_us() - 3_600_000_000;
        newest.come(hour_ago, false);
        assert!(newest.age() >= Duration::from_secs(3600));
        newest.come(hour_ago, true);
        assert!(newest.age() < Duration::from_secs(60));
        newest.come(i64::MAX, false);
        assert!(newest.age() < Duration::from_secs(60));
        newest.come(i64::MIN, false);
        assert!(newest.age() > Duration::from_secs(3600));
    }
}
