//! The cache of files, and what is wanted of them.

use super::crc32::crc32;
use super::dto;
use super::extents::Extents;
use super::failure::{Failure, FailureKind};
use super::http::Answer;
use super::origin::Origin;
use crate::wal::ordered::{gathered, sorted};
use crate::wal::{Error, Files, Result};
use bytes::Bytes;
use foldhash::fast::FixedState;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

/// Requests at a time. Browsers allow six connections to a server that speaks HTTP/1.1.
const PARALLEL: usize = 6;
/// Files up to this size are fetched whole.
const SMALL: u64 = 512 << 10;
/// Parts begin and end at multiples of this, so that neighbouring requests don't overlap.
const ALIGN: u64 = 64 << 10;
/// A part is at least this long; each one that follows on the last is twice as long, up to
/// [`AHEAD_MAX`]: a cursor that moves on through a file soon has what it needs next.
const AHEAD_MIN: u64 = 256 << 10;
/// See [`AHEAD_MIN`].
const AHEAD_MAX: u64 = 4 << 20;

/// A `db` directory whose bytes arrive while the engine waits: a cache, and the list of what is wanted.
///
/// A handle: clones share the cache.
#[derive(Clone)]
pub struct WebFiles(Rc<Shared>);

struct Shared {
    origin: Origin,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Every file with its size, where that is known beforehand.
    listing: Option<BTreeMap<String, u64>>,
    /// Looked up for every column of every transaction, so not by comparing long paths.
    files: HashMap<String, File, FixedState>,
    wants: BTreeMap<String, Want>,
    /// Why a file could not be read, until the next call.
    failures: BTreeMap<String, Failure>,
    /// Counts the engine's attempts, so that nothing which the last one used is let go.
    attempt: u64,
    limit: usize,
    /// Nothing is fetched but what was asked for.
    exact: bool,
    ranges_honoured: Option<bool>,
    files_read: u32,
    bytes_read: u64,
    /// Bytes in all extents.
    held: usize,
}

#[derive(Default)]
struct File {
    size: Size,
    extents: Extents,
    /// True once any of it arrived.
    read: bool,
    /// Bytes of it that arrived, those that came again included.
    arrived: u64,
    /// Of its content, if it came whole.
    crc32: Option<u32>,
    /// Where the last fetch ended, and how long the next one that follows on it is.
    reached: u64,
    ahead: u64,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Size {
    #[default]
    Unknown,
    Known(u64),
    Absent,
}

#[derive(Default)]
struct Want {
    size: bool,
    ranges: Vec<Range<u64>>,
}

/// One request to make.
struct Job {
    path: String,
    range: Option<Range<u64>>,
    /// Bytes that it will bring, where known.
    expected: Option<u64>,
}

/// What was really read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fetched {
    /// Files of which anything was read.
    pub files: u32,
    /// Bytes that arrived.
    pub bytes: u64,
    /// Whether the server answers requests for parts with parts; `None` while not known.
    pub ranges_honoured: Option<bool>,
    /// Bytes held in the cache.
    pub held: usize,
}

/// Told while bytes arrive: loaded so far since the directory was opened, and how many there will be once
/// all that is wanted now is here, where that is known; the file that came last.
pub type OnProgress = Rc<dyn Fn(u64, Option<u64>, &str)>;

impl WebFiles {
    /// Opens a directory; `limit` bounds the bytes that the cache holds beyond those in use.
    ///
    /// # Errors
    /// Those of [`Origin::listing`].
    pub async fn open(origin: Origin, limit: usize) -> std::result::Result<Self, Failure> {
        let listing = origin.listing().await?;
        let state = State { listing, limit, exact: origin.is_exact(), ..State::default() };
        Ok(Self(Rc::new(Shared { origin, state: RefCell::new(state) })))
    }

    /// Forgets all content: files that a server still writes have grown, and what was zero is written.
    ///
    /// # Errors
    /// Those of [`Origin::listing`].
    pub async fn renew(&self) -> std::result::Result<(), Failure> {
        let listing = self.0.origin.listing().await?;
        let state = &mut *self.0.state.borrow_mut();
        state.files.retain(|_, file| file.read);
        #[expect(clippy::iter_over_hash_type, reason = "each by itself")]
        for (path, file) in &mut state.files {
            let size = known_size(listing.as_ref(), path);
            *file =
                File { size, read: file.read, arrived: file.arrived, crc32: file.crc32, ..File::default() };
        }
        state.listing = listing;
        state.held = 0;
        state.wants.clear();
        state.failures.clear();
        Ok(())
    }

    /// Where the bytes come from.
    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// True if every file is known beforehand.
    pub fn has_listing(&self) -> bool {
        self.0.state.borrow().listing.is_some()
    }

    /// What was read so far.
    pub fn fetched(&self) -> Fetched {
        let state = self.0.state.borrow();
        Fetched {
            files: state.files_read,
            bytes: state.bytes_read,
            ranges_honoured: state.ranges_honoured,
            held: state.held,
        }
    }

    /// The files of which anything was read, by path.
    pub fn read_files(&self) -> Vec<dto::ReadFile> {
        let state = self.0.state.borrow();
        let read = state.files.iter().filter(|(_, file)| file.read);
        let told = read.map(|(path, file)| dto::ReadFile {
            path: path.clone(),
            bytes: file.arrived as f64,
            size: if let Size::Known(size) = file.size { Some(size as f64) } else { None },
            crc32: file.crc32.map(|crc| format!("{crc:08x}")),
        });
        sorted(told.collect(), |a, b| a.path.cmp(&b.path))
    }

    /// Begins an attempt of the engine; what the last one did not use may go from now on.
    pub fn begin_attempt(&self) {
        self.0.state.borrow_mut().attempt += 1;
    }

    /// Forgets which files could not be read, so that they are asked for again.
    pub fn forget_failures(&self) {
        self.0.state.borrow_mut().failures.clear();
    }

    /// What is known of a failure here says more than what the engine was told.
    pub(super) fn failure_of(&self, error: Error) -> Failure {
        if let Error::Io { file, .. } = &error
            && let Some(failure) = self.failure(file)
        {
            return failure;
        }
        error.into()
    }

    /// Why a file could not be read.
    pub fn failure(&self, path: &str) -> Option<Failure> {
        self.0.state.borrow().failures.get(path).cloned()
    }

    /// Fetches all that was asked for; false if nothing was.
    ///
    /// A file that can't be had does not stop the others: the engine hears of it when it asks again.
    pub async fn fetch_wanted(&self, on_progress: Option<OnProgress>) -> bool {
        let jobs = self.0.state.borrow_mut().jobs();
        if jobs.is_empty() {
            return false;
        }
        let before = self.fetched().bytes;
        let expected = jobs.iter().map(|job| job.expected).sum::<Option<u64>>().map(|bytes| before + bytes);
        let queue = Rc::new(RefCell::new(VecDeque::from(jobs)));
        let lanes = js_sys::Array::new();
        for _ in 0..PARALLEL.min(queue.borrow().len()) {
            let (files, queue, on_progress) = (self.clone(), queue.clone(), on_progress.clone());
            lanes.push(&future_to_promise(async move {
                loop {
                    let Some(job) = queue.borrow_mut().pop_front() else { return Ok(JsValue::UNDEFINED) };
                    files.fetch(&job).await;
                    if let Some(tell) = &on_progress {
                        tell(files.fetched().bytes, expected, &job.path);
                    }
                }
            }));
        }
        // The lanes keep their failures to themselves.
        let _ = JsFuture::from(js_sys::Promise::all(&lanes)).await;
        self.0.state.borrow_mut().evict();
        true
    }

    async fn fetch(&self, job: &Job) {
        let shared = &*self.0;
        let ranges = shared.state.borrow().ranges_honoured;
        if ranges == Some(false) && shared.state.borrow().has(job) {
            return;
        }
        let range = job.range.clone().filter(|_| ranges != Some(false));
        let mut asked_again = false;
        let mut answer = shared.origin.get(&job.path, range.clone()).await;
        if range.is_some() && ranges.is_none() && answer.as_ref().is_err_and(is_silence) {
            asked_again = true;
            // Some hosts forbid other pages to ask for parts, and allow the whole.
            answer = shared.origin.get(&job.path, None).await;
        }
        // Without the size in the answer it takes a second question.
        let size = match &answer {
            Ok(Answer::Part { total: None, .. } | Answer::Beyond { total: None }) => {
                shared.origin.size(&job.path).await.map(|size| size.map_or(Size::Absent, Size::Known))
            }
            Ok(Answer::Part { total: Some(total), .. } | Answer::Beyond { total: Some(total) }) => {
                Ok(Size::Known(*total))
            }
            Ok(Answer::Whole(bytes)) => Ok(Size::Known(bytes.len() as u64)),
            Ok(Answer::Absent) => Ok(Size::Absent),
            Err(failure) => Err(failure.clone()),
        };
        let mut state = shared.state.borrow_mut();
        match (answer, size) {
            (Ok(answer), Ok(size)) => state.take(job, answer, size, asked_again),
            (_, Err(failure)) | (Err(failure), _) => state.refused(&job.path, failure),
        }
    }
}

/// What the listing says of a file.
fn known_size(listing: Option<&BTreeMap<String, u64>>, path: &str) -> Size {
    match listing {
        Some(listing) => listing.get(path).map_or(Size::Absent, |&size| Size::Known(size)),
        None => Size::Unknown,
    }
}

/// No answer at all, not even a refusal.
fn is_silence(failure: &Failure) -> bool {
    failure.kind == FailureKind::Network && failure.status.is_none()
}

impl Files for WebFiles {
    fn read(&self, path: &str, offset: u64, len: u64) -> Result<Bytes> {
        let mut state = self.0.state.borrow_mut();
        let attempt = state.attempt;
        let wanted = offset.saturating_add(len);
        // Mostly it is there: one look-up is enough then.
        if len > 0
            && state.failures.is_empty()
            && let Some(file) = state.files.get_mut(path)
            && let Some(bytes) = file.extents.read(offset..wanted, attempt)
        {
            return Ok(bytes);
        }
        let file = state.file(path)?;
        match file.size {
            Size::Absent => return Err(Error::Absent { file: path.into() }),
            Size::Known(size) if wanted > size => {
                return Err(Error::Short { file: path.into(), len: size, wanted });
            }
            _ => {}
        }
        if let Some(bytes) = file.extents.read(offset..wanted, attempt) {
            return Ok(bytes);
        }
        state.want(path).ranges.push(offset..wanted);
        Err(Error::Pending)
    }

    fn len(&self, path: &str) -> Result<u64> {
        let mut state = self.0.state.borrow_mut();
        match state.file(path)?.size {
            Size::Known(size) => Ok(size),
            Size::Absent => Err(Error::Absent { file: path.into() }),
            Size::Unknown => {
                state.want(path).size = true;
                Err(Error::Pending)
            }
        }
    }

    fn list(&self, dir: &str) -> Result<Option<Vec<String>>> {
        let state = self.0.state.borrow();
        let Some(listing) = &state.listing else { return Ok(None) };
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let below = listing.range(prefix.clone()..).map_while(|(path, _)| path.strip_prefix(&prefix));
        let names: BTreeSet<String> =
            gathered(below.filter_map(|rest| rest.split('/').next()).map(str::to_owned));
        Ok(Some(names.into_iter().collect()))
    }
}

impl State {
    /// The file, known or new.
    fn file(&mut self, path: &str) -> Result<&mut File> {
        if !self.failures.is_empty()
            && let Some(failure) = self.failures.get(path)
        {
            return Err(Error::Io { file: path.into(), message: failure.message.as_str().into() });
        }
        if !self.files.contains_key(path) {
            let size = known_size(self.listing.as_ref(), path);
            self.files.insert(path.to_owned(), File { size, ..File::default() });
        }
        self.files.get_mut(path).ok_or(Error::Pending)
    }

    fn want(&mut self, path: &str) -> &mut Want {
        self.wants.entry(path.to_owned()).or_default()
    }

    /// The requests that bring what is wanted.
    fn jobs(&mut self) -> Vec<Job> {
        let ranges_work = self.ranges_honoured != Some(false);
        let mut jobs = Vec::new();
        for (path, want) in std::mem::take(&mut self.wants) {
            let Some(file) = self.files.get_mut(&path) else { continue };
            let whole = match file.size {
                Size::Absent => continue,
                _ if self.exact => false,
                Size::Known(size) => size <= SMALL || !ranges_work,
                Size::Unknown => !ranges_work,
            };
            if whole {
                let expected = if let Size::Known(size) = file.size { Some(size) } else { None };
                jobs.push(Job { path, range: None, expected });
                continue;
            }
            for range in file.aligned(want, self.exact) {
                let expected = (file.size != Size::Unknown).then_some(range.end - range.start);
                jobs.push(Job { path: path.clone(), range: Some(range), expected });
            }
        }
        jobs
    }

    /// True if another request brought what this one is to bring.
    fn has(&self, job: &Job) -> bool {
        let (Some(range), Some(file)) = (&job.range, self.files.get(&job.path)) else { return false };
        matches!(file.size, Size::Known(size) if file.extents.missing(range.start..range.end.min(size)).is_empty())
    }

    fn take(&mut self, job: &Job, answer: Answer, size: Size, asked_again: bool) {
        let attempt = self.attempt;
        if let (Answer::Part { .. }, Some(_)) | (Answer::Beyond { .. }, _) = (&answer, &job.range) {
            self.ranges_honoured = Some(true);
        } else if let (Answer::Whole(bytes), Some(range)) = (&answer, &job.range)
            // A server may well answer with the whole of a file that is no longer than the part.
            && (range.end < bytes.len() as u64 || asked_again)
        {
            self.ranges_honoured = Some(false);
        }
        let Some(file) = self.files.get_mut(&job.path) else { return };
        file.size = size;
        let (offset, bytes) = match answer {
            Answer::Part { bytes, .. } => (job.range.as_ref().map_or(0, |range| range.start), bytes),
            Answer::Whole(bytes) => (0, bytes),
            Answer::Beyond { .. } | Answer::Absent => return,
        };
        self.held += file.extents.insert(offset, &bytes, attempt);
        self.files_read += u32::from(!std::mem::replace(&mut file.read, true));
        file.arrived += bytes.len() as u64;
        if offset == 0 && file.size == Size::Known(bytes.len() as u64) {
            file.crc32 = Some(crc32(&bytes));
        }
        self.bytes_read += bytes.len() as u64;
    }

    /// Notes a failure. Buckets that hide their listing answer 403 for what does not exist; once
    /// anything could be read, it is taken for that.
    fn refused(&mut self, path: &str, failure: Failure) {
        match self.files.get_mut(path) {
            Some(file) if failure.status == Some(403) && self.files_read > 0 => file.size = Size::Absent,
            _ => drop(self.failures.insert(path.to_owned(), failure)),
        }
    }

    /// Lets go of what was not used for longest, until the rest fits the limit.
    fn evict(&mut self) {
        if self.held <= self.limit {
            return;
        }
        let mut old: Vec<(u64, String, u64)> = Vec::new();
        #[expect(clippy::iter_over_hash_type, reason = "sorted below")]
        for (path, file) in &self.files {
            let unused = file.extents.parts().filter(|&(_, used, _)| used < self.attempt);
            old.extend(unused.map(|(offset, used, _)| (used, path.clone(), offset)));
        }
        for (_, path, offset) in sorted(old, Ord::cmp) {
            if self.held <= self.limit {
                return;
            }
            self.held -= self.files.get_mut(&path).map_or(0, |file| file.extents.remove(offset));
        }
    }
}

impl File {
    /// The missing parts of what is wanted, joined; unless `exact`, aligned and with what will be wanted next.
    fn aligned(&mut self, want: Want, exact: bool) -> Vec<Range<u64>> {
        let size = if let Size::Known(size) = self.size { size } else { u64::MAX };
        let mut wanted = want.ranges;
        if want.size && self.size == Size::Unknown && wanted.is_empty() {
            wanted.push(0..1);
        }
        let mut joined: Vec<Range<u64>> = Vec::new();
        for range in sorted(wanted, |a, b| a.start.cmp(&b.start)) {
            let start = range.start / ALIGN * ALIGN;
            let follows = start <= self.reached && range.end > self.reached && self.reached > 0;
            self.ahead = if follows { (self.ahead * 2).min(AHEAD_MAX) } else { AHEAD_MIN };
            let ahead = start.saturating_add(self.ahead);
            let end = range.end.max(ahead).checked_next_multiple_of(ALIGN).unwrap_or(u64::MAX).min(size);
            self.reached = end;
            let (start, end) = if exact { (range.start, range.end) } else { (start, end) };
            match joined.last_mut() {
                Some(last) if start <= last.end => last.end = last.end.max(end),
                _ => joined.push(start..end),
            }
        }
        joined.into_iter().flat_map(|range| self.extents.missing(range)).collect()
    }
}
