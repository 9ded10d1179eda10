//! Byte ranges and preconditions of HTTP (RFC 9110), as far as a static bucket needs them.

use axum::http::{HeaderMap, StatusCode, header};

/// What of a file an answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// Bytes `first .. end`, never empty.
    Slice {
        first: u64,
        end: u64,
    },
    /// 416: the range asked for begins behind the end.
    Beyond,
    /// 304: the client has these bytes.
    Unchanged,
}

impl Part {
    /// What the request's headers ask for of a file with this length and tag.
    pub(super) fn of(headers: &HeaderMap, len: u64, etag: &str) -> Self {
        let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
        if text(header::IF_NONE_MATCH).is_some_and(|tags| any_tag_is(tags, etag)) {
            return Self::Unchanged;
        }
        // A range counts only if the file is still the one that the client has a part of. Dates and weak
        // tags can't promise that.
        let same = text(header::IF_RANGE).is_none_or(|tag| tag == etag && !etag.starts_with("W/"));
        match text(header::RANGE) {
            Some(range) if same => slice(range, len),
            _ => Self::Whole,
        }
    }

    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Whole => StatusCode::OK,
            Self::Slice { .. } => StatusCode::PARTIAL_CONTENT,
            Self::Beyond => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Unchanged => StatusCode::NOT_MODIFIED,
        }
    }
}

/// Weak comparison, as If-None-Match wants it.
fn any_tag_is(tags: &str, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.trim() == "*" || tags.split(',').any(|tag| opaque(tag) == opaque(etag))
}

/// One range of bytes. Several ranges, other units and nonsense may be answered with the whole file.
fn slice(range: &str, len: u64) -> Part {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-'))
    else {
        return Part::Whole;
    };
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // More digits than fit are more than any file has.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (first, end) = match (number(first.trim()), number(last.trim())) {
        (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(len)),
        (Some(first), None) if last.trim().is_empty() => (first, len),
        (None, Some(suffix)) if first.trim().is_empty() => (len.saturating_sub(suffix), len),
        _ => return Part::Whole,
    };
    if first < end { Part::Slice { first, end } } else { Part::Beyond }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(headers: &[(header::HeaderName, &str)]) -> Part {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        Part::of(&headers, 100, "\"a1\"")
    }

    #[test]
    fn ranges() {
        let range = |text| part(&[(header::RANGE, text)]);
        let slice = |first, end| Part::Slice { first, end };
        assert_eq!(range("bytes=0-0"), slice(0, 1));
        assert_eq!(range("bytes=10-19"), slice(10, 20));
        assert_eq!(range("bytes=10-"), slice(10, 100));
        assert_eq!(range("bytes=90-500"), slice(90, 100));
        assert_eq!(range("bytes=-5"), slice(95, 100));
        assert_eq!(range("bytes=-500"), slice(0, 100));
        assert_eq!(range("bytes=0-99999999999999999999999"), slice(0, 100));
        for beyond in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(range(beyond), Part::Beyond, "{beyond}");
        }
        for ignored in
            ["bytes=5-4", "bytes=0-1,5-6", "rows=0-1", "bytes=", "bytes=-", "bytes=a-b", "bytes=+1-2"]
        {
            assert_eq!(range(ignored), Part::Whole, "{ignored}");
        }
    }

    #[test]
    fn preconditions() {
        assert_eq!(part(&[(header::IF_NONE_MATCH, "\"a1\"")]), Part::Unchanged);
        assert_eq!(part(&[(header::IF_NONE_MATCH, "\"b\", W/\"a1\"")]), Part::Unchanged);
        assert_eq!(part(&[(header::IF_NONE_MATCH, "*")]), Part::Unchanged);
        assert_eq!(part(&[(header::IF_NONE_MATCH, "\"b\"")]), Part::Whole);

        let slice = Part::Slice { first: 1, end: 2 };
        assert_eq!(part(&[(header::RANGE, "bytes=1-1"), (header::IF_RANGE, "\"a1\"")]), slice);
        assert_eq!(part(&[(header::RANGE, "bytes=1-1"), (header::IF_RANGE, "\"b\"")]), Part::Whole);
        let date = "Sat, 01 Aug 2026 00:00:00 GMT";
        assert_eq!(part(&[(header::RANGE, "bytes=1-1"), (header::IF_RANGE, date)]), Part::Whole);
    }
}
