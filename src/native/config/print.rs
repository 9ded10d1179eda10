//! `server.conf` with every setting, each commented out with its default.

use super::setting::{Origin, Preset, Setting, Support};
use super::table::SETTINGS;
use std::fmt::Write;

/// The file's text.
pub fn server_conf() -> String {
    let mut text = String::from(
        "# Settings of Understudy, each with its default. Remove the # to change one; docs/configuration.md has more.\n\
         # A comment needs a line of its own. QDB_REPLICATION_ROLE and the like go before this file;\n\
         # secrets may stand in files: KEY.file=PATH, or QDB_KEY_FILE.\n",
    );
    for setting in SETTINGS {
        // Nobody should set these.
        if matches!(setting.support, Support::NoEffect(_)) {
            continue;
        }
        one(&mut text, setting);
    }
    text
}

fn one(text: &mut String, setting: &Setting) {
    let _ = writeln!(text, "\n# {}.", capital(setting.what));
    let _ = writeln!(text, "# Takes {}.", setting.takes);
    if let Origin::QuestDbWith(theirs) = setting.origin {
        let _ = writeln!(text, "# QuestDB's own default: {theirs}.");
    }
    match setting.default {
        Preset::Value(value) => {
            let _ = writeln!(text, "#{}={value}", setting.key);
        }
        Preset::Computed(words) => {
            let _ = writeln!(text, "# Without it: {words}.\n#{}=", setting.key);
        }
        Preset::None => {
            let _ = writeln!(text, "#{}=", setting.key);
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
