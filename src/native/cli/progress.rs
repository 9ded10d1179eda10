//! Progress on stderr: a bar in a terminal, else a plain line every 30 seconds.

use super::out::Out;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Work that is done sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Progress of one piece of work.
#[derive(Debug)]
pub(super) struct Progress {
    out: Out,
    what: String,
    unit: &'static str,
    total: u64,
    terminal: bool,
    started: Instant,
    told: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new(out: Out, what: impl Into<String>, unit: &'static str, total: u64) -> Self {
        let now = Instant::now();
        let terminal = std::io::stderr().is_terminal();
        Self { out, what: what.into(), unit, total, terminal, started: now, told: now, bar: None }
    }

    /// There is more to do than was known.
    pub(super) fn expect(&mut self, total: u64) {
        self.total = self.total.max(total);
        if let Some(bar) = &self.bar {
            bar.set_length(self.total);
        }
    }

    /// Tells how much is done.
    pub(super) fn set(&mut self, done: u64) {
        if !self.out.progress || self.started.elapsed() < PATIENCE {
            return;
        }
        if self.terminal {
            self.bar
                .get_or_insert_with(|| bar(&self.what, self.unit, self.total, self.started))
                .set_position(done);
        } else if self.told.elapsed() >= LINE_EVERY {
            self.told = Instant::now();
            let percent = (done.saturating_mul(100)).checked_div(self.total).unwrap_or(100);
            let rate = done as f64 / self.started.elapsed().as_secs_f64();
            let (done, total) = (grouped(done), grouped(self.total));
            self.out.note(format!(
                "{}: {done} of {total} {} ({percent} %, {rate:.0} per second)",
                self.what, self.unit
            ));
        }
    }
}

/// Work that goes on as long as something comes: how much came, how fast, how late.
#[derive(Debug)]
pub(super) struct Following {
    out: Out,
    terminal: Option<ProgressBar>,
    told: Instant,
    done: u64,
}

impl Following {
    pub(super) fn new(out: Out, done: u64) -> Self {
        let terminal = (out.progress && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}").ok();
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            style.map_or(bar.clone(), |style| bar.with_style(style))
        });
        Self { out, terminal, told: Instant::now(), done }
    }

    /// Tells how much is done, of how much that is known, and how long after its commit the latest was.
    pub(super) fn set(&mut self, done: u64, known: u64, lag: Option<Duration>) {
        let (every, passed) =
            (if self.terminal.is_some() { PATIENCE } else { LINE_EVERY }, self.told.elapsed());
        if !self.out.progress || passed < every || (self.terminal.is_none() && done == self.done) {
            return;
        }
        let rate = done.saturating_sub(self.done) as f64 / passed.as_secs_f64();
        let lag = lag.map_or(String::new(), |lag| format!(", lag {:.0} ms", lag.as_secs_f64() * 1000.0));
        let behind = grouped(known.saturating_sub(done));
        let text =
            format!("following: {} transactions, {rate:.0} per second, {behind} behind{lag}", grouped(done));
        (self.told, self.done) = (Instant::now(), done);
        match &self.terminal {
            Some(bar) => bar.set_message(text),
            None => self.out.note(text),
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(bar) = &self.terminal {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(what: &str, unit: &str, total: u64, started: Instant) -> ProgressBar {
    let template =
        format!("{{msg}} [{{bar:30}}] {{human_pos}} of {{human_len}} {unit} ({{per_sec}}, {{eta}} left)");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let target = ProgressDrawTarget::stderr_with_hz(10);
    ProgressBar::with_draw_target(Some(total), target)
        .with_style(style.progress_chars("=> "))
        .with_message(what.to_owned())
        .with_elapsed(started.elapsed())
}

/// A number with commas between thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_three() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (98_311, "98,311"), (1_000_000, "1,000,000")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
