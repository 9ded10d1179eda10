//! `replication.requests.*`: how many requests at once, how often one is repeated, how long one may take.

use super::answer::Trouble;
use crate::native::config::value;
use std::time::Duration;
use thiserror::Error;

/// QuestDB's settings for requests to the object store, with its defaults.
///
/// The names are those of `server.conf` after `replication.requests.`; [`RequestLimits::set`] takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLimits {
    /// `base.timeout`, 10 s: what a request may take beside the time for its bytes. Also the limit for
    /// connecting.
    pub base_timeout: Duration,
    /// `buffer.size`, 32768 bytes. Taken and not used: an object is read into one buffer of its size.
    pub buffer_bytes: usize,
    /// `max.batch.size.fast`, 64: first tries at the same time.
    pub batch_fast_max: usize,
    /// `max.batch.size.slow`, 2: repeated tries at the same time, so that a store in trouble is spared.
    pub batch_slow_max: usize,
    /// `max.concurrent`, 0: requests at the same time, of all kinds; 0 sets no limit of its own.
    pub concurrent_max: usize,
    /// `min.throughput`, 262144 bytes per second: a request may take `base.timeout` and the time that
    /// its bytes need at this speed.
    pub throughput_min: u64,
    /// `retry.attempts`, 3: how often a request is repeated before its answer is told.
    pub retry_attempts: u32,
    /// `retry.interval`, 200 ms: the first pause. Each further one is twice as long, at most 10 s,
    /// and each is drawn at random between half of that and the whole.
    pub retry_interval: Duration,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            base_timeout: Duration::from_secs(10),
            buffer_bytes: 32_768,
            batch_fast_max: 64,
            batch_slow_max: 2,
            concurrent_max: 0,
            throughput_min: 262_144,
            retry_attempts: 3,
            retry_interval: Duration::from_millis(200),
        }
    }
}

/// A setting that can't be taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingError {
    /// There is no such setting.
    #[error("replication.requests.{0} is not known; there are: {known}", known = NAMES.join(", "))]
    Unknown(String),
    /// The value is not what this setting takes.
    #[error("replication.requests.{name} takes {takes}, not '{value}'")]
    Value {
        /// The name after `replication.requests.`.
        name: String,
        /// What it takes, with its unit.
        takes: &'static str,
        /// What was given.
        value: String,
    },
}

impl RequestLimits {
    /// Takes one setting, by its name after `replication.requests.`.
    ///
    /// # Errors
    ///
    /// A [`SettingError`] for a name that is not known, or a value that it does not take.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        let wrong = |takes| SettingError::Value { name: name.into(), takes, value: value.into() };
        let number = || value.parse::<u32>().map_err(|_number| wrong("a whole number"));
        let above_zero =
            || number().and_then(|n| if n == 0 { Err(wrong("a number above 0")) } else { Ok(n) });
        let time = || value::time(value).ok_or_else(|| wrong("a time like 200, 500ms or 10s"));
        let size = || {
            let above_zero = value::size(value).ok().filter(|bytes| *bytes > 0);
            above_zero.ok_or_else(|| wrong("bytes above 0, like 65536 or 64k"))
        };
        match name {
            "base.timeout" => self.base_timeout = time()?,
            "buffer.size" => self.buffer_bytes = size()? as usize,
            "max.batch.size.fast" => self.batch_fast_max = above_zero()? as usize,
            "max.batch.size.slow" => self.batch_slow_max = above_zero()? as usize,
            "max.concurrent" => self.concurrent_max = number()? as usize,
            "min.throughput" => self.throughput_min = u64::from(above_zero()?),
            "retry.attempts" => self.retry_attempts = number()?,
            "retry.interval" => self.retry_interval = time()?,
            _ => return Err(SettingError::Unknown(name.into())),
        }
        Ok(())
    }

    /// How long a request with this many bytes may take.
    pub fn timeout(&self, bytes: u64) -> Duration {
        let for_bytes = Duration::from_millis(bytes.saturating_mul(1000) / self.throughput_min.max(1));
        self.base_timeout.saturating_add(for_bytes)
    }

    /// The pause before a request is repeated for the `again`-th time, counted from 1; `chance` is
    /// drawn from 0 to 1.
    pub fn pause(&self, again: u32, chance: f64) -> Duration {
        let doubled = self.retry_interval.saturating_mul(1 << again.saturating_sub(1).min(16));
        doubled.min(PAUSE_MAX).mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }

    /// Requests at the same time.
    pub(super) fn parallel_max(&self) -> usize {
        match self.concurrent_max {
            0 => self.batch_fast_max,
            limit => limit.min(self.batch_fast_max),
        }
        .max(1)
    }

    /// Waits for a request that moves this many bytes, as long as it may take.
    pub(super) async fn within<T>(
        &self,
        bytes: u64,
        request: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let limit = self.timeout(bytes);
        match tokio::time::timeout(limit, request).await {
            Ok(answer) => answer,
            Err(_elapsed) => {
                Err(Trouble::unsettled(format!("no answer within {:.1} s", limit.as_secs_f64())))
            }
        }
    }
}

const PAUSE_MAX: Duration = Duration::from_secs(10);

const NAMES: &[&str] = &[
    "base.timeout",
    "buffer.size",
    "max.batch.size.fast",
    "max.batch.size.slow",
    "max.concurrent",
    "min.throughput",
    "retry.attempts",
    "retry.interval",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_taken_by_questdbs_names() {
        let mut limits = RequestLimits::default();
        for (name, value) in [
            ("base.timeout", "30s"),
            ("buffer.size", "64k"),
            ("max.batch.size.fast", "8"),
            ("max.batch.size.slow", "1"),
            ("max.concurrent", "4"),
            ("min.throughput", "1000"),
            ("retry.attempts", "0"),
            ("retry.interval", "50"),
        ] {
            limits.set(name, value).expect(name);
        }
        let wanted = RequestLimits {
            base_timeout: Duration::from_secs(30),
            buffer_bytes: 65_536,
            batch_fast_max: 8,
            batch_slow_max: 1,
            concurrent_max: 4,
            throughput_min: 1000,
            retry_attempts: 0,
            retry_interval: Duration::from_millis(50),
        };
        assert_eq!(limits, wanted);
        assert_eq!(limits.parallel_max(), 4);
        assert_eq!(limits.timeout(5000), Duration::from_secs(35));
    }

    #[test]
    fn what_is_no_setting_is_told_apart_from_a_wrong_value() {
        let mut limits = RequestLimits::default();
        assert!(matches!(limits.set("retry.attempt", "1"), Err(SettingError::Unknown(_))));
        for (name, value) in
            [("base.timeout", "10 s"), ("max.batch.size.slow", "0"), ("retry.attempts", "-1")]
        {
            let error = limits.set(name, value).expect_err("not taken");
            assert!(error.to_string().contains(name) && error.to_string().contains(value), "{error}");
        }
        assert_eq!(limits, RequestLimits::default());
    }

    #[test]
    fn pauses_grow_vary_and_end() {
        let limits = RequestLimits::default();
        assert_eq!(limits.pause(1, 1.0), Duration::from_millis(200));
        assert_eq!(limits.pause(1, 0.0), Duration::from_millis(100));
        assert_eq!(limits.pause(3, 1.0), Duration::from_millis(800));
        assert_eq!(limits.pause(u32::MAX, 1.0), PAUSE_MAX);
    }
}
