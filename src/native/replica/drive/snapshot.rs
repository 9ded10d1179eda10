//! Where a replica begins to follow the log, and what it does when that is behind a snapshot.

use super::super::stream::Stream;
use super::{AHEAD_BYTES, Replica};
use crate::ledger::{Loaded, Manifest, Point, Reader};
use crate::native::cluster::{FollowOptions, newest_snapshot};
use crate::native::outcome::Result;

/// A snapshot on its way.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) manifest: Manifest,
    pub(super) missing: bool,
    /// The stream waits for it; else it begins behind it.
    pub(super) asked: bool,
}

impl Replica {
    /// Begins to follow the log: from the newest snapshot in a new directory, else where it stopped.
    pub(super) fn begin(&mut self, point: Point) -> Result<()> {
        self.save(true)?;
        let new = point.next.n == 0;
        let Some(runtime) = &self.runtime else { return Ok(()) };
        let hinted = if new { runtime.block_on(newest_snapshot(&self.bucket, &self.cluster)) } else { None };
        match hinted {
            Some(manifest) => self.load(manifest, false),
            None => {
                self.follow(Reader::new(point));
                Ok(())
            }
        }
    }

    pub(super) fn follow(&mut self, reader: Reader) {
        let Some(runtime) = &self.runtime else { return };
        let options = FollowOptions {
            pace: self.options.pace,
            ahead_bytes: AHEAD_BYTES.min(self.options.memory),
            trusted: self.options.trusted.clone(),
        };
        let stream =
            Stream::start(runtime.handle(), self.bucket.clone(), reader, options, self.sender.clone());
        self.stream = Some(stream);
    }

    pub(super) fn load(&mut self, manifest: Manifest, asked: bool) -> Result<()> {
        let ahead = "has what the log no longer has";
        self.noted.push(format!(
            "taking {} tables from snapshot {}{}",
            manifest.parts.len(),
            manifest.n,
            if asked { format!(", which {ahead}") } else { String::new() }
        ));
        self.waiting.clear();
        self.ages.clear();
        self.tables.load(&manifest)?;
        self.snapshot = Some(Snapshot { manifest, missing: false, asked });
        self.tell()
    }

    /// Goes on behind a snapshot whose tables have all come, or don't come.
    pub(super) fn end_snapshot(&mut self) -> Result<()> {
        if self.tables.is_loading() {
            return Ok(());
        }
        let Some(Snapshot { manifest, missing, asked }) = self.snapshot.take() else { return Ok(()) };
        if missing {
            self.said.push(format!("a part of snapshot {} is missing", manifest.n));
        }
        match (&self.stream, missing) {
            (Some(stream), true) if asked => stream.loaded(Loaded::Missing),
            (Some(stream), false) if asked => stream.loaded(Loaded::Done),
            // A hint that led nowhere: all of the log is there, or its boundary names another snapshot.
            (_, true) => self.follow(Reader::of(&self.cluster)),
            (_, false) => self.follow(Reader::new(Point::behind(&manifest))),
        }
        self.save(true)
    }
}
