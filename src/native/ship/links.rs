//! Hard links of the segments that are not in the bucket yet: QuestDB deletes its own names of them soon after it has
//! applied them, and the files stay for as long as there are ours.
//!
//! The links lie beside the database, in `understudy-ship/links`, under the same paths.

use crate::native::outcome::Failure;
use crate::wal::SegmentId;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::path::{Path, PathBuf};

/// The folder of the links, in the shipper's own.
const FOLDER: &str = "links";
/// Files of a table's sequencer that outlive the table here.
const SEQUENCER: [&str; 6] = ["_txnlog", "_txnlog.meta.d", "_txnlog.meta.i", "_meta.0", "_meta", "_mv"];

/// The links there are.
#[derive(Debug)]
pub(super) struct Links {
    db: Dir,
    own: Dir,
    segments: BTreeMap<String, BTreeMap<SegmentId, Linked>>,
    /// The last transaction of a table that is in the bucket.
    acknowledged: BTreeMap<String, u64>,
    /// The table behind which the next ones are looked at whose links nobody needs.
    looked_at: String,
    /// Bytes that nobody but us keeps, when that was last looked at.
    held: u64,
}

/// A segment of which we have links.
#[derive(Debug, Clone, Copy)]
struct Linked {
    /// The structure version when its files were last listed.
    version: i64,
    /// The last transaction known to be in it; `None` of one that an earlier run linked.
    last: Option<u64>,
    /// The server had nothing of it any more when its table had its turn.
    gone: bool,
}

impl Links {
    /// The links of an earlier run are taken up.
    ///
    /// # Errors
    /// When the folder can't be made: it has to be on the database's file system.
    pub(super) fn open(db: &Path, own: &Path) -> Result<Self, Failure> {
        let folder = own.join(FOLDER);
        let failed = |error: io::Error| Failure::failed(format!("{}: {error}", folder.display()));
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let dir = |path: &Path| {
            Dir::open_ambient_dir(path, ambient_authority())
                .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
        };
        let mut links = Self {
            db: dir(db)?,
            own: dir(&folder)?,
            segments: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            looked_at: String::new(),
            held: 0,
        };
        links.take_up().map_err(failed)?;
        Ok(links)
    }

    fn take_up(&mut self) -> io::Result<()> {
        for table in names(&self.own, ".")? {
            for wal in names(&self.own, &table)? {
                let Some(id) = wal.strip_prefix("wal").and_then(|id| id.parse().ok()) else { continue };
                for segment in names(&self.own, &format!("{table}/{wal}"))? {
                    let Ok(segment) = segment.parse() else { continue };
                    let linked = Linked { version: -1, last: None, gone: false };
                    let of_table = self.segments.entry(table.clone()).or_default();
                    of_table.insert(SegmentId { wal: id, segment }, linked);
                }
            }
        }
        Ok(())
    }

    /// Links the files of a segment that a transaction is in. `false` if nothing of it is there any more.
    ///
    /// Its files are listed again when the structure version is another one: an ALTER before the first rows adds files to the
    /// same segment.
    pub(super) fn link(
        &mut self,
        dir: &str,
        segment: SegmentId,
        version: i64,
        seq_txn: u64,
    ) -> io::Result<bool> {
        let known = self.segments.entry(dir.to_owned()).or_default().get_mut(&segment);
        if let Some(linked) = known.filter(|linked| linked.version >= version) {
            *linked = Linked { last: linked.last.max(Some(seq_txn)), gone: false, ..*linked };
            return Ok(true);
        }
        let path = segment.dir(dir);
        let there = match names(&self.db, &path) {
            Ok(files) => self.link_files(&path, &files)?,
            Err(error) if is_gone(&error) => false,
            Err(error) => return Err(error),
        };
        let of_table = self.segments.entry(dir.to_owned()).or_default();
        match of_table.get_mut(&segment) {
            // What we have of it from before stays.
            Some(linked) => {
                *linked = Linked { version, last: linked.last.max(Some(seq_txn)), gone: false };
            }
            None if there => {
                of_table.insert(segment, Linked { version, last: Some(seq_txn), gone: false });
            }
            None => return Ok(false),
        }
        Ok(true)
    }

    fn link_files(&self, path: &str, files: &[String]) -> io::Result<bool> {
        self.own.create_dir_all(path)?;
        for name in files {
            let file = format!("{path}/{name}");
            match self.db.hard_link(&file, &self.own, &file) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => self.link_again(&file)?,
                // Deleted while it was linked.
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(!names(&self.own, path)?.is_empty())
    }

    /// A file that took the place of the one we have.
    fn link_again(&self, file: &str) -> io::Result<()> {
        let (Ok(theirs), Ok(ours)) = (self.db.metadata(file), self.own.metadata(file)) else { return Ok(()) };
        if same(&theirs, &ours) {
            return Ok(());
        }
        self.own.remove_file(file)?;
        self.db.hard_link(file, &self.own, file)
    }

    /// Links what the log of a table consists of, so that it can be read to its end when the table is dropped.
    pub(super) fn link_sequencer(&self, dir: &str) -> io::Result<()> {
        let path = format!("{dir}/txn_seq");
        self.own.create_dir_all(&path)?;
        let files: Vec<String> = SEQUENCER.iter().map(|name| (*name).to_owned()).collect();
        self.link_files(&path, &files)?;
        let parts = format!("{path}/_txn_parts");
        match names(&self.db, &parts) {
            Ok(files) => self.link_files(&parts, &files).map(drop),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// All transactions of a table that are not in the bucket are linked: what an earlier run linked beside has none of them.
    pub(super) fn linked_all(&mut self, dir: &str, acknowledged: u64) {
        let Some(of_table) = self.segments.get_mut(dir) else { return };
        for linked in of_table.values_mut() {
            linked.last.get_or_insert(0);
        }
        self.acknowledged.entry(dir.to_owned()).or_insert(acknowledged);
    }

    /// The log of a table is not what it was: it is not known what of it is in the bucket until more is.
    pub(super) fn went_back(&mut self, dir: &str) {
        self.acknowledged.remove(dir);
    }

    /// Lets go of segments of a table whose transactions are all at or below `acknowledged`. The newest segment of each WAL
    /// stays while the server has it: more may come in it.
    pub(super) fn release(&mut self, dir: &str, acknowledged: u64) -> io::Result<()> {
        let Some(of_table) = self.segments.get_mut(dir) else { return Ok(()) };
        match self.acknowledged.get_mut(dir) {
            Some(known) => *known = acknowledged,
            None => drop(self.acknowledged.insert(dir.to_owned(), acknowledged)),
        }
        let mut newest: BTreeMap<u32, u32> = BTreeMap::new();
        of_table.keys().for_each(|id| *newest.entry(id.wal).or_default() = id.segment);
        let mut gone = Vec::new();
        for (id, linked) in of_table.iter() {
            let open = newest.get(&id.wal) == Some(&id.segment) && self.db.exists(id.dir(dir));
            if linked.last.is_some_and(|last| last <= acknowledged) && !open {
                gone.push(*id);
            }
        }
        for id in gone {
            of_table.remove(&id);
            remove(&self.own, &id.dir(dir))?;
        }
        Ok(())
    }

    /// Lets go of links that nobody needs, of some tables: what is in the bucket, once the server has deleted it. Tables have
    /// their turns, and are to be looked at for transactions between two of them: one that came last may be in such a segment.
    pub(super) fn release_some(&mut self, tables: usize) -> io::Result<()> {
        let behind = (Bound::Excluded(self.looked_at.clone()), Bound::Unbounded);
        let some = self.acknowledged.range(behind).take(tables).map(|(dir, last)| (dir.clone(), *last));
        let some: Vec<(String, u64)> = some.collect();
        let last = some.last().filter(|_| some.len() == tables);
        self.looked_at = last.map(|(dir, _)| dir.clone()).unwrap_or_default();
        for (dir, acknowledged) in some {
            let Some(of_table) = self.segments.get_mut(&dir) else { continue };
            let mut needless = Vec::new();
            for (id, linked) in of_table.iter_mut() {
                let sent = linked.last.is_some_and(|last| last <= acknowledged);
                let gone = sent && !self.db.exists(id.dir(&dir));
                if std::mem::replace(&mut linked.gone, gone) && gone {
                    needless.push(*id);
                }
            }
            for id in needless {
                of_table.remove(&id);
                remove(&self.own, &id.dir(&dir))?;
            }
        }
        Ok(())
    }

    /// Lets go of all links of a table.
    pub(super) fn forget(&mut self, dir: &str) -> io::Result<()> {
        self.segments.remove(dir);
        self.acknowledged.remove(dir);
        remove(&self.own, dir)
    }

    /// Lets go of segments that nobody but us keeps, while they hold more than `limit` bytes: of the table that has most, the
    /// oldest first. Answers the tables, which need a copy then.
    pub(super) fn let_go(&mut self, limit: u64) -> io::Result<Vec<String>> {
        let mut held: Vec<(Option<u64>, u64, String, SegmentId)> = Vec::new();
        let mut of_tables: BTreeMap<String, u64> = BTreeMap::new();
        for (dir, segments) in &self.segments {
            let acknowledged = self.acknowledged.get(dir).copied();
            for (id, linked) in segments {
                // Of a segment in the bucket the links go when the server's do.
                if linked.last.is_some_and(|last| Some(last) <= acknowledged) {
                    continue;
                }
                let bytes = only_ours(&self.own, &id.dir(dir))?;
                *of_tables.entry(dir.clone()).or_default() += bytes;
                held.push((linked.last, bytes, dir.clone(), *id));
            }
        }
        held.sort_unstable();
        let (mut all, mut gone) = (of_tables.values().sum::<u64>(), Vec::new());
        while all > limit {
            let most = of_tables.iter().max_by_key(|(_, bytes)| **bytes).map(|(dir, _)| dir.clone());
            let oldest = held.iter().position(|(_, bytes, dir, _)| *bytes > 0 && Some(dir) == most.as_ref());
            let Some(at) = oldest else { break };
            let (_, bytes, dir, id) = held.remove(at);
            remove(&self.own, &id.dir(&dir))?;
            if let Some(segments) = self.segments.get_mut(&dir) {
                segments.remove(&id);
            }
            all -= bytes;
            if let Some(of_table) = of_tables.get_mut(&dir) {
                *of_table -= bytes;
            }
            if !gone.contains(&dir) {
                gone.push(dir);
            }
        }
        self.held = all;
        Ok(gone)
    }

    /// Bytes that nobody but us keeps, as of the last look.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Tables of which there are links.
    pub(super) fn tables(&self) -> io::Result<Vec<String>> {
        names(&self.own, ".")
    }
}

/// Where the links lie below the shipper's own folder.
pub(super) fn folder(own: &Path) -> PathBuf {
    own.join(FOLDER)
}

fn remove(own: &Dir, path: &str) -> io::Result<()> {
    match own.remove_dir_all(path) {
        Err(error) if !is_gone(&error) => Err(error),
        _ => Ok(()),
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn names(dir: &Dir, path: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in dir.read_dir(path)? {
        // QuestDB writes UTF-8 names.
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Bytes on disk of files that have no other name than ours.
#[cfg(unix)]
fn only_ours(own: &Dir, path: &str) -> io::Result<u64> {
    use cap_std::fs::MetadataExt;
    let mut bytes = 0;
    for name in names(own, path)? {
        let metadata = own.metadata(format!("{path}/{name}"))?;
        if metadata.nlink() == 1 {
            bytes += metadata.blocks() * 512;
        }
    }
    Ok(bytes)
}

#[cfg(not(unix))]
fn only_ours(own: &Dir, path: &str) -> io::Result<u64> {
    names(own, path)?.iter().map(|name| Ok(own.metadata(format!("{path}/{name}"))?.len())).sum()
}

#[cfg(unix)]
fn same(a: &cap_std::fs::Metadata, b: &cap_std::fs::Metadata) -> bool {
    use cap_std::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same(_: &cap_std::fs::Metadata, _: &cap_std::fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const SEGMENT: SegmentId = SegmentId { wal: 1, segment: 0 };

    fn sample() -> (tempfile::TempDir, Links) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("db/t~1/wal1/0")).unwrap();
        fs::write(root.path().join("db/t~1/wal1/0/ts.d"), b"rows").unwrap();
        let links = Links::open(&root.path().join("db"), &root.path().join("own")).unwrap();
        (root, links)
    }

    #[test]
    fn what_the_server_deletes_stays() {
        let (root, mut links) = sample();
        assert!(links.link("t~1", SEGMENT, 0, 1).unwrap());
        fs::remove_dir_all(root.path().join("db/t~1/wal1")).unwrap();
        let ours = root.path().join("own/links/t~1/wal1/0/ts.d");
        assert_eq!(fs::read(&ours).unwrap(), b"rows");
        // Taken up by the next process, and found although the server has nothing of it.
        let mut links = Links::open(&root.path().join("db"), &root.path().join("own")).unwrap();
        assert!(links.link("t~1", SEGMENT, 0, 2).unwrap());
        links.release("t~1", 1).unwrap();
        assert!(ours.exists());
        links.release("t~1", 2).unwrap();
        assert!(!ours.exists());
        assert!(!links.link("t~1", SEGMENT, 0, 3).unwrap());
    }

    #[test]
    fn a_segment_in_use_is_kept_and_its_new_files_are_seen() {
        let (root, mut links) = sample();
        links.link("t~1", SEGMENT, 0, 1).unwrap();
        fs::write(root.path().join("db/t~1/wal1/0/x.d"), b"x").unwrap();
        let ours = root.path().join("own/links/t~1/wal1/0");
        links.link("t~1", SEGMENT, 0, 2).unwrap();
        assert!(!ours.join("x.d").exists());
        links.link("t~1", SEGMENT, 1, 3).unwrap();
        assert!(ours.join("x.d").exists());
        links.release("t~1", 3).unwrap();
        assert!(ours.exists(), "the newest segment of a WAL");
        fs::create_dir_all(root.path().join("db/t~1/wal1/1")).unwrap();
        fs::write(root.path().join("db/t~1/wal1/1/ts.d"), b"more").unwrap();
        links.link("t~1", SegmentId { wal: 1, segment: 1 }, 1, 4).unwrap();
        links.release("t~1", 3).unwrap();
        assert!(!ours.exists());
    }

    #[test]
    fn what_is_in_the_bucket_goes_when_the_server_deletes_it() {
        let (root, mut links) = sample();
        for table in ["t~1", "u~2", "v~3"] {
            let dir = root.path().join(format!("db/{table}/wal1/0"));
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("x.d"), vec![1; 100_000]).unwrap();
            links.link(table, SEGMENT, 0, 1).unwrap();
        }
        let ours = |table: &str| root.path().join(format!("own/links/{table}/wal1/0")).exists();
        // One is not in the bucket; what is, counts no more.
        ["t~1", "u~2"].iter().for_each(|table| links.release(table, 1).unwrap());
        links.release_some(9).unwrap();
        fs::remove_dir_all(root.path().join("db")).unwrap();
        links.let_go(1 << 20).unwrap();
        assert!(links.held() >= 100_000 && links.held() < 200_000, "{}", links.held());
        assert!(ours("t~1") && ours("u~2") && ours("v~3"));
        links.release_some(2).unwrap();
        assert!(ours("t~1") && ours("u~2"));
        // A transaction came in between.
        links.link("u~2", SEGMENT, 0, 2).unwrap();
        links.release_some(1).unwrap();
        links.release_some(2).unwrap();
        assert!(!ours("t~1") && ours("u~2") && ours("v~3"));
        // A new process does not know what is in the bucket until all that isn't has been linked.
        fs::create_dir_all(root.path().join("db")).unwrap();
        let mut links = Links::open(&root.path().join("db"), &root.path().join("own")).unwrap();
        links.release_some(9).unwrap();
        links.let_go(1 << 20).unwrap();
        assert!(ours("v~3") && links.held() >= 200_000);
        links.linked_all("v~3", 1);
        links.release_some(9).unwrap();
        links.release_some(9).unwrap();
        assert!(!ours("v~3"));
    }

    #[test]
    fn what_only_we_keep_has_a_limit() {
        let (root, mut links) = sample();
        for (table, segment, len) in [("t~1", 0u32, 100_000), ("t~1", 1, 200_000), ("u~2", 0, 150_000)] {
            let dir = root.path().join(format!("db/{table}/wal1/{segment}"));
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("x.d"), vec![1; len]).unwrap();
            links.link(table, SegmentId { wal: 1, segment }, 9, segment.into()).unwrap();
        }
        assert!(links.let_go(0).unwrap().is_empty(), "the server has them, too");
        fs::remove_dir_all(root.path().join("db/t~1")).unwrap();
        fs::remove_dir_all(root.path().join("db/u~2")).unwrap();
        assert!(links.let_go(1 << 20).unwrap().is_empty());
        assert_eq!(links.let_go(400_000).unwrap(), ["t~1"]);
        let ours = |path: &str| root.path().join("own/links").join(path).exists();
        assert!(!ours("t~1/wal1/0/x.d") && ours("t~1/wal1/1/x.d") && ours("u~2/wal1/0/x.d"));
    }

    #[test]
    fn a_file_that_was_replaced_is_linked_anew() {
        let (root, mut links) = sample();
        links.link("t~1", SEGMENT, 0, 1).unwrap();
        let theirs = root.path().join("db/t~1/wal1/0/ts.d");
        fs::remove_file(&theirs).unwrap();
        fs::write(&theirs, b"other").unwrap();
        links.link("t~1", SEGMENT, 1, 2).unwrap();
        assert_eq!(fs::read(root.path().join("own/links/t~1/wal1/0/ts.d")).unwrap(), b"other");
    }
}
