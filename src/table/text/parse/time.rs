use super::Chars;

/// DATE, in milliseconds.
pub fn date(_text: Chars<'_>) -> Option<i64> {
    None
}

/// TIMESTAMP in microseconds, TIMESTAMP_NS in nanoseconds.
pub fn timestamp(_text: Chars<'_>, _nanos: bool) -> Option<i64> {
    None
}
