//! Answers and their headers.

use super::range::Part;
use axum::body::{Body, Bytes};
use axum::http::response::Builder;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use std::hash::{DefaultHasher, Hasher};

/// A complete body in memory, by range where asked.
pub(super) fn bytes(
    method: &Method,
    headers: &HeaderMap,
    media: &str,
    body: Bytes,
    encoding: Option<&'static str>,
) -> Response {
    let etag = content_tag(&body, encoding);
    // A range of compressed bytes would be of no use to anybody.
    let whole = encoding.is_some() && !headers.contains_key(header::IF_NONE_MATCH);
    let part = if whole { Part::Whole } else { Part::of(headers, body.len() as u64, &etag) };
    let mut response = head(part, media, body.len() as u64, &etag);
    if let Some(encoding) = encoding {
        response = response.header(header::CONTENT_ENCODING, encoding);
    }
    let body = match part {
        Part::Whole => body,
        Part::Slice { first, end } => body.slice(first as usize..end as usize),
        Part::Beyond | Part::Unchanged => Bytes::new(),
    };
    build(response, if method == Method::HEAD { Body::empty() } else { body.into() })
}

/// Status and headers for a part of a file.
pub(super) fn head(part: Part, media: &str, len: u64, etag: &str) -> Builder {
    let response = Response::builder()
        .status(part.status())
        .header(header::ETAG, etag)
        .header(header::ACCEPT_RANGES, "bytes")
        // Ask each time; an unchanged file costs no bytes.
        .header(header::CACHE_CONTROL, "no-cache");
    match part {
        Part::Unchanged => response,
        Part::Beyond => {
            response.header(header::CONTENT_RANGE, format!("bytes */{len}")).header(header::CONTENT_LENGTH, 0)
        }
        Part::Whole => response.header(header::CONTENT_TYPE, media).header(header::CONTENT_LENGTH, len),
        Part::Slice { first, end } => response
            .header(header::CONTENT_TYPE, media)
            .header(header::CONTENT_RANGE, format!("bytes {first}-{}/{len}", end - 1))
            .header(header::CONTENT_LENGTH, end - first),
    }
}

/// A short message in plain text.
pub(super) fn text(status: StatusCode, message: &str) -> Response {
    let response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-store");
    build(response, message.to_owned().into())
}

/// Puts a body to its headers.
pub(super) fn build(response: Builder, body: Body) -> Response {
    response.header(header::X_CONTENT_TYPE_OPTIONS, "nosniff").body(body).unwrap_or_else(|_| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

fn content_tag(body: &[u8], encoding: Option<&str>) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(body);
    format!("\"{:016x}{}\"", hasher.finish(), encoding.map(|name| format!("-{name}")).unwrap_or_default())
}

/// The media type of a page's file, by the name's extension.
pub(super) fn media_type(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        "gz" => "application/gzip",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        assert_eq!(media_type("pkg/understudy_bg.wasm"), "application/wasm");
        assert_eq!(media_type("index.html"), "text/html; charset=utf-8");
        assert_eq!(media_type("recording/trades~7/wal1/0/price.d"), "application/octet-stream");
        assert_eq!(media_type("a.html/_txnlog"), "application/octet-stream");
    }
}
