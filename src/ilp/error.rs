//! What the server says of a request that it refuses.

/// Longest message, in bytes: as much as fits into the server's answer of 2 MiB.
const MESSAGE_MAX: usize = 1_398_034;

/// What became of a request: QuestDB's own states, with their codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// A line, or the request, is not as it has to be.
    Invalid,
    /// What was asked for in the URL is not known.
    PrecisionNotSupported,
    /// The body can't be unpacked.
    EncodingNotSupported,
    /// Who asks may not.
    Unauthorised,
    /// Longer than the server takes.
    TooLarge,
    /// The instance takes no writes.
    NotAcceptingWrites,
    /// The server's own fault.
    Internal,
    /// To be sent once more.
    Retry,
}

impl Status {
    /// The status of HTTP's answer.
    pub fn http(self) -> u16 {
        match self {
            Self::Invalid | Self::PrecisionNotSupported => 400,
            Self::EncodingNotSupported => 415,
            Self::Unauthorised => 403,
            Self::TooLarge => 413,
            Self::NotAcceptingWrites => 421,
            Self::Internal => 500,
            Self::Retry => 503,
        }
    }

    /// `code` in the answer's body.
    pub fn code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::PrecisionNotSupported | Self::EncodingNotSupported => "not supported",
            Self::Unauthorised => "unauthorised",
            Self::TooLarge => "request too large",
            Self::NotAcceptingWrites => "not accepting writes",
            Self::Internal => "internal error",
            Self::Retry => "retry operation",
        }
    }
}

/// Why a request is refused, in the server's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LineError {
    /// Which kind of refusal it is.
    pub status: Status,
    /// The line, from 1, empty ones not counted; `None` of what concerns the request as a whole.
    pub line: Option<u32>,
    /// `message` in the answer's body, but for what the server puts before that of a line.
    pub message: String,
}

impl LineError {
    /// Of the request as a whole.
    pub fn of_request(status: Status, message: impl Into<String>) -> Self {
        Self { status, line: None, message: message.into() }
    }

    /// Of a line that can't be parsed or appended.
    pub(crate) fn invalid(line: u32, what: &str) -> Self {
        Self { status: Status::Invalid, line: Some(line), message: format!("\nerror in line {line}{what}") }
    }

    /// Of a line that the server fails at.
    pub(crate) fn internal(line: u32, message: String) -> Self {
        Self { status: Status::Internal, line: Some(line), message }
    }

    /// The answer's body; `id` is the server's number of the error.
    ///
    /// ```
    /// use understudy::ilp::{LineError, Status};
    /// let error = LineError::of_request(Status::NotAcceptingWrites, "this instance cannot receive writes");
    /// let body = error.body("a-1");
    /// assert_eq!(
    ///     body,
    ///     r#"{"code":"not accepting writes","message":"this instance cannot receive writes","errorId":"a-1"}"#
    /// );
    /// ```
    pub fn body(&self, id: &str) -> String {
        let mut out = format!("{{\"code\":\"{}\",\"message\":\"", self.status.code());
        if self.line.is_some() {
            out.push_str("failed to parse line protocol:errors encountered on line(s):");
        }
        let mut end = self.message.len().min(MESSAGE_MAX);
        while !self.message.is_char_boundary(end) {
            end -= 1;
        }
        escape(&mut out, self.message.get(..end).unwrap_or_default());
        match self.line {
            Some(line) => out.push_str(&format!("\",\"line\":{line}")),
            None => out.push('"'),
        }
        out.push_str(&format!(",\"errorId\":\"{id}\"}}"));
        out
    }
}

/// As the server escapes: quotes, backslashes and control characters.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_named_as_the_server_names_it() {
        let error = LineError::invalid(2, ": No \"fields\" were provided");
        let body = error.body("0-1");
        let expected = r#"{"code":"invalid","message":"failed to parse line protocol:errors encountered on line(s):\nerror in line 2: No \"fields\" were provided","line":2,"errorId":"0-1"}"#;
        assert_eq!(body, expected);
        assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
    }

    #[test]
    fn a_message_ends_where_the_answer_has_no_more_room() {
        let error = LineError::of_request(Status::Invalid, "ä".repeat(MESSAGE_MAX));
        assert!(error.body("0-1").len() < MESSAGE_MAX + 100);
    }
}
