//! The head of a table's sequencer log, looked at again and again: one `pread` each time.
//!
//! The server writes it through a memory map, which tells nobody.

use cap_std::fs::{Dir, File};
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// Where the number of transactions is, behind the format.
const AT: u64 = 4;
/// How often it is made sure that the file is still the one at its path.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// How often a log is looked at to which nothing has come for long: within a second, with what a round takes.
const QUIET: Duration = Duration::from_millis(960);
/// How often a log is looked at, by how long ago something came.
const RHYTHM: [(Duration, Duration); RHYTHMS] = [
    (Duration::from_secs(1), Duration::from_millis(5)),
    (Duration::from_secs(60), Duration::from_millis(50)),
    (Duration::MAX, QUIET),
];
/// How many there are; the last one is that of quiet logs.
pub(super) const RHYTHMS: usize = 3;

/// A log that is followed.
#[derive(Debug)]
pub(super) struct Tail {
    path: String,
    file: Option<File>,
    checked: Option<Instant>,
    changed: Option<Instant>,
    max_txn: u64,
}

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing new.
    Same,
    /// The number of transactions now.
    Moved(u64),
    /// There are fewer transactions than there were: it is another log.
    Back(u64),
    /// There is none (any more).
    Gone,
}

impl Tail {
    /// Of a table's directory; nothing is opened yet.
    pub(super) fn new(dir: &str, now: Instant) -> Self {
        let path = format!("{dir}/txn_seq/_txnlog");
        Self { path, file: None, checked: Some(now), changed: None, max_txn: 0 }
    }

    /// Reads the number of transactions.
    pub(super) fn look(&mut self, db: &Dir, now: Instant) -> io::Result<Look> {
        if self.checked.is_none_or(|checked| now.duration_since(checked) >= CHECK_EVERY) {
            self.checked = Some(now);
            self.drop_deleted();
        }
        if self.file.is_none() {
            match db.open(&self.path) {
                Ok(file) => {
                    leave_atime(&file);
                    self.file = Some(file);
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Look::Gone),
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &self.file else { return Ok(Look::Gone) };
        let mut number = [0; 8];
        read_at(file, &mut number, AT)?;
        let max_txn = u64::from_le_bytes(number);
        if max_txn == self.max_txn {
            return Ok(Look::Same);
        }
        self.changed = Some(now);
        let before = std::mem::replace(&mut self.max_txn, max_txn);
        Ok(if max_txn < before { Look::Back(max_txn) } else { Look::Moved(max_txn) })
    }

    /// Which rhythm it has, and how long it is until the next look.
    pub(super) fn rhythm(&self, now: Instant) -> (usize, Duration) {
        let since = self.changed.map_or(Duration::MAX, |changed| now.duration_since(changed));
        let rhythm = RHYTHM.iter().position(|(until, _)| since <= *until).unwrap_or(RHYTHMS - 1);
        (rhythm, RHYTHM.get(rhythm).map_or(QUIET, |(_, pause)| *pause))
    }

    /// Whether its file is open.
    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Has the next look make sure that the file is still the one at its path.
    pub(super) fn distrust(&mut self) {
        self.checked = None;
    }

    /// Closes the file; the next look opens it again.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    #[cfg(unix)]
    fn drop_deleted(&mut self) {
        use cap_std::fs::MetadataExt;
        let deleted = |file: &File| file.metadata().is_ok_and(|metadata| metadata.nlink() == 0);
        if self.file.as_ref().is_some_and(deleted) {
            self.file = None;
        }
    }

    #[cfg(not(unix))]
    fn drop_deleted(&mut self) {
        self.file = None;
    }
}

/// Spares a look at the time for each read, where the file is ours.
#[cfg(target_os = "linux")]
fn leave_atime(file: &File) {
    // Others' files are read all the same.
    let _ = rustix::fs::fcntl_setfl(file, rustix::fs::OFlags::NOATIME);
}

#[cfg(not(target_os = "linux"))]
fn leave_atime(_: &File) {}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    cap_std::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    let got = std::os::windows::fs::FileExt::seek_read(file, bytes, at)?;
    if got == bytes.len() { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn sees_a_log_grow_and_another_take_its_place() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("t~1/txn_seq/_txnlog");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let db = Dir::open_ambient_dir(root.path(), cap_std::ambient_authority()).unwrap();
        let begun = Instant::now();
        let mut tail = Tail::new("t~1", begun);
        let mut look = |seconds| tail.look(&db, begun + Duration::from_secs(seconds)).unwrap();
        let log = |max: u64| [vec![0; 4], max.to_le_bytes().to_vec()].concat();
        assert_eq!(look(0), Look::Gone);
        fs::write(&path, log(3)).unwrap();
        assert_eq!((look(0), look(0)), (Look::Moved(3), Look::Same));
        fs::write(&path, log(4)).unwrap();
        assert_eq!(look(0), Look::Moved(4));
        fs::write(root.path().join("new"), log(2)).unwrap();
        fs::rename(root.path().join("new"), &path).unwrap();
        assert_eq!(look(30), Look::Back(2));
        fs::remove_file(&path).unwrap();
        assert_eq!(look(60), Look::Gone);
        fs::write(&path, log(4)).unwrap();
        assert_eq!(look(60), Look::Moved(4));
        fs::remove_file(&path).unwrap();
        assert_eq!(look(61), Look::Same);
        tail.distrust();
        assert_eq!(tail.look(&db, begun + Duration::from_secs(61)).unwrap(), Look::Gone);
    }

    #[test]
    fn a_quiet_log_is_looked_at_less_often() {
        let begun = Instant::now();
        let mut tail = Tail::new("t~1", begun);
        assert_eq!(tail.rhythm(begun), (2, QUIET));
        tail.changed = Some(begun);
        assert_eq!(tail.rhythm(begun), (0, Duration::from_millis(5)));
        assert_eq!(tail.rhythm(begun + Duration::from_secs(30)), (1, Duration::from_millis(50)));
        assert_eq!(tail.rhythm(begun + Duration::from_secs(300)), (2, QUIET));
    }
}
