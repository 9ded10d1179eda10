//! Log lines, on stderr.
//!
//! They are our own only: what libraries log is left out, since it may hold what must not be told.

use clap::{Args, ValueEnum};
use std::io;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::{Registry, fmt};

/// How the log is written.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct LogArgs {
    /// Write notes and log lines with time and level: text, json
    #[arg(long, global = true, value_name = "FORMAT", env = "UNDERSTUDY_LOG_FORMAT")]
    #[arg(hide_possible_values = true, hide_env_values = true)]
    pub(super) log_format: Option<LogFormat>,
    /// Log up to this level: off, error, warn, info (unless given), debug, trace
    #[arg(long, global = true, value_name = "LEVEL", env = "UNDERSTUDY_LOG")]
    #[arg(hide_possible_values = true, hide_env_values = true)]
    pub(super) log_level: Option<LogLevel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// A line: time, level, where, what
    Text,
    /// A JSON document on a line: timestamp, level, target, message and fields
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Has log lines written from now on.
pub(super) fn start(args: LogArgs, quiet: bool) {
    let subscriber = subscriber(args.log_format, level(args, quiet), io::stderr);
    // There is one already only where tests share a process.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn level(args: LogArgs, quiet: bool) -> LevelFilter {
    match args.log_level {
        Some(LogLevel::Off) => LevelFilter::OFF,
        Some(LogLevel::Error) => LevelFilter::ERROR,
        Some(LogLevel::Warn) => LevelFilter::WARN,
        Some(LogLevel::Info) => LevelFilter::INFO,
        Some(LogLevel::Debug) => LevelFilter::DEBUG,
        Some(LogLevel::Trace) => LevelFilter::TRACE,
        None if quiet => LevelFilter::ERROR,
        None => LevelFilter::INFO,
    }
}

fn subscriber<W>(format: Option<LogFormat>, level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let ours = Targets::new().with_target("understudy", level);
    // Nobody can be told that stderr is closed.
    let lines = fmt::layer().with_writer(writer).with_ansi(false).log_internal_errors(false);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Some(LogFormat::Json) => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
        Some(LogFormat::Text) => lines.boxed(),
        // For people at a terminal, as other notes are.
        None => lines.without_time().with_target(false).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(ours))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::bucket::Connection;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: Option<LogFormat>, level: LevelFilter, log: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        tracing::subscriber::with_default(subscriber(format, level, move || writer.clone()), log);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_have_their_format_and_level() {
        let log = || {
            tracing::info!(table = "trades", "shipped");
            tracing::debug!("a detail");
            tracing::error!(target: "hyper::proto", "authorization: HUSH");
        };
        let json = written(Some(LogFormat::Json), LevelFilter::INFO, log);
        let line: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
        assert_eq!(
            (&line["level"], &line["message"], &line["table"]),
            (&"INFO".into(), &"shipped".into(), &"trades".into())
        );
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z') && line["target"].is_string(), "{line}");
        let text = written(Some(LogFormat::Text), LevelFilter::DEBUG, log);
        assert_eq!(text.lines().count(), 2);
        assert!(
            text.contains("INFO understudy::native::cli::log::tests: shipped table=\"trades\""),
            "{text}"
        );
        assert_eq!(written(None, LevelFilter::INFO, log).trim(), "INFO shipped table=\"trades\"");
        assert_eq!(written(None, LevelFilter::OFF, log), "");
    }

    #[test]
    fn what_a_node_is_configured_with_is_logged_without_its_secrets() {
        let text = "s3::bucket=b;access_key_id=id;secret_access_key=HUSH;session_token=HUSH;";
        let connection: Connection = text.parse().unwrap();
        let variable = ("QDB_UNDERSTUDY_SIGNING_KEY".to_owned(), "0a".repeat(32));
        let config =
            crate::native::config::Config::load_with("/does/not/exist".as_ref(), &[variable]).unwrap();
        assert!(config.signing_key().is_some());
        for format in [None, Some(LogFormat::Text), Some(LogFormat::Json)] {
            let log = || tracing::info!(?connection, store = %connection, ?config, "opening {connection:?}, {connection}");
            let text = written(format, LevelFilter::INFO, log);
            assert!(text.contains("s3://b/") && text.contains("***"), "{text}");
            assert!(!text.contains("HUSH") && !text.contains("0a0a"), "{text}");
        }
    }
}
