//! All logs that are followed, and whose turn it is.
//!
//! Logs of one rhythm wait in the order in which they were looked at, which is the order in which they are due: what is not due is
//! not touched.

use super::tail::{Look, RHYTHMS, Tail};
use cap_std::fs::Dir;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::{Duration, Instant};

/// The shortest pause between two rounds, with and without logs to which something came lately.
const QUICK: Duration = Duration::from_millis(5);
const EASY: Duration = Duration::from_millis(20);

/// The logs of all tables.
#[derive(Debug)]
pub(super) struct Tails {
    tails: Vec<Option<Followed>>,
    /// Places in `tails` of which the table is gone.
    vacant: Vec<usize>,
    places: BTreeMap<String, usize>,
    /// Of each rhythm: when a log is due, and its place.
    turns: [VecDeque<(Instant, usize)>; RHYTHMS],
    open: usize,
    open_max: usize,
}

#[derive(Debug)]
struct Followed {
    dir: String,
    tail: Tail,
}

impl Tails {
    /// None yet; of those to come at most `open_max` quiet ones are kept open.
    pub(super) fn new(open_max: usize) -> Self {
        let (tails, vacant, places) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { tails, vacant, places, turns: Default::default(), open: 0, open_max }
    }

    /// Directories of the tables.
    pub(super) fn dirs(&self) -> impl Iterator<Item = &String> {
        self.places.keys()
    }

    /// Follows the log of a table, too; it is due at once.
    pub(super) fn add(&mut self, dir: &str, now: Instant) {
        if self.places.contains_key(dir) {
            return;
        }
        let followed = Followed { dir: dir.to_owned(), tail: Tail::new(dir, now) };
        let place = self.vacant.pop().unwrap_or(self.tails.len());
        match self.tails.get_mut(place) {
            Some(vacancy) => *vacancy = Some(followed),
            None => self.tails.push(Some(followed)),
        }
        self.places.insert(dir.to_owned(), place);
        if let Some(turns) = self.turns.last_mut() {
            turns.push_front((now, place));
        }
    }

    /// Lets go of the logs of these tables.
    pub(super) fn remove(&mut self, dirs: &[String]) {
        for dir in dirs {
            let Some(place) = self.places.remove(dir) else { continue };
            let gone = self.tails.get_mut(place).and_then(Option::take);
            self.open -= usize::from(gone.is_some_and(|gone| gone.tail.is_open()));
            self.vacant.push(place);
            for turns in &mut self.turns {
                turns.retain(|(_, due)| *due != place);
            }
        }
    }

    /// Has it made sure of each log, with its next look, that its file is still the one at its path.
    pub(super) fn distrust(&mut self) {
        self.tails.iter_mut().flatten().for_each(|followed| followed.tail.distrust());
    }

    /// Looks at the logs whose turn it is, or at all; tells `found` what is not the same as before. Answers when the next round is.
    pub(super) fn look(
        &mut self,
        db: &Dir,
        now: Instant,
        all: bool,
        mut found: impl FnMut(&str, io::Result<Look>),
    ) -> Option<Instant> {
        for rhythm in 0..RHYTHMS {
            let waiting = self.turns.get(rhythm).map_or(0, VecDeque::len);
            for _ in 0..waiting {
                let Some(turns) = self.turns.get_mut(rhythm) else { break };
                let Some((_, place)) = turns.pop_front_if(|(due, _)| all || *due <= now) else { break };
                let Some(followed) = self.tails.get_mut(place).and_then(Option::as_mut) else { continue };
                let tail = &mut followed.tail;
                let was_open = tail.is_open();
                match tail.look(db, now) {
                    Ok(Look::Same | Look::Gone) => {}
                    Ok(look) => found(&followed.dir, Ok(look)),
                    Err(error) => {
                        tail.close();
                        found(&followed.dir, Err(error));
                    }
                }
                let (rhythm, pause) = tail.rhythm(now);
                if !was_open && self.open >= self.open_max && rhythm + 1 == RHYTHMS {
                    tail.close();
                }
                self.open = self.open + usize::from(tail.is_open()) - usize::from(was_open);
                if let Some(turns) = self.turns.get_mut(rhythm) {
                    turns.push_back((now + pause, place));
                }
            }
        }
        self.next(now)
    }

    /// When the next log is due; a little later where others are due soon after it.
    fn next(&self, now: Instant) -> Option<Instant> {
        let due = self.turns.iter().enumerate().filter_map(|(rhythm, turns)| {
            let shortest = if rhythm + 1 == RHYTHMS { EASY } else { QUICK };
            turns.front().map(|(due, _)| (*due).max(now + shortest))
        });
        due.min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    fn set(root: &Path, dir: &str, max_txn: u64) {
        let path = root.join(dir).join("txn_seq/_txnlog");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, [&[0; 4][..], &max_txn.to_le_bytes()].concat()).unwrap();
    }

    fn look(tails: &mut Tails, root: &Path, now: Instant, all: bool) -> (Vec<String>, Option<Instant>) {
        let db = Dir::open_ambient_dir(root, cap_std::ambient_authority()).unwrap();
        let mut news = Vec::new();
        let next = tails.look(&db, now, all, |dir, look| news.push(format!("{dir} {:?}", look.unwrap())));
        (news, next)
    }

    #[test]
    fn each_log_is_looked_at_within_a_second_and_none_before_its_turn() {
        let root = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let mut tails = Tails::new(2);
        for dir in ["a~1", "b~2", "c~3"] {
            set(root.path(), dir, 1);
            tails.add(dir, begun);
        }
        let (mut news, next) = look(&mut tails, root.path(), begun, false);
        news.sort();
        assert_eq!(news, ["a~1 Moved(1)", "b~2 Moved(1)", "c~3 Moved(1)"]);
        assert_eq!(next, Some(begun + QUICK));
        let mut now = begun + Duration::from_secs(120);
        assert!(look(&mut tails, root.path(), now, false).0.is_empty());
        // Three are quiet, and one of them may not stay open.
        now += Duration::from_secs(1);
        let (news, next) = look(&mut tails, root.path(), now, false);
        assert!(news.is_empty() && tails.open == 3, "{news:?}, {}", tails.open);
        let next = next.unwrap();
        assert!(next - now <= Duration::from_millis(980) && next - now > Duration::from_millis(900));
        set(root.path(), "b~2", 5);
        assert!(look(&mut tails, root.path(), next - Duration::from_millis(1), false).0.is_empty());
        assert_eq!(look(&mut tails, root.path(), next, false).0, ["b~2 Moved(5)"]);
        set(root.path(), "c~3", 6);
        assert_eq!(look(&mut tails, root.path(), next, true).0, ["c~3 Moved(6)"]);
    }

    #[test]
    fn quiet_logs_beyond_the_limit_are_opened_for_each_look() {
        let root = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let mut tails = Tails::new(2);
        for n in 0..5 {
            set(root.path(), &format!("t~{n}"), 0);
            tails.add(&format!("t~{n}"), begun);
        }
        assert!(look(&mut tails, root.path(), begun, false).0.is_empty());
        assert_eq!(tails.open, 2);
        set(root.path(), "t~4", 1);
        set(root.path(), "t~0", 1);
        let (mut news, _) = look(&mut tails, root.path(), begun + Duration::from_secs(1), false);
        news.sort();
        assert_eq!(news, ["t~0 Moved(1)", "t~4 Moved(1)"]);
    }

    #[test]
    fn a_log_that_was_let_go_is_looked_at_no_more() {
        let root = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let mut tails = Tails::new(8);
        ["a~1", "b~2"].iter().for_each(|dir| tails.add(dir, begun));
        set(root.path(), "a~1", 1);
        set(root.path(), "b~2", 1);
        tails.remove(&["a~1".to_owned()]);
        assert_eq!(look(&mut tails, root.path(), begun, false).0, ["b~2 Moved(1)"]);
        // Its place is another's now.
        tails.add("c~3", begun);
        set(root.path(), "c~3", 2);
        assert_eq!(look(&mut tails, root.path(), begun, false).0, ["c~3 Moved(2)"]);
        assert_eq!(
            (tails.tails.len(), tails.dirs().cloned().collect::<Vec<_>>()),
            (2, vec!["b~2".into(), "c~3".into()])
        );
        tails.remove(&["b~2".to_owned(), "c~3".to_owned()]);
        assert_eq!((tails.open, look(&mut tails, root.path(), begun, true)), (0, (Vec::new(), None)));
    }
}
