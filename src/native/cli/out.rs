//! Where words go: results to stdout, the rest to stderr.

use super::Global;
use crate::native::outcome::{Exit, Failure, Result};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// How the user wants to be talked to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Out {
    pub(super) json: bool,
    pub(super) quiet: bool,
    /// Progress may be shown.
    pub(super) progress: bool,
    colour: bool,
    /// Notes are lines of the log.
    logged: bool,
}

impl Out {
    pub(super) fn new(global: Global) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json: global.json,
            quiet: global.quiet,
            progress: !(global.quiet || global.no_progress),
            colour: !plain && io::stderr().is_terminal(),
            logged: global.log.log_format.is_some(),
        }
    }

    /// A result for people: printed unless JSON is wanted.
    pub(super) fn text(self, text: impl AsRef<str>) -> Result<()> {
        if self.json { Ok(()) } else { self.raw(text.as_ref().as_bytes()) }
    }

    /// A result for programs: one JSON document on one line, printed only if JSON is wanted.
    pub(super) fn json(self, value: &impl Serialize) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let mut line = serde_json::to_vec(value).map_err(|error| Failure::failed(error.to_string()))?;
        line.push(b'\n');
        self.raw(&line)
    }

    /// Bytes to stdout, flushed.
    pub(super) fn raw(self, bytes: &[u8]) -> Result<()> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::output("stdout", &error))
    }

    /// Something that the user should know and that doesn't stop the work.
    pub(super) fn note(self, text: impl AsRef<str>) {
        if self.logged {
            tracing::info!("{}", text.as_ref());
        } else if !self.quiet {
            // Nobody can be told that stderr is closed.
            let _ = writeln!(io::stderr(), "{}", text.as_ref());
        }
    }

    /// Something that may be wrong.
    pub(super) fn warn(self, text: impl AsRef<str>) {
        if self.logged {
            tracing::warn!("{}", text.as_ref());
        } else if !self.quiet {
            let _ = writeln!(io::stderr(), "{} {}", self.paint("33", "warning:"), text.as_ref());
        }
    }

    /// Tells why the verb failed and returns the exit code.
    pub(super) fn fail(self, failure: &Failure) -> Exit {
        if failure.silent {
            return Exit::Ok;
        }
        self.complain(failure);
        let document = Failed {
            error: Told {
                kind: failure.exit,
                exit: failure.exit.code(),
                message: &failure.message,
                advice: failure.advice.as_deref(),
            },
        };
        let _ = self.json(&document);
        failure.exit
    }

    /// Tells people why something failed; for a verb whose document tells it to programs.
    pub(super) fn complain(self, failure: &Failure) {
        if self.logged {
            tracing::error!(advice = failure.advice.as_deref(), "{}", failure.message);
            return;
        }
        let mut stderr = io::stderr();
        let _ = writeln!(stderr, "{} {}", self.paint("31", "error:"), failure.message);
        if let Some(advice) = &failure.advice {
            let _ = writeln!(stderr, "  {advice}");
        }
    }

    fn paint(self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[1;{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

#[derive(Serialize)]
struct Failed<'a> {
    error: Told<'a>,
}

#[derive(Serialize)]
struct Told<'a> {
    kind: Exit,
    exit: u8,
    message: &'a str,
    advice: Option<&'a str>,
}
