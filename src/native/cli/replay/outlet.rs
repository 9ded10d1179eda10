//! Where replayed rows go: stdout, a file, or a directory of files.

use super::super::args::Replay;
use super::super::out::Out;
use super::super::progress::Progress;
use super::super::tables;
use crate::native::export::{self, Format, Target};
use crate::native::outcome::{Failure, Result};
use crate::table::Table;
use crate::wal::TableToken;
use std::collections::HashSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Chosen before anything is read, so that a wrong command line costs no time.
#[derive(Debug)]
pub(super) enum Outlet {
    /// With `--json` and without `-o`: only the report.
    Nowhere,
    Stdout,
    File(PathBuf),
    /// One file per table; tables that share a name are named by their directories.
    Directory {
        path: PathBuf,
        shared: HashSet<String>,
        force: bool,
    },
}

impl Outlet {
    pub(super) fn new(args: &Replay, json: bool, chosen: &[&TableToken]) -> Result<Self> {
        let Some(path) = args.output.clone() else {
            return match chosen.len() {
                _ if json => Ok(Self::Nowhere),
                1 => Ok(Self::Stdout),
                n => Err(Failure::usage(format!("the rows of {n} tables can't all go to stdout")).advise(
                    format!(
                        "choose one with --table ({}), or give -o DIR",
                        tables::names(chosen.iter().copied())
                    ),
                )),
            };
        };
        let ends_as_directory = path.to_string_lossy().ends_with(std::path::MAIN_SEPARATOR);
        if chosen.len() == 1 && !ends_as_directory && !path.is_dir() {
            return if path.exists() && !args.force { Err(exists(&path)) } else { Ok(Self::File(path)) };
        }
        if path.exists() && !path.is_dir() {
            return Err(Failure::usage(format!(
                "{} is a file, and {} tables are asked for",
                path.display(),
                chosen.len()
            ))
            .advise("give a directory; it gets one file per table"));
        }
        let (mut seen, mut shared) = (HashSet::new(), HashSet::new());
        for token in chosen {
            let name = token.name.to_lowercase();
            if !seen.insert(name.clone()) {
                shared.insert(name);
            }
        }
        Ok(Self::Directory { path, shared, force: args.force })
    }

    /// Writes a table's rows; answers the file, where there is one.
    pub(super) fn write(
        &self,
        out: Out,
        token: &TableToken,
        table: &Table,
        format: Format,
    ) -> Result<Option<PathBuf>> {
        let mut progress = Progress::new(out, format!("writing {}", token.name), "rows", table.rows() as u64);
        let mut tell = |done: usize| progress.set(done as u64);
        match self {
            Self::Nowhere => Ok(None),
            Self::Stdout => {
                let mut stdout = io::stdout();
                export::write(table, format, Target::Stream, &mut stdout, &mut tell)?;
                stdout.flush().map_err(|error| Failure::output("stdout", &error))?;
                Ok(None)
            }
            Self::File(path) => write_file(path, table, format, &mut tell).map(Some),
            Self::Directory { path, shared, force } => {
                let name = if shared.contains(&token.name.to_lowercase()) { &token.dir } else { &token.name };
                let file = path.join(format!("{}.{}", file_name(name), format.extension()));
                if file.exists() && !force {
                    return Err(exists(&file));
                }
                std::fs::create_dir_all(path).map_err(|error| Failure::output(path.display(), &error))?;
                write_file(&file, table, format, &mut tell).map(Some)
            }
        }
    }
}

/// Writes beside the file and renames: a reader never sees half of it, and a failure leaves nothing.
fn write_file(path: &Path, table: &Table, format: Format, tell: &mut dyn FnMut(usize)) -> Result<PathBuf> {
    let failed = |error: &io::Error| Failure::output(path.display(), error);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.exists() && !path.is_file() {
        // A pipe or device can't be replaced.
        let mut file = std::fs::File::create(path).map_err(|error| failed(&error))?;
        export::write(table, format, Target::File, &mut file, tell)?;
        return Ok(path.to_path_buf());
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".understudy-");
    // What a plainly created file gets; temporary files are private otherwise.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut draft = builder.tempfile_in(directory).map_err(|error| failed(&error))?;
    export::write(table, format, Target::File, draft.as_file_mut(), tell)?;
    draft.as_file().sync_all().map_err(|error| failed(&error))?;
    draft.persist(path).map_err(|error| failed(&error.error))?;
    Ok(path.to_path_buf())
}

fn exists(path: &Path) -> Failure {
    Failure::failed(format!("{} exists", path.display())).advise("--force overwrites it")
}

/// A table's name as a file's: what could leave the directory or confuse a shell is replaced.
fn file_name(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '~' | '.' | ' ');
    let text: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    if text.starts_with('.') { format!("_{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_stay_in_the_directory() {
        assert_eq!(file_name("trades"), "trades");
        assert_eq!(file_name("../../etc/passwd"), "_.._.._etc_passwd");
        assert_eq!(file_name(".hidden"), "_.hidden");
        assert_eq!(file_name("a b~7-é"), "a b~7-é");
    }
}
