//! The page's files: built into the program, or in a directory.

use super::reply;
use crate::native::outcome::{Failure, Result};
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use flate2::{Compression, write::GzEncoder};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The files of `dist` in the program that is shipped; else empty.
mod embedded {
    include!(concat!(env!("OUT_DIR"), "/page.rs"));
}

/// Where a build of the page is looked for when none is built in.
const BUILT: &str = "dist";
/// No file of the page is longer.
const FILE_MAX: u64 = 64 << 20;
/// Smaller files aren't worth compressing.
const GZIP_MIN: usize = 1024;

/// Where the page's files come from.
#[derive(Debug, Clone)]
pub(super) struct Page {
    origin: Origin,
    /// Compressed forms by path and length of the original.
    gzip: Arc<Mutex<HashMap<Original, Bytes>>>,
}

/// Path, length and time of change of a file.
type Original = (String, usize, u64);

#[derive(Debug, Clone)]
enum Origin {
    Embedded,
    Dir(Arc<Dir>),
    Absent,
}

impl Page {
    /// The directory asked for, else the files built in, else `dist` below the working directory.
    ///
    /// # Errors
    /// When the directory asked for is no build of the page.
    pub(super) fn find(asked: Option<&Path>) -> Result<Self> {
        let open = |path: &Path| Dir::open_ambient_dir(path, ambient_authority());
        let origin = if let Some(path) = asked {
            let failed = |error| Failure::failed(format!("{}: {error}", path.display()));
            let dir = open(path).map_err(failed)?;
            if !dir.is_file("index.html") {
                return Err(Failure::failed(format!("{} has no index.html", path.display()))
                    .advise("`make page` builds the page into dist"));
            }
            Origin::Dir(Arc::new(dir))
        } else if !embedded::FILES.is_empty() {
            Origin::Embedded
        } else {
            match open(Path::new(BUILT)) {
                Ok(dir) if dir.is_file("index.html") => Origin::Dir(Arc::new(dir)),
                _ => Origin::Absent,
            }
        };
        Ok(Self { origin, gzip: Arc::default() })
    }

    /// False if there is no page to serve.
    pub(super) fn is_there(&self) -> bool {
        !matches!(self.origin, Origin::Absent)
    }

    /// Answers a GET or HEAD of `path`, which is decoded and has no leading slash.
    pub(super) async fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response {
        if !self.is_there() {
            let advice = "This server has no page: the program was built without it.\n\
                          `make run` builds and serves it; `understudy serve --page DIR` takes one from a directory.\n";
            return reply::text(StatusCode::NOT_FOUND, advice);
        }
        let name = if path.is_empty() { "index.html" } else { path }.to_owned();
        let media = reply::media_type(&name);
        let zip = compressible(&name) && accepts_gzip(headers) && !headers.contains_key(header::RANGE);
        let page = self.clone();
        let found = tokio::task::spawn_blocking(move || {
            let body = page.load(&name)?;
            let zipped = (zip && body.len() >= GZIP_MIN).then(|| page.zipped(&name, &body)).flatten();
            Some((body, zipped))
        });
        match found.await.ok().flatten() {
            Some((_, Some(zipped))) => vary(reply::bytes(method, headers, media, zipped, Some("gzip"))),
            Some((body, None)) => vary(reply::bytes(method, headers, media, body, None)),
            None => reply::text(StatusCode::NOT_FOUND, &format!("{path}: the page has no such file\n")),
        }
    }

    fn load(&self, path: &str) -> Option<Bytes> {
        match &self.origin {
            Origin::Absent => None,
            Origin::Embedded => embedded::FILES
                .binary_search_by(|(name, _)| (*name).cmp(path))
                .ok()
                .and_then(|at| embedded::FILES.get(at))
                .map(|(_, body)| Bytes::from_static(body)),
            Origin::Dir(dir) => {
                crate::native::disk::check(path).ok()?;
                let mut body = Vec::new();
                let file = crate::native::disk::open_file(dir, path).ok()?;
                file.take(FILE_MAX).read_to_end(&mut body).ok()?;
                Some(body.into())
            }
        }
    }

    fn zipped(&self, path: &str, body: &Bytes) -> Option<Bytes> {
        use std::hash::{DefaultHasher, Hasher};
        let mut hasher = DefaultHasher::new();
        hasher.write(body);
        let key = (path.to_owned(), body.len(), hasher.finish());
        if let Some(known) = self.gzip.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Some(known.clone());
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
        encoder.write_all(body).ok()?;
        let zipped = Bytes::from(encoder.finish().ok()?);
        let mut cache = self.gzip.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= 256 {
            cache.clear();
        }
        cache.insert(key, zipped.clone());
        Some(zipped)
    }
}

/// Code and text; recordings are left alone, since readers ask for their lengths and ranges.
fn compressible(path: &str) -> bool {
    let extension = path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or("", |(_, e)| e);
    matches!(extension, "html" | "js" | "mjs" | "css" | "svg" | "wasm" | "map" | "webmanifest")
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted =
        headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim() == "gzip" && !weight.trim().trim_end_matches(['0', '.']).ends_with("q=")
    })
}

fn vary(mut response: Response) -> Response {
    response.headers_mut().append(header::VARY, header::HeaderValue::from_static("accept-encoding"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_where_accepted() {
        let accepts = |value: &'static str| {
            accepts_gzip(&HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.parse().unwrap())]))
        };
        assert!(accepts("gzip, deflate, br") && accepts("br;q=1.0, gzip;q=0.8"));
        assert!(!accepts("identity") && !accepts("gzip;q=0") && !accepts("gzip;q=0.0, br"));
        assert!(!accepts_gzip(&HeaderMap::new()));
        assert!(compressible("a/b.wasm") && !compressible("recording/trades~7/_txnlog"));
    }
}
