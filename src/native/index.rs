//! `understudy-index.json`: what a static web server can't tell, the names and sizes of a `db`
//! directory's files. `docs/format.md` describes it.

use super::disk::DiskFiles;
use super::outcome::{Failure, Result};
use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The file's name, at the root of the `db` directory.
pub const NAME: &str = "understudy-index.json";

/// The version that this program writes and the newest one that it reads.
pub const VERSION: u32 = 1;

/// A `db` directory is four levels deep; a link that leads back up must not be followed for ever.
const DEPTH_MAX: usize = 16;

/// A listing of a `db` directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Size in bytes by path relative to the directory, with `/` between components.
    pub files: BTreeMap<String, u64>,
}

/// What writing an index did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Where the index was written.
    pub path: PathBuf,
    /// Files that it lists.
    pub files: usize,
    /// Sum of the sizes of all listed files.
    pub bytes: u64,
    /// Entries that are not listed, each with the reason.
    pub skipped: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    understudy_index: u32,
    files: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    path: String,
    size: u64,
}

impl Index {
    /// Reads the JSON text of an index.
    ///
    /// # Errors
    /// Says what is wrong with the text, or that its version is not known.
    pub fn parse(text: &[u8]) -> std::result::Result<Self, String> {
        let document: Document = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if document.understudy_index > VERSION {
            return Err(format!("version {} is newer than this program", document.understudy_index));
        }
        Ok(Self { files: document.files.into_iter().map(|entry| (entry.path, entry.size)).collect() })
    }

    /// The names in a directory, sorted; `None` if nothing is below it.
    pub fn list(&self, dir: &str) -> Option<Vec<String>> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let below = self.files.range(prefix.clone()..).map_while(|(path, _)| path.strip_prefix(&prefix));
        let mut names: Vec<String> =
            below.filter_map(|rest| rest.split('/').next()).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        (!names.is_empty()).then_some(names)
    }

    /// Walks a directory. Entries that can't be served later are told in `skipped`.
    ///
    /// # Errors
    /// Those of the operating system, with the path.
    pub fn scan(dir: &Dir, skipped: &mut Vec<String>) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        walk(dir, "", 0, &mut files, skipped)?;
        Ok(Self { files })
    }

    /// Writes the JSON text. One file a line: people read it, and versions of it compare well.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{{\"understudy_index\":{VERSION},\"files\":[")?;
        for (i, (path, size)) in self.files.iter().enumerate() {
            out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *out, &Entry { path: path.clone(), size: *size })?;
        }
        out.write_all(b"\n]}\n")
    }
}

/// Lists `root` and writes the index into it, replacing an old one in one step.
///
/// # Errors
/// When the directory can't be read or written, or is no `db` directory.
pub fn write(root: &Path) -> Result<Written> {
    let failed = |error: &io::Error| Failure::failed(format!("{}: {error}", root.display()));
    let files = DiskFiles::open(root).map_err(|error| failed(&error))?;
    let mut skipped = Vec::new();
    let index = Index::scan(files.dir(), &mut skipped).map_err(|error| failed(&error))?;
    if !index.files.keys().any(|path| path.starts_with("tables.d.")) {
        return Err(Failure::failed(format!(
            "{} has no tables.d.N, so it is no QuestDB database",
            root.display()
        ))
        .advise("give the `db` directory below QuestDB's root directory"));
    }
    let path = root.join(NAME);
    store(files.dir(), &index).map_err(|error| Failure::output(path.display(), &error))?;
    Ok(Written { path, files: index.files.len(), bytes: index.files.values().sum(), skipped })
}

fn store(dir: &Dir, index: &Index) -> io::Result<()> {
    let draft = format!("{NAME}.tmp");
    let mut out = BufWriter::new(dir.create(&draft)?);
    index.write_text(&mut out)?;
    out.into_inner()?.sync_all()?;
    dir.rename(&draft, dir, NAME)
}

fn walk(
    dir: &Dir,
    prefix: &str,
    depth: usize,
    files: &mut BTreeMap<String, u64>,
    skipped: &mut Vec<String>,
) -> io::Result<()> {
    for entry in dir.entries()? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else {
            skipped.push(format!("{prefix}{}: the name is not UTF-8", name.display()));
            continue;
        };
        let path = format!("{prefix}{name}");
        if path == NAME || path == format!("{NAME}.tmp") || name.ends_with(".lock") {
            continue;
        }
        match dir.metadata(name) {
            Ok(meta) if meta.is_dir() && depth == DEPTH_MAX => {
                skipped.push(format!("{path}: more than {DEPTH_MAX} directories deep"));
            }
            Ok(meta) if meta.is_dir() => match dir.open_dir(name) {
                Ok(below) => walk(&below, &format!("{path}/"), depth + 1, files, skipped)?,
                Err(error) => skipped.push(format!("{path}: {error}")),
            },
            Ok(meta) if meta.is_file() => {
                files.insert(path, meta.len());
            }
            Ok(_) => skipped.push(format!("{path}: not a regular file")),
            // Purged while we walk.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => skipped.push(format!("{path}: {error}")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn sample() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, len) in [("tables.d.0", 10), ("t~1/txn_seq/_txnlog", 76), ("t~1/wal1/0/a \"b\".d", 3)] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![0; len]).unwrap();
        }
        fs::write(root.path().join("t~1.lock"), "").unwrap();
        root
    }

    #[test]
    fn writes_what_it_reads() {
        let root = sample();
        let written = write(root.path()).unwrap();
        assert_eq!((written.files, written.bytes, written.skipped.len()), (3, 89, 0));
        let text = fs::read(root.path().join(NAME)).unwrap();
        let index = Index::parse(&text).unwrap();
        assert_eq!(index.files["t~1/wal1/0/a \"b\".d"], 3);
        assert_eq!(index.list("").unwrap(), ["tables.d.0", "t~1"]);
        assert_eq!(index.list("t~1").unwrap(), ["txn_seq", "wal1"]);
        assert_eq!(index.list("t~").as_deref(), None);

        // The index doesn't list itself, so writing it again changes nothing.
        write(root.path()).unwrap();
        assert_eq!(fs::read(root.path().join(NAME)).unwrap(), text);
    }

    #[test]
    fn refuses_what_is_no_database_or_too_new() {
        let empty = tempfile::tempdir().unwrap();
        assert!(write(empty.path()).unwrap_err().advice.is_some());
        assert!(!empty.path().join(NAME).exists());
        assert!(Index::parse(b"{\"understudy_index\":2,\"files\":[]}").is_err());
        assert!(Index::parse(b"{").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn tells_which_links_it_left_out() {
        let root = sample();
        std::os::unix::fs::symlink("/etc/hostname", root.path().join("out")).unwrap();
        std::os::unix::fs::symlink(".", root.path().join("t~1/round")).unwrap();
        let written = write(root.path()).unwrap();
        assert!(written.skipped.iter().any(|line| line.starts_with("out: ")), "{:?}", written.skipped);
        assert!(written.skipped.iter().any(|line| line.contains("deep")), "{:?}", written.skipped);
    }
}
