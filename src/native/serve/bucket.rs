//! A `db` directory as a static bucket, for pages of any origin.

use super::range::Part;
use super::reply;
use crate::native::disk;
use crate::native::index::{self, Index};
use axum::body::Body;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

/// Of every file, whatever its name: what lies in a database is data and never runs as a page of ours.
const MEDIA: &str = "application/octet-stream";
/// Files up to this size get a tag of their content; segments' files end at 50 MiB.
const HASHED_MAX: u64 = 64 << 20;
/// How long a computed tag is given again: shortly for a file that was written lately.
const TAG_FRESH: Duration = Duration::from_secs(1);
const TAG_SETTLED: Duration = Duration::from_secs(30);
const SETTLED_AFTER: Duration = Duration::from_secs(3600);
/// Tags remembered at a time.
const TAGS_MAX: usize = 4096;

/// The directory that is served.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    dir: Arc<Dir>,
    tags: Arc<Mutex<HashMap<String, Known>>>,
}

/// A tag with what it was computed from.
#[derive(Debug, Clone)]
struct Known {
    tag: String,
    len: u64,
    modified: SystemTime,
    at: Instant,
}

/// An open file with the length that this answer promises, however the file grows meanwhile.
struct Opened {
    file: std::fs::File,
    len: u64,
    modified: SystemTime,
    tag: String,
}

impl Bucket {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let dir = Dir::open_ambient_dir(root, ambient_authority())?;
        Ok(Self { dir: Arc::new(dir), tags: Arc::default() })
    }

    /// Answers a GET or HEAD of `path`, which is relative to the directory and decoded.
    pub(super) async fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response {
        if path == index::NAME {
            return self.answer_index(method, headers).await;
        }
        let (bucket, name) = (self.clone(), path.to_owned());
        match tokio::task::spawn_blocking(move || bucket.look_up(&name)).await {
            Ok(Ok(opened)) => send(method, path, headers, opened).await,
            Ok(Err(error)) => refuse(path, &error),
            Err(_) => reply::text(StatusCode::INTERNAL_SERVER_ERROR, "the file could not be read\n"),
        }
    }

    /// The listing as it is now; an index file in the directory would be as old as its last run.
    async fn answer_index(&self, method: &Method, headers: &HeaderMap) -> Response {
        let dir = Arc::clone(&self.dir);
        let scan = move || {
            let index = Index::scan(&dir, &mut Vec::new())?;
            let mut text = Vec::new();
            index.write_text(&mut text)?;
            io::Result::Ok(text)
        };
        match tokio::task::spawn_blocking(scan).await {
            Ok(Ok(text)) => reply::bytes(method, headers, "application/json", text.into(), None),
            Ok(Err(error)) => refuse(index::NAME, &error),
            Err(_) => reply::text(StatusCode::INTERNAL_SERVER_ERROR, "the directory could not be listed\n"),
        }
    }

    fn look_up(&self, path: &str) -> io::Result<Opened> {
        disk::check(path).ok().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let mut file = disk::open_file(&self.dir, path)?.into_std();
        let meta = file.metadata()?;
        let (len, modified) = (meta.len(), meta.modified()?);
        let tag = self.tag(path, &mut file, len, modified)?;
        Ok(Opened { file, len, modified, tag })
    }

    /// QuestDB writes through memory maps, which move the time of modification only now and then: a tag
    /// made of length and time would call changed bytes unchanged.
    fn tag(
        &self,
        path: &str,
        file: &mut std::fs::File,
        len: u64,
        modified: SystemTime,
    ) -> io::Result<String> {
        if len > HASHED_MAX {
            let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            return Ok(format!("W/\"{len:x}-{:x}\"", since.as_nanos()));
        }
        let settled = modified.elapsed().is_ok_and(|age| age > SETTLED_AFTER);
        let lasts = if settled { TAG_SETTLED } else { TAG_FRESH };
        let known = self.tags.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some(known) = known
            && (known.len, known.modified) == (len, modified)
            && known.at.elapsed() < lasts
        {
            return Ok(known.tag);
        }
        let at = Instant::now();
        let tag = format!("\"{len:x}-{:016x}\"", hash(file, len)?);
        let mut tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        if tags.len() >= TAGS_MAX {
            tags.clear();
        }
        tags.insert(path.to_owned(), Known { tag: tag.clone(), len, modified, at });
        Ok(tag)
    }
}

fn hash(file: &mut std::fs::File, len: u64) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut rest = file.take(len);
    loop {
        match rest.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            n => hasher.write(buffer.get(..n).unwrap_or_default()),
        }
    }
}

async fn send(method: &Method, path: &str, headers: &HeaderMap, opened: Opened) -> Response {
    let Opened { mut file, len, modified, tag } = opened;
    let part = Part::of(headers, len, &tag);
    let (first, end) = match part {
        Part::Whole => (0, len),
        Part::Slice { first, end } => (first, end),
        Part::Beyond | Part::Unchanged => (0, 0),
    };
    let mut response = reply::head(part, MEDIA, len, &tag);
    let date = httpdate::fmt_http_date(modified);
    if let Ok(date) = date.parse() {
        response = response.header::<_, header::HeaderValue>(header::LAST_MODIFIED, date);
    }
    let body = if method == Method::HEAD || first == end {
        Body::empty()
    } else if let Err(error) = file.seek(SeekFrom::Start(first)) {
        return refuse(path, &error);
    } else {
        let file = tokio::fs::File::from_std(file).take(end - first);
        Body::from_stream(ReaderStream::with_capacity(file, 256 << 10))
    };
    reply::build(response, body)
}

fn refuse(path: &str, error: &io::Error) -> Response {
    let status = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StatusCode::NOT_FOUND,
        // Links that leave the directory are answered like what can't be read.
        io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        io::ErrorKind::Other => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let reason = if status == StatusCode::NOT_FOUND { "no such file".to_owned() } else { error.to_string() };
    reply::text(status, &format!("{path}: {reason}\n"))
}
