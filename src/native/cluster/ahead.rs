//! Objects of the log, fetched before they are asked for.

use super::get;
use crate::ledger::{GetAnswer, Key, Place};
use crate::native::bucket::Bucket;
use std::collections::VecDeque;
use tokio::task::JoinHandle;

/// The most requests ahead.
const DEPTH_MAX: usize = 16;

/// An answer, and what was wrong for people.
type Answered = (GetAnswer, Option<String>);

/// Fetches the numbers behind the one at hand, more of them the longer they are there.
///
/// Only what is found counts: that an object is missing is asked again when its turn comes.
pub(in crate::native) struct Ahead {
    bucket: Bucket,
    bytes_max: u64,
    depth: usize,
    longest: u64,
    flying: VecDeque<(Place, JoinHandle<Answered>)>,
}

impl Ahead {
    /// At most about `bytes_max` bytes are held.
    pub(in crate::native) fn new(bucket: Bucket, bytes_max: u64) -> Self {
        Self { bucket, bytes_max, depth: 0, longest: 1, flying: VecDeque::new() }
    }

    /// The object `key`, or what came of asking for it now.
    pub(in crate::native) async fn get(&mut self, key: Key) -> Answered {
        let Key::Object(place) = key else { return get(&self.bucket, key).await };
        let (answer, why) = match self.take(place).await {
            Some(bytes) => (bytes, None),
            None => get(&self.bucket, key).await,
        };
        match &answer {
            GetAnswer::Found(bytes) => {
                self.longest = self.longest.max(bytes.len() as u64);
                let fits = usize::try_from(self.bytes_max / self.longest).unwrap_or(DEPTH_MAX);
                self.depth = (self.depth * 2).clamp(1, DEPTH_MAX).min(fits);
                self.start(place);
            }
            GetAnswer::NotFound | GetAnswer::Failed => {
                self.depth = 0;
                self.clear();
            }
        }
        (answer, why)
    }

    async fn take(&mut self, place: Place) -> Option<GetAnswer> {
        if self.flying.front().is_some_and(|(first, _)| *first != place) {
            self.clear();
        }
        let (_, flying) = self.flying.pop_front()?;
        match flying.await {
            Ok((answer @ GetAnswer::Found(_), _)) => Some(answer),
            _ => None,
        }
    }

    fn start(&mut self, place: Place) {
        // The next one alone is asked for when its turn comes: until then it may have been written.
        let depth = if self.depth < 2 { 0 } else { self.depth };
        let mut next = self.flying.back().map_or(place, |(last, _)| *last).next();
        while self.flying.len() < depth {
            let (bucket, key) = (self.bucket.clone(), next.key());
            self.flying.push_back((next, tokio::spawn(async move { get(&bucket, key).await })));
            next = next.next();
        }
    }

    fn clear(&mut self) {
        self.flying.drain(..).for_each(|(_, flying)| flying.abort());
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.clear();
    }
}
