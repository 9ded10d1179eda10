//! What was set: in the file, in the environment, in files of their own for secrets.

use super::properties;
use super::setting::{Setting, is_our_variable, is_ours, nearest, variable};
use super::{Problem, Warning};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of the file.
    File(PathBuf, usize),
    /// An environment variable.
    Variable(String),
    /// A file that holds nothing but a secret.
    Secret(PathBuf),
}

/// A value and where it comes from. Not printed: it may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Given {
    /// As it was written, without white space around it.
    pub value: String,
    /// Where.
    pub origin: Origin,
}

/// All that was set of what we know.
#[derive(Debug, Default)]
pub struct Settings {
    found: BTreeMap<&'static str, Given>,
    /// What can't be taken.
    pub problems: Vec<Problem>,
    /// What may be wrong.
    pub warnings: Vec<Warning>,
}

impl Settings {
    /// Reads a file's bytes, then the environment over it, then secrets' own files over both.
    pub fn read(file: Option<(&Path, &[u8])>, environment: &[(String, String)]) -> Self {
        let mut settings = Self::default();
        let mut secrets = BTreeMap::new();
        if let Some((path, bytes)) = file {
            settings.take_file(path, bytes, &mut secrets);
        }
        settings.take_environment(environment, &mut secrets);
        for (key, (path, origin)) in secrets {
            match secret(&path) {
                Ok(value) => {
                    if value.is_empty() {
                        settings
                            .warnings
                            .push(Warning { origin, what: format!("{}: the file is empty", path.display()) });
                    }
                    settings.found.insert(key, Given { value, origin: Origin::Secret(path) });
                }
                Err(why) => settings
                    .problems
                    .push(Problem { origin, what: format!("{key}: {}: {why}", path.display()) }),
            }
        }
        settings
    }

    /// The value of a key, if it was set.
    pub fn get(&self, key: &str) -> Option<&Given> {
        self.found.get(key)
    }

    /// All that was set, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Setting, &Given)> {
        self.found.iter().filter_map(|(key, given)| Some((Setting::find(key)?, given)))
    }

    fn take_file(&mut self, path: &Path, bytes: &[u8], secrets: &mut Secrets) {
        let (properties, bad) = properties::parse(bytes);
        for bad in bad {
            let origin = Origin::File(path.to_owned(), bad.line);
            self.problems.push(Problem { origin, what: "a malformed \\uXXXX".into() });
        }
        let mut seen = BTreeSet::new();
        for property in properties {
            let origin = Origin::File(path.to_owned(), property.line);
            let key = property.key;
            if let Some(setting) = Setting::find(&key) {
                if !property.value.is_ascii() {
                    let what = format!(
                        "{key}: letters outside ASCII are read as ISO-8859-1, as QuestDB reads them; write \\uXXXX"
                    );
                    self.warnings.push(Warning { origin: origin.clone(), what });
                }
                self.found.insert(setting.key, Given { value: property.value, origin: origin.clone() });
            } else if let Some(setting) =
                key.strip_suffix(".file").and_then(Setting::find).filter(|one| one.is_secret())
            {
                secrets.insert(setting.key, (PathBuf::from(property.value), origin.clone()));
            } else if is_ours(&key) {
                self.problems.push(unknown(&key, nearest(&key), origin));
                continue;
            } else {
                continue;
            }
            if !seen.insert(key.clone()) {
                self.warnings
                    .push(Warning { origin, what: format!("{key} is set before: this line counts") });
            }
        }
    }

    fn take_environment(&mut self, environment: &[(String, String)], secrets: &mut Secrets) {
        for (name, value) in environment {
            let origin = Origin::Variable(name.clone());
            let value = value.trim().to_owned();
            let file =
                name.strip_suffix("_FILE").and_then(Setting::of_variable).filter(|one| one.is_secret());
            if let Some(setting) = Setting::of_variable(name) {
                self.found.insert(setting.key, Given { value, origin });
            } else if let Some(setting) = file {
                secrets.insert(setting.key, (PathBuf::from(value), origin));
            } else if is_our_variable(name) {
                let key = name.trim_start_matches("QDB_").to_lowercase().replace('_', ".");
                self.problems.push(unknown(name, &variable(nearest(&key)), origin));
            }
        }
    }
}

/// Files that hold secrets, by key.
type Secrets = BTreeMap<&'static str, (PathBuf, Origin)>;

fn unknown(name: &str, nearest: &str, origin: Origin) -> Problem {
    Problem { origin, what: format!("{name} is not known; the nearest is {nearest}") }
}

/// What a secret's own file holds, under QuestDB's rules for such files.
fn secret(path: &Path) -> Result<String, String> {
    if path.components().any(|part| part == Component::ParentDir) {
        return Err("a secret's path may not contain '..'".into());
    }
    if ["/dev", "/proc", "/sys"].iter().any(|place| path.starts_with(place)) {
        return Err("no secrets are read from /dev, /proc and /sys".into());
    }
    let told = |error: std::io::Error| error.to_string();
    let file = std::fs::File::open(path).map_err(told)?;
    if file.metadata().map_err(told)?.is_dir() {
        return Err("is a directory".into());
    }
    let mut bytes = Vec::new();
    file.take(SECRET_MAX + 1).read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() as u64 > SECRET_MAX {
        return Err("a secret has at most 64 KiB".into());
    }
    // Its bytes are not told.
    let text = String::from_utf8(bytes).map_err(|_bytes| "is not UTF-8".to_owned())?;
    Ok(text.trim().to_owned())
}

const SECRET_MAX: u64 = 64 << 10;

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Secret(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").field("value", &"***").field("origin", &self.origin).finish()
    }
}
