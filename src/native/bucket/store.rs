//! A [`Bucket`]: keys are checked, requests limited, repeated with growing pauses, and timed out.

use super::answer::{GetAnswer, PutAnswer, Trouble, TroubleKind};
use super::limits::RequestLimits;
use super::observe::{Answer, Observe, Op, Outcome, Tried};
use bytes::Bytes;
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Longest key, in bytes. S3 takes 1024; the rest is for the root that stands before it.
pub const KEY_BYTES_MAX: usize = 512;
/// Longest part of a key between two slashes, in bytes: what file systems take.
pub const KEY_PART_BYTES_MAX: usize = 200;
/// Largest object that is read or written, in bytes.
pub const OBJECT_BYTES_MAX: u64 = 1 << 30;

/// One cluster's place in an object store. Cheap to clone; clones share limits and connections.
///
/// Keys are relative to the root of the connection string: parts of ASCII letters, digits and `-_=.`
/// between slashes, none beginning with a dot. Every other key is refused, by every store alike.
///
/// Each call repeats a try that came to nothing, as [`RequestLimits`] say, with the same bytes.
/// `object_store`'s own repetition is switched off, so that every try is seen here. That does not make
/// [`PutAnswer::Taken`] trustworthy: the first try may have landed unanswered, and the second then
/// finds the key taken, by us. A caller that gets `Taken` reads the object and compares.
#[derive(Clone)]
pub struct Bucket {
    inner: Arc<Inner>,
}

struct Inner {
    place: String,
    store: Box<dyn Store>,
    limits: RequestLimits,
    all: Semaphore,
    repeated: Semaphore,
    observer: OnceLock<Arc<dyn Observe>>,
}

/// What a kind of store does: one try each, without patience.
pub(super) trait Store: fmt::Debug + Send + Sync {
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes, mode: Mode) -> Pending<'a, Result<Put, Trouble>>;
    /// `None` if nothing is there; a range that reaches over the end is cut there.
    fn get<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
        limits: &'a RequestLimits,
    ) -> Pending<'a, Result<Option<Bytes>, Trouble>>;
    fn head<'a>(&'a self, key: &'a str) -> Pending<'a, Result<Option<u64>, Trouble>>;
    /// No error if nothing is there.
    fn delete<'a>(&'a self, key: &'a str) -> Pending<'a, Result<(), Trouble>>;
}

pub(super) type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What may become of what is at the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    IfAbsent,
    Overwrite,
}

/// How a try to put ended, trouble aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    Stored,
    Taken,
}

impl Bucket {
    /// A bucket on this store; `place` is what messages call it.
    pub(super) fn new(place: String, store: Box<dyn Store>, limits: RequestLimits) -> Self {
        let all = Semaphore::new(limits.parallel_max());
        let repeated = Semaphore::new(limits.batch_slow_max.max(1));
        let observer = OnceLock::new();
        Self { inner: Arc::new(Inner { place, store, limits, all, repeated, observer }) }
    }

    /// Tells this one of every try from now on, also of clones. Only the first is taken.
    #[must_use]
    pub fn observed(self, observer: Arc<dyn Observe>) -> Self {
        // A second observer would count what the first has counted.
        let _ = self.inner.observer.set(observer);
        self
    }

    /// Puts an object where none is: the one operation that decides anything.
    ///
    /// All or nothing: no reader ever sees a part of it. If the future is dropped before it ends, the
    /// put is unsettled.
    pub async fn put_if_absent(&self, key: &str, bytes: Bytes) -> PutAnswer {
        match self.put_as(key, bytes, Mode::IfAbsent).await {
            Ok(Put::Stored) => PutAnswer::Stored,
            Ok(Put::Taken) => PutAnswer::Taken,
            Err(trouble) => trouble.into(),
        }
    }

    /// Puts an object, whatever is there: for hints such as `head.json`, which nothing depends on.
    ///
    /// # Errors
    ///
    /// What went wrong; unless it is refused, the bytes may be there or get there.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), Trouble> {
        self.put_as(key, bytes, Mode::Overwrite).await.map(|_stored| ())
    }

    /// The object's bytes.
    pub async fn get(&self, key: &str) -> GetAnswer {
        self.read(key, None).await
    }

    /// Bytes `range.start .. range.end` of an object, as far as it has any: none at or after its end.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> GetAnswer {
        if range.is_empty() {
            // No store takes a range of nothing; whether the object is there can still be told.
            return match self.head(key).await {
                GetAnswer::Found(_) => GetAnswer::Found(Bytes::new()),
                GetAnswer::NotFound => GetAnswer::NotFound,
                GetAnswer::Failed(trouble) => GetAnswer::Failed(trouble),
            };
        }
        if range.end - range.start > OBJECT_BYTES_MAX {
            return GetAnswer::Failed(too_large(range.end - range.start));
        }
        self.read(key, Some(range)).await
    }

    /// The object's size in bytes.
    ///
    /// S3 and Google do not say in answer to this whether the bucket is missing or the object:
    /// [`GetAnswer::NotFound`] may be either.
    pub async fn head(&self, key: &str) -> GetAnswer<u64> {
        let inner = &*self.inner;
        let head = || inner.limits.within(0, inner.store.head(key));
        self.patiently(Op::Head, 0, key, head).await.into()
    }

    /// Removes an object; no error if nothing is there.
    ///
    /// # Errors
    ///
    /// What went wrong; the object may be gone all the same.
    pub async fn delete(&self, key: &str) -> Result<(), Trouble> {
        let inner = &*self.inner;
        self.patiently(Op::Delete, 0, key, || inner.limits.within(0, inner.store.delete(key))).await
    }

    /// Where this is, without credentials.
    pub fn place(&self) -> &str {
        &self.inner.place
    }

    async fn put_as(&self, key: &str, bytes: Bytes, mode: Mode) -> Result<Put, Trouble> {
        let size = bytes.len() as u64;
        if size > OBJECT_BYTES_MAX {
            return Err(too_large(size));
        }
        let inner = &*self.inner;
        let put = || inner.limits.within(size, inner.store.put(key, bytes.clone(), mode));
        let op = match mode {
            Mode::IfAbsent => Op::PutIfAbsent,
            Mode::Overwrite => Op::Put,
        };
        self.patiently(op, size, key, put).await
    }

    async fn read(&self, key: &str, range: Option<Range<u64>>) -> GetAnswer {
        let inner = &*self.inner;
        // The store itself watches the time: only it learns how many bytes there are.
        self.patiently(Op::Get, 0, key, || inner.store.get(key, range.clone(), &inner.limits)).await.into()
    }

    /// Tries until there is an answer that another try would not change, or there have been enough.
    /// `sends` is the object's bytes if it is one that is sent.
    async fn patiently<T, F>(
        &self,
        op: Op,
        sends: u64,
        key: &str,
        request: impl Fn() -> F,
    ) -> Result<T, Trouble>
    where
        T: Answer,
        F: Future<Output = Result<T, Trouble>>,
    {
        check(key)?;
        let inner = &*self.inner;
        let (mut tries, mut may_land) = (0, false);
        loop {
            let answer = {
                let _turn = inner.turn(tries).await;
                let begun = Instant::now();
                let answer = request().await;
                inner.tell(op, sends, begun, &answer);
                answer
            };
            tries += 1;
            let Err(mut trouble) = answer else { return answer };
            may_land |= trouble.may_land;
            if !trouble.is_passing() || tries > inner.limits.retry_attempts {
                trouble.tries = tries;
                trouble.may_land = may_land;
                trouble.why = format!("{} {key}: {}", inner.place, trouble.why);
                return Err(trouble);
            }
            tokio::time::sleep(inner.limits.pause(tries, fastrand::f64())).await;
        }
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.inner.place).finish()
    }
}

impl Inner {
    /// Tells the observer, if there is one.
    fn tell<T: Answer>(&self, op: Op, sends: u64, begun: Instant, answer: &Result<T, Trouble>) {
        let Some(observer) = self.observer.get() else { return };
        let outcome = Outcome::of(answer);
        let sent = if outcome == Outcome::Ok { sends } else { 0 };
        let received = answer.as_ref().map_or(0, Answer::bytes);
        observer.answered(Tried { op, outcome, took: begun.elapsed(), bytes: sent + received });
    }

    /// Waits for a turn. Tries after the first also wait for one of the few turns that a store in
    /// trouble is given.
    async fn turn(&self, tries: u32) -> (Option<SemaphorePermit<'_>>, Option<SemaphorePermit<'_>>) {
        // Neither is ever closed; if it were, nothing would be limited.
        let repeated = if tries == 0 { None } else { self.repeated.acquire().await.ok() };
        (repeated, self.all.acquire().await.ok())
    }
}

/// Keys that all stores take alike.
fn check(key: &str) -> Result<(), Trouble> {
    let bad = |what: &str| Err(Trouble::new(TroubleKind::Refused, format!("key '{key}' {what}")));
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return bad("is empty or too long");
    }
    for part in key.split('/') {
        if part.is_empty() || part.starts_with('.') || part.len() > KEY_PART_BYTES_MAX {
            return bad("has a part that is empty, too long, or begins with a dot");
        }
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./".contains(c);
    match key.chars().find(|c| !plain(*c)) {
        Some(odd) => bad(&format!("has {odd:?} in it; keys are of letters, digits and -_=.")),
        None => Ok(()),
    }
}

fn too_large(bytes: u64) -> Trouble {
    Trouble::refused(format!("{bytes} bytes are more than an object may have, {OBJECT_BYTES_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// Answers puts as it is told, and counts how many are under way.
    #[derive(Debug, Default)]
    struct Scripted {
        answers: Mutex<Vec<Result<Put, Trouble>>>,
        now: AtomicUsize,
        most: Arc<AtomicUsize>,
    }

    impl Store for Scripted {
        fn put<'a>(&'a self, _: &'a str, _: Bytes, _: Mode) -> Pending<'a, Result<Put, Trouble>> {
            Box::pin(async move {
                let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(now, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(5)).await;
                self.now.fetch_sub(1, Ordering::SeqCst);
                self.answers.lock().expect("not poisoned").pop().unwrap_or(Ok(Put::Stored))
            })
        }
        fn get<'a>(
            &'a self,
            _: &'a str,
            _: Option<Range<u64>>,
            _: &'a RequestLimits,
        ) -> Pending<'a, Result<Option<Bytes>, Trouble>> {
            Box::pin(async { Ok(None) })
        }
        fn head<'a>(&'a self, _: &'a str) -> Pending<'a, Result<Option<u64>, Trouble>> {
            Box::pin(std::future::pending())
        }
        fn delete<'a>(&'a self, _: &'a str) -> Pending<'a, Result<(), Trouble>> {
            Box::pin(async { Ok(()) })
        }
    }

    fn limits() -> RequestLimits {
        RequestLimits {
            base_timeout: Duration::from_millis(100),
            retry_interval: Duration::from_millis(1),
            ..RequestLimits::default()
        }
    }

    /// A bucket that gives these answers, the last first.
    fn bucket(answers: Vec<Result<Put, Trouble>>) -> Bucket {
        let store = Scripted { answers: Mutex::new(answers), ..Scripted::default() };
        Bucket::new("a store".into(), Box::new(store), limits())
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(work)
    }

    #[test]
    fn a_passing_trouble_is_tried_again_and_a_lasting_one_is_not() {
        let slow = || Err(Trouble::new(TroubleKind::SlowDown, "503"));
        let put = |answers| run(async { bucket(answers).put_if_absent("a/b", Bytes::new()).await });
        assert_eq!(put(vec![Ok(Put::Taken), slow(), slow()]), PutAnswer::Taken);
        let PutAnswer::SlowDown(trouble) = put(vec![slow(), slow(), slow(), slow(), slow()]) else {
            panic!("it is not settled");
        };
        assert_eq!((trouble.tries, trouble.why.as_str()), (4, "a store a/b: 503"));
        let PutAnswer::Refused(trouble) = put(vec![Ok(Put::Stored), Err(Trouble::refused("403"))]) else {
            panic!("it is refused");
        };
        assert_eq!((trouble.tries, trouble.may_land), (1, false));
    }

    #[test]
    fn a_refusal_does_not_hide_that_an_earlier_try_may_land() {
        let answers = vec![Err(Trouble::refused("403")), Err(Trouble::unsettled("reset"))];
        let answer = run(async { bucket(answers).put_if_absent("a", Bytes::new()).await });
        assert!(matches!(answer, PutAnswer::Refused(Trouble { may_land: true, tries: 2, .. })), "{answer:?}");
    }

    #[test]
    fn every_try_is_observed() {
        #[derive(Default)]
        struct Seen(Mutex<Vec<(Op, Outcome, u64)>>);
        impl Observe for Seen {
            fn answered(&self, tried: Tried) {
                assert!(tried.took < Duration::from_secs(60));
                self.0.lock().expect("not poisoned").push((tried.op, tried.outcome, tried.bytes));
            }
        }
        let seen = Arc::new(Seen::default());
        let slow = Err(Trouble::new(TroubleKind::SlowDown, "503"));
        let answers = vec![Ok(Put::Taken), slow, Ok(Put::Stored)];
        let bucket = bucket(answers).observed(seen.clone()).observed(Arc::new(Seen::default()));
        run(async {
            assert_eq!(bucket.put("a", Bytes::from_static(b"four")).await, Ok(()));
            let twice = bucket.clone().put_if_absent("a", Bytes::from_static(b"four")).await;
            assert_eq!(twice, PutAnswer::Taken);
            assert_eq!(bucket.get("a").await, GetAnswer::NotFound);
            assert_eq!(bucket.delete("a").await, Ok(()));
            // Never sent.
            assert!(bucket.delete("..").await.is_err());
        });
        let seen = seen.0.lock().expect("not poisoned").clone();
        let wanted = [
            (Op::Put, Outcome::Ok, 4),
            (Op::PutIfAbsent, Outcome::SlowDown, 0),
            (Op::PutIfAbsent, Outcome::Taken, 0),
            (Op::Get, Outcome::Absent, 0),
            (Op::Delete, Outcome::Ok, 0),
        ];
        assert_eq!(seen, wanted);
    }

    #[test]
    fn odd_keys_are_refused_before_anything_is_sent() {
        run(async {
            let bucket = bucket(Vec::new());
            for key in
                ["", "/a", "a/", "a//b", "..", "a/../b", ".hidden", "a/.tmp", "a b", "ä", "a\\b", "a%2f"]
            {
                let answer = bucket.put_if_absent(key, Bytes::new()).await;
                assert!(matches!(answer, PutAnswer::Refused(_)), "{key}: {answer:?}");
                assert!(matches!(bucket.get(key).await, GetAnswer::Failed(_)), "{key}");
            }
            assert_eq!(bucket.put_if_absent("log/1-a_b/x=1/0.pack", Bytes::new()).await, PutAnswer::Stored);
        });
    }

    #[test]
    fn no_request_waits_for_ever() {
        let answer = run(async { bucket(Vec::new()).head("a").await });
        let GetAnswer::Failed(trouble) = answer else { panic!("it never answers") };
        assert_eq!(
            trouble.to_string(),
            "no usable answer: a store a: no answer within 0.1 s (tried 4 times)"
        );
    }

    #[test]
    fn no_more_requests_run_than_are_allowed() {
        let most = Arc::new(AtomicUsize::new(0));
        let store = Scripted { most: Arc::clone(&most), ..Scripted::default() };
        let few = RequestLimits { concurrent_max: 3, base_timeout: Duration::from_secs(10), ..limits() };
        let bucket = Bucket::new("a store".into(), Box::new(store), few);
        run(async {
            let put = |n: usize| {
                let bucket = bucket.clone();
                async move { bucket.put_if_absent(&n.to_string(), Bytes::new()).await }
            };
            let set = tokio::task::LocalSet::new();
            let tasks: Vec<_> = (0..12).map(|n| set.spawn_local(put(n))).collect();
            set.await;
            for task in tasks {
                assert_eq!(task.await.expect("no panic"), PutAnswer::Stored);
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }
}
