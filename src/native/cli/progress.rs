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
            let (done, total) = (grouped(done), grouped(self.total));
            self.out.note(format!("{}: {done} of {total} {} ({percent} %)", self.what, self.unit));
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
    let template = format!("{{msg}} [{{bar:30}}] {{human_pos}} of {{human_len}} {unit} ({{eta}} left)");
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
