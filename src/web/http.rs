//! One request: its answer, its retries, its count.

use super::failure::{Failure, FailureKind};
use super::js;
use bytes::Bytes;
use std::cell::Cell;
use std::ops::Range;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{RequestInit, Response};

/// Requests for the same bytes, at most, before it counts as a failure.
const TRIES: u32 = 5;
/// Fewer where this origin has never answered: a refusal by CORS doesn't heal.
const TRIES_UNSEEN: u32 = 2;
/// Wait before the second request, milliseconds; it doubles from there.
const BACK_OFF_MS: f64 = 200.0;
/// Longest wait that a server may ask for by `Retry-After`.
const BACK_OFF_MAX_MS: f64 = 10_000.0;
/// An answer that takes longer than this is given up.
const TIMEOUT_MS: u32 = 120_000;

/// What a server answered.
#[derive(Debug)]
pub enum Answer {
    /// The part that was asked for, or the beginning of it where the file ends before.
    Part {
        /// The content.
        bytes: Bytes,
        /// The file's size, where the server tells (across origins only if it exposes `Content-Range`).
        total: Option<u64>,
    },
    /// The whole file, as an answer to a request for all of it or from a server without ranges.
    Whole(Bytes),
    /// The file ends before the part.
    Beyond {
        /// The file's size, where the server tells.
        total: Option<u64>,
    },
    /// There is no such file.
    Absent,
}

/// What was asked of servers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Requests sent, the repeated ones included.
    pub requests: u32,
    /// Bytes of bodies received.
    pub bytes: u64,
    /// Requests that were repeated.
    pub retries: u32,
}

/// Sends requests, repeats those that fail for a reason that may pass, and counts.
#[derive(Debug, Default)]
pub struct Client {
    counts: Cell<Counts>,
    /// True once any request was answered.
    reached: Cell<bool>,
    /// True once a request for a part was answered: browsers may ask the server's leave for those alone.
    reached_by_range: Cell<bool>,
}

impl Client {
    /// What was asked so far.
    pub fn counts(&self) -> Counts {
        self.counts.get()
    }

    /// Gets a file, or a part of it.
    ///
    /// # Errors
    /// [`FailureKind::Network`] where no answer came, or none that helps, after several tries.
    pub async fn get(&self, url: &str, range: Option<Range<u64>>) -> Result<Answer, Failure> {
        let response = match self.answered(url, "GET", range.as_ref()).await? {
            Reply::Body(response, bytes) => (response, bytes),
            Reply::Absent => return Ok(Answer::Absent),
            Reply::Beyond(response) => {
                return Ok(Answer::Beyond { total: content_range(&response).and_then(|r| r.1) });
            }
        };
        let (response, bytes) = response;
        let Some(range) = range.filter(|_| response.status() == 206) else { return Ok(Answer::Whole(bytes)) };
        let told = content_range(&response);
        if let Some((Some(first), _)) = told
            && first != range.start
        {
            let message = format!("asked for bytes from {}, got bytes from {first}", range.start);
            return Err(Failure::new(FailureKind::Network, message).at_url(url));
        }
        let short = (bytes.len() as u64) < range.end - range.start;
        let end = short.then_some(range.start + bytes.len() as u64);
        Ok(Answer::Part { bytes, total: told.and_then(|r| r.1).or(end) })
    }

    /// The size of a file, asked for alone; `None` if it does not exist.
    ///
    /// # Errors
    /// As [`get`](Self::get), and where the server does not tell.
    pub async fn size(&self, url: &str) -> Result<Option<u64>, Failure> {
        let Reply::Body(response, _) = self.answered(url, "HEAD", None).await? else { return Ok(None) };
        let length = header(&response, "content-length").and_then(|text| text.trim().parse().ok());
        length.map(Some).ok_or_else(|| {
            let message = "the server does not tell the file's size; allow it to expose Content-Range and Content-Length";
            Failure::new(FailureKind::Network, message).at_url(url)
        })
    }

    async fn answered(&self, url: &str, method: &str, range: Option<&Range<u64>>) -> Result<Reply, Failure> {
        let mut wait = BACK_OFF_MS;
        let mut tried = 0;
        loop {
            tried += 1;
            let (failure, asked) = match self.once(url, method, range).await {
                Ok(reply) => return Ok(reply),
                Err(Trouble::Lasting(failure)) => return Err(failure),
                Err(Trouble::Passing(failure, asked)) => (failure, asked),
            };
            let seen = if range.is_some() { &self.reached_by_range } else { &self.reached };
            let tries = if seen.get() { TRIES } else { TRIES_UNSEEN };
            if tried >= tries {
                return Err(failure);
            }
            // Requests that failed together should not come back together.
            let spread = 0.75 + js_sys::Math::random() / 2.0;
            js::sleep(asked.unwrap_or(wait * spread).min(BACK_OFF_MAX_MS)).await;
            wait *= 2.0;
            self.count(|counts| counts.retries += 1);
        }
    }

    async fn once(&self, url: &str, method: &str, range: Option<&Range<u64>>) -> Result<Reply, Trouble> {
        self.count(|counts| counts.requests += 1);
        let response = match js::fetch(url, &request(method, range)).await {
            Ok(response) => response,
            Err(thrown) => return Err(Trouble::Passing(self.unanswered(url, &thrown), None)),
        };
        self.reached.set(true);
        self.reached_by_range.set(self.reached_by_range.get() || range.is_some());
        let refused = |message: &str| {
            let message = format!("the server answered {}: {message}", response.status());
            let failure = Failure::new(FailureKind::Network, message).at_url(url);
            Failure { status: Some(response.status()), ..failure }
        };
        match response.status() {
            200 | 206 => {
                let bytes = if method == "HEAD" { Ok(Bytes::new()) } else { body(&response).await };
                let bytes = bytes.map_err(|thrown| {
                    let message = format!("the answer broke off: {}", js::describe(&thrown));
                    Trouble::Passing(Failure::new(FailureKind::Network, message).at_url(url), None)
                })?;
                self.count(|counts| counts.bytes += bytes.len() as u64);
                Ok(Reply::Body(response, bytes))
            }
            404 | 410 => Ok(Reply::Absent),
            416 => Ok(Reply::Beyond(response)),
            408 | 425 | 429 | 500 | 502 | 503 | 504 => {
                let asked = header(&response, "retry-after").and_then(|text| text.trim().parse::<f64>().ok());
                Err(Trouble::Passing(refused("it is in trouble"), asked.map(|seconds| seconds * 1_000.0)))
            }
            401 | 403 => Err(Trouble::Lasting(refused("access is not allowed"))),
            _ => Err(Trouble::Lasting(refused(&response.status_text()))),
        }
    }

    /// `fetch` tells a page nothing about why it failed; say what it can have been.
    fn unanswered(&self, url: &str, thrown: &JsValue) -> Failure {
        let said = js::describe(thrown);
        let message = if self.reached.get() {
            format!("no answer ({said}): the connection was lost, or the server forbids this request (CORS)")
        } else {
            format!(
                "no answer ({said}): the server does not exist or is down, or it does not allow this page to \
                 read from it (CORS: it must send Access-Control-Allow-Origin)"
            )
        };
        Failure::new(FailureKind::Network, message).at_url(url)
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }
}

enum Reply {
    Body(Response, Bytes),
    Absent,
    Beyond(Response),
}

enum Trouble {
    /// May pass: try again, after this many milliseconds if the server said so.
    Passing(Failure, Option<f64>),
    Lasting(Failure),
}

fn request(method: &str, range: Option<&Range<u64>>) -> RequestInit {
    let init = RequestInit::new();
    init.set_method(method);
    // QuestDB writes through memory maps, which move neither times nor tags: no copy of before will do.
    let _ = js_sys::Reflect::set(&init, &"cache".into(), &"no-store".into());
    init.set_signal(Some(&web_sys::AbortSignal::timeout_with_u32(TIMEOUT_MS)));
    if let Some(range) = range {
        let headers = js_sys::Object::new();
        let value = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
        // Setting a property of a plain object does not fail.
        let _ = js_sys::Reflect::set(&headers, &"Range".into(), &value.into());
        init.set_headers(&headers);
    }
    init
}

async fn body(response: &Response) -> Result<Bytes, JsValue> {
    let buffer = JsFuture::from(response.array_buffer()?).await?;
    Ok(js_sys::Uint8Array::new(&buffer).to_vec().into())
}

fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name).ok()?
}

/// First byte and total size of a `Content-Range`, as far as it tells.
fn content_range(response: &Response) -> Option<(Option<u64>, Option<u64>)> {
    let text = header(response, "content-range")?;
    let (span, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
    let first = span.split_once('-').and_then(|(first, _)| first.parse().ok());
    Some((first, total.parse().ok()))
}
