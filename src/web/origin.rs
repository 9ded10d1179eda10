//! Where bytes come from.

use super::failure::{Failure, FailureKind};
use super::http::{Answer, Client};
use super::js;
use crate::wal::ordered::gathered;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Url};

/// Where a `db` directory's bytes come from.
#[derive(Debug)]
pub enum Origin {
    /// A directory behind a web server.
    Web(WebOrigin),
    /// Dropped or picked files, or a bucket's.
    Blobs(Blobs),
}

/// Files by path: a `Map` of `Blob`s, looked at anew each time.
#[derive(Debug)]
pub struct Blobs {
    map: js_sys::Map,
    /// Only what is asked for may be read, see [`Origin::is_exact`].
    exact: bool,
}

/// A directory behind a web server.
#[derive(Debug)]
pub struct WebOrigin {
    base: Url,
    client: Client,
}

/// The name of the listing that `understudy index` writes.
const INDEX: &str = "understudy-index.json";
/// The newest version of it that is understood.
const INDEX_VERSION: u32 = 1;

#[derive(serde::Deserialize)]
struct Index {
    understudy_index: u32,
    files: Vec<IndexEntry>,
}

#[derive(serde::Deserialize)]
struct IndexEntry {
    path: String,
    size: f64,
}

impl Origin {
    /// A directory's address.
    ///
    /// # Errors
    /// [`FailureKind::Usage`] for what is no http(s) address, or one that this page may not read.
    pub fn web(url: &str) -> Result<Self, Failure> {
        let refuse = |message: String| Err(Failure::new(FailureKind::Usage, message).at_url(url));
        let Ok(base) = Url::new(url) else { return refuse(format!("'{url}' is not an address")) };
        if !matches!(base.protocol().as_str(), "http:" | "https:") {
            return refuse(format!("'{url}' is not an http or https address"));
        }
        if base.protocol() == "http:" && page_is_secure() && !is_loopback(&base.hostname()) {
            return refuse(
                "browsers don't let a page that came by https read from an http address (mixed content); \
                 serve the directory by https, or run `understudy serve` and open its page"
                    .to_owned(),
            );
        }
        if !base.pathname().ends_with('/') {
            base.set_pathname(&format!("{}/", base.pathname()));
        }
        base.set_hash("");
        Ok(Self::Web(WebOrigin { base, client: Client::default() }))
    }

    /// Files by path relative to the `db` directory: a JavaScript `Map` of `Blob`s.
    ///
    /// # Errors
    /// [`FailureKind::Usage`] for anything else.
    pub fn blobs(files: &JsValue) -> Result<Self, Failure> {
        let usage = |message: &str| Failure::new(FailureKind::Usage, message);
        let map: &js_sys::Map =
            files.dyn_ref().ok_or_else(|| usage("`files` must be a Map of Blobs by path"))?;
        let mut wrong = false;
        map.for_each(&mut |blob, path| wrong |= !path.is_string() || !blob.is_instance_of::<Blob>());
        if wrong {
            return Err(usage("`files` must be a Map of Blobs by path"));
        }
        let exact = js_sys::Reflect::get(map, &"exact".into()).is_ok_and(|exact| exact.is_truthy());
        Ok(Self::Blobs(Blobs { map: map.clone(), exact }))
    }

    /// True where files have holes, which nobody may take for zeros, and where each part has its price: then nothing
    /// is read but what was asked for. A `Map` says so by the property `exact`.
    pub fn is_exact(&self) -> bool {
        matches!(self, Self::Blobs(Blobs { exact: true, .. }))
    }

    /// All files with their sizes, where that is known without asking for each.
    ///
    /// # Errors
    /// [`FailureKind::Network`] if the server can't be reached, [`FailureKind::Damaged`] for an index
    /// that can't be read.
    pub async fn listing(&self) -> Result<Option<BTreeMap<String, u64>>, Failure> {
        let web = match self {
            Self::Blobs(blobs) => {
                let mut sizes = BTreeMap::new();
                blobs.map.for_each(&mut |blob, path| {
                    if let Some(path) = path.as_string() {
                        sizes.insert(path, blob.unchecked_into::<Blob>().size() as u64);
                    }
                });
                return Ok(Some(sizes));
            }
            Self::Web(web) => web,
        };
        let url = web.url(INDEX);
        let bytes = match web.client.get(&url, None).await {
            Ok(Answer::Whole(bytes)) => bytes,
            Ok(_) => return Ok(None),
            // Buckets that hide their listing answer so for what does not exist.
            Err(failure) if matches!(failure.status, Some(401 | 403)) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        // Servers of single-page applications answer every address with their page.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Ok(None);
        }
        let damaged = |what: String| Failure::new(FailureKind::Damaged, what).at_url(&url).in_file(INDEX);
        let text = std::str::from_utf8(&bytes).map_err(|error| damaged(format!("{INDEX}: {error}")))?;
        let index: Index = js::from_json(text).map_err(|error| damaged(format!("{INDEX}: {error}")))?;
        if index.understudy_index > INDEX_VERSION {
            return Err(damaged(format!(
                "{INDEX}: version {} is newer than this page",
                index.understudy_index
            )));
        }
        Ok(Some(gathered(index.files.into_iter().map(|entry| (entry.path, entry.size as u64)))))
    }

    /// Gets a file, or a part of it.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get(&self, path: &str, range: Option<Range<u64>>) -> Result<Answer, Failure> {
        let blobs = match self {
            Self::Web(web) => {
                let answer = web.client.get(&web.url(path), range).await;
                return answer.map_err(|failure| failure.in_file(path));
            }
            Self::Blobs(blobs) => blobs,
        };
        let Some(blob) = blobs.get(path) else { return Ok(Answer::Absent) };
        let total = blob.size() as u64;
        let read = match range {
            None => blob_bytes(&blob).await.map(Answer::Whole),
            Some(range) if range.start >= total && total > 0 => Ok(Answer::Beyond { total: Some(total) }),
            Some(range) => match blob.slice_with_f64_and_f64(range.start as f64, range.end as f64) {
                Ok(slice) => blob_bytes(&slice).await.map(|bytes| Answer::Part { bytes, total: Some(total) }),
                Err(thrown) => Err(thrown),
            },
        };
        read.map_err(|thrown| {
            if let Some(failure) = Failure::thrown(&thrown) {
                return failure.in_file(path);
            }
            let said = js::describe(&thrown);
            let message = format!(
                "{path}: can't be read any more ({said}); it was changed or moved, drop the folder again"
            );
            Failure::new(FailureKind::Missing, message).in_file(path)
        })
    }

    /// The size of a file; `None` if it does not exist.
    ///
    /// # Errors
    /// As [`Client::size`].
    pub async fn size(&self, path: &str) -> Result<Option<u64>, Failure> {
        match self {
            Self::Web(web) => web.client.size(&web.url(path)).await.map_err(|failure| failure.in_file(path)),
            Self::Blobs(blobs) => Ok(blobs.get(path).map(|blob| blob.size() as u64)),
        }
    }

    /// The client that counts, if there is one.
    pub fn client(&self) -> Option<&Client> {
        match self {
            Self::Web(web) => Some(&web.client),
            Self::Blobs(_) => None,
        }
    }
}

impl Blobs {
    fn get(&self, path: &str) -> Option<Blob> {
        self.map.get(&path.into()).dyn_into().ok()
    }
}

impl WebOrigin {
    /// The address of a file: each component encoded, a query of the base (a signature) kept.
    fn url(&self, path: &str) -> String {
        let encode = |component| String::from(js_sys::encode_uri_component(component));
        let path: Vec<String> = path.split('/').map(encode).collect();
        format!("{}{}{}{}", self.base.origin(), self.base.pathname(), path.join("/"), self.base.search())
    }
}

async fn blob_bytes(blob: &Blob) -> Result<Bytes, JsValue> {
    let buffer = JsFuture::from(blob.array_buffer()).await?;
    Ok(js_sys::Uint8Array::new(&buffer).to_vec().into())
}

fn page_is_secure() -> bool {
    let get = |from: &JsValue, name: &str| js_sys::Reflect::get(from, &name.into()).ok();
    let location = get(&js_sys::global(), "location").filter(|location| location.is_object());
    location.and_then(|location| get(&location, "protocol")?.as_string()).as_deref() == Some("https:")
}

/// Browsers trust these without encryption.
fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") || host == "[::1]"
}
