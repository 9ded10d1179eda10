//! Requests, with patience.

use super::super::outcome::{Failure, Result};
use super::{Fetched, cache};
use crate::wal::{self, Error};
use bytes::Bytes;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::{Method, StatusCode, Url, header};
use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

/// Tries of one request before its error is told.
const TRIES: u32 = 5;
/// The first pause between two tries; each further one is twice as long, give or take a half.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause that a server can ask for.
const PAUSE_MAX: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a whole answer: the longest file at 10 Mbit/s.
const GET_TIMEOUT: Duration = Duration::from_secs(230);
/// Without ranges a file is fetched whole up to this length.
const WHOLE_MAX: u64 = 256 << 20;

/// What a server has at a path.
#[derive(Debug)]
pub(super) enum Answer {
    Absent,
    /// The file ends before the range.
    Beyond {
        len: u64,
    },
    Range {
        first: u64,
        bytes: Bytes,
        /// Of the file.
        len: u64,
    },
    /// In a temporary file without a name.
    Whole {
        file: File,
        len: u64,
    },
}

/// Why one try failed.
enum Trouble {
    /// Another try may succeed, after this pause if the server said one.
    Passing(String, Option<Duration>),
    Lasting(String),
}

#[derive(Debug)]
pub(super) struct Fetcher {
    client: Client,
    base: Url,
}

impl Fetcher {
    pub(super) fn new(base: Url) -> Result<Self> {
        // An error means that somebody else chose a provider before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("understudy/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|error| Failure::failed(format!("can't set up HTTP: {}", chain(&error))))?;
        Ok(Self { client, base })
    }

    /// The URL without what could be secret.
    pub(super) fn shown(&self) -> String {
        let mut url = self.base.clone();
        url.set_query(None);
        url.set_fragment(None);
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.into()
    }

    /// Bytes `first .. end` of a file, as far as there are any.
    pub(super) fn get(&self, path: &str, first: u64, end: u64, spent: &mut Fetched) -> wal::Result<Answer> {
        let range = format!("bytes={first}-{}", end.saturating_sub(1));
        self.patiently(path, spent, |spent| {
            let request = self.request(Method::GET, path).header(header::RANGE, &range).timeout(GET_TIMEOUT);
            receive(request.send().map_err(|error| sending(&error))?, first, end, spent)
        })
    }

    /// A file's length; `None` if the server doesn't tell.
    pub(super) fn head(&self, path: &str, spent: &mut Fetched) -> wal::Result<Option<u64>> {
        let answer = self.patiently(path, spent, |_| {
            let request = self.request(Method::HEAD, path).timeout(HEAD_TIMEOUT);
            let response = request.send().map_err(|error| sending(&error))?;
            match response.status() {
                StatusCode::OK if is_page(&response) => Ok(Some(Answer::Absent)),
                StatusCode::OK => Ok(length(&response).map(|len| Answer::Beyond { len })),
                StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Some(Answer::Absent)),
                StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED | StatusCode::FORBIDDEN => {
                    Ok(None)
                }
                status => Err(refused(status, &response)),
            }
        })?;
        match answer {
            Some(Answer::Beyond { len }) => Ok(Some(len)),
            Some(_) => Err(Error::Absent { file: path.into() }),
            None => Ok(None),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path.split('/'));
        }
        // Lengths and ranges are those of the stored bytes.
        self.client.request(method, url).header(header::ACCEPT_ENCODING, "identity")
    }

    fn patiently<T>(
        &self,
        path: &str,
        spent: &mut Fetched,
        mut attempt: impl FnMut(&mut Fetched) -> std::result::Result<T, Trouble>,
    ) -> wal::Result<T> {
        let mut pause = PAUSE;
        let mut tried = 1;
        loop {
            spent.requests += 1;
            let message = match attempt(spent) {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Passing(message, asked)) if tried < TRIES => {
                    tracing::debug!(path, tried, message, "trying again");
                    // Readers that failed together must not come back together.
                    let jitter = 0.5 + fastrand::f64();
                    std::thread::sleep(asked.unwrap_or_else(|| pause.mul_f64(jitter)).min(PAUSE_MAX));
                    (pause, tried, spent.retries) = (pause * 2, tried + 1, spent.retries + 1);
                    continue;
                }
                Err(Trouble::Passing(message, _)) => format!("{message} (tried {TRIES} times)"),
                Err(Trouble::Lasting(message)) => message,
            };
            return Err(Error::Io {
                file: path.into(),
                message: format!("{}: {message}", self.shown()).into(),
            });
        }
    }
}

fn receive(
    response: Response,
    first: u64,
    end: u64,
    spent: &mut Fetched,
) -> std::result::Result<Answer, Trouble> {
    match response.status() {
        StatusCode::PARTIAL_CONTENT => receive_range(response, first, end, spent),
        // A server of single-page applications answers its page for whatever is missing.
        StatusCode::OK if is_page(&response) => Ok(Answer::Absent),
        StatusCode::OK => receive_whole(response, spent),
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Answer::Absent),
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let range = text(&response, header::CONTENT_RANGE);
            match range.and_then(|range| range.rsplit_once('/')?.1.trim().parse().ok()) {
                Some(len) => Ok(Answer::Beyond { len }),
                // Some answer this to any range of an empty file, without a length.
                None if first == 0 => Ok(Answer::Beyond { len: 0 }),
                None => Err(Trouble::Lasting(
                    "the server refused the range without saying how long the file is".into(),
                )),
            }
        }
        status => Err(refused(status, &response)),
    }
}

fn receive_range(
    response: Response,
    first: u64,
    end: u64,
    spent: &mut Fetched,
) -> std::result::Result<Answer, Trouble> {
    if text(&response, header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Trouble::Lasting(
            "the server compresses ranges; switch compression off for this directory".into(),
        ));
    }
    let bounds = text(&response, header::CONTENT_RANGE).and_then(|range| {
        let (span, len) = range.strip_prefix("bytes ")?.split_once('/')?;
        let (lo, hi) = span.split_once('-')?;
        Some((
            lo.trim().parse::<u64>().ok()?,
            hi.trim().parse::<u64>().ok()?,
            len.trim().parse::<u64>().ok()?,
        ))
    });
    let (lo, hi, len) = match bounds {
        Some((lo, hi, len)) if lo == first && hi < end && hi >= lo && hi < len => (lo, hi, len),
        _ => {
            let range = text(&response, header::CONTENT_RANGE).unwrap_or_default().to_owned();
            return Err(Trouble::Lasting(format!(
                "asked for bytes {first}-{}, the server sent {range:?}",
                end - 1
            )));
        }
    };
    let wanted = hi - lo + 1;
    if wanted > cache::REQUEST_MAX {
        return Err(Trouble::Lasting(format!("the server sent {wanted} bytes, more than were asked for")));
    }
    let mut bytes = Vec::new();
    response.take(wanted + 1).read_to_end(&mut bytes).map_err(|error| receiving(&error))?;
    spent.bytes += bytes.len() as u64;
    if bytes.len() as u64 != wanted {
        return Err(Trouble::Passing(format!("got {} of {wanted} bytes", bytes.len()), None));
    }
    Ok(Answer::Range { first, bytes: bytes.into(), len })
}

fn receive_whole(response: Response, spent: &mut Fetched) -> std::result::Result<Answer, Trouble> {
    let told = length(&response);
    let too_long = || {
        Trouble::Lasting(format!(
            "the server does not honour ranges and the file is longer than {} MiB; serve the directory with ranges, \
             e.g. by `understudy serve DIR`",
            WHOLE_MAX >> 20
        ))
    };
    if told.is_some_and(|len| len > WHOLE_MAX) {
        return Err(too_long());
    }
    let spool =
        |error: io::Error| Trouble::Lasting(format!("can't keep a copy in the temporary directory: {error}"));
    let mut file = tempfile::tempfile().map_err(spool)?;
    let mut body = response.take(WHOLE_MAX + 1);
    let mut buffer = vec![0; 64 << 10];
    let mut len = 0;
    loop {
        let n = body.read(&mut buffer).map_err(|error| receiving(&error))?;
        if n == 0 {
            break;
        }
        io::Write::write_all(&mut file, buffer.get(..n).unwrap_or_default()).map_err(spool)?;
        len += n as u64;
        spent.bytes += n as u64;
    }
    if len > WHOLE_MAX {
        return Err(too_long());
    }
    match told {
        Some(told) if told != len => Err(Trouble::Passing(format!("got {len} of {told} bytes"), None)),
        _ => Ok(Answer::Whole { file, len }),
    }
}

/// A status that is no answer.
fn refused(status: StatusCode, response: &Response) -> Trouble {
    let asked = || {
        let seconds = text(response, header::RETRY_AFTER)?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    };
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Trouble::Passing(format!("the server answered {status}"), asked())
        }
        status if status.is_server_error() => Trouble::Passing(format!("the server answered {status}"), asked()),
        StatusCode::FORBIDDEN => Trouble::Lasting(
            "the server answered 403 Forbidden (buckets answer this for missing files too, unless listing is \
             allowed; with an index, written by `understudy index`, no missing file is asked for)"
                .into(),
        ),
        StatusCode::UNAUTHORIZED => {
            Trouble::Lasting("the server wants a login; give it in the URL: https://user:password@host/db".into())
        }
        status => Trouble::Lasting(format!("the server answered {status}")),
    }
}

fn sending(error: &reqwest::Error) -> Trouble {
    let message = chain(error);
    // Neither a refused connection nor an unknown host gets better by asking at once again, but both pass.
    if error.is_builder() || error.is_redirect() {
        Trouble::Lasting(message)
    } else {
        Trouble::Passing(message, None)
    }
}

fn receiving(error: &io::Error) -> Trouble {
    Trouble::Passing(format!("the answer broke off: {}", chain(error)), None)
}

/// An error's innermost cause says what happened; the outer ones repeat the URL, which may hold a password.
fn chain(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

fn is_page(response: &Response) -> bool {
    text(response, header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"))
}

fn length(response: &Response) -> Option<u64> {
    text(response, header::CONTENT_LENGTH)?.parse().ok()
}

fn text(response: &Response, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}
