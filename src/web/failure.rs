use crate::wal;
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::{JsCast, JsValue};

/// What went wrong, as JavaScript gets it: an `Error` with these fields as properties.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// See [`FailureKind`].
    pub kind: FailureKind,
    /// In plain words.
    pub message: String,
    /// The address that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The HTTP status, if there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The file inside the `db` directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The place in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<f64>,
}

/// The kinds of failure that ask for different help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// A request was refused or never answered. What CORS forbids looks like this too.
    Network,
    /// The server answered, but what we need is not there.
    Missing,
    /// Bytes that can't be right.
    Damaged,
    /// A call that makes no sense.
    Usage,
}

impl Failure {
    /// A failure that concerns no file.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), url: None, status: None, file: None, offset: None }
    }

    /// What JavaScript threw that says itself of which kind it is.
    pub(super) fn thrown(thrown: &JsValue) -> Option<Self> {
        let text = |name: &str| js_sys::Reflect::get(thrown, &name.into()).ok()?.as_string();
        let kind = match text("kind")?.as_str() {
            "network" => FailureKind::Network,
            "missing" => FailureKind::Missing,
            "damaged" => FailureKind::Damaged,
            _ => return None,
        };
        Some(Self { url: text("url"), ..Self::new(kind, text("message")?) })
    }

    /// Names the address.
    #[must_use]
    pub fn at_url(mut self, url: &str) -> Self {
        self.url = Some(url.to_owned());
        self
    }

    /// Names the file inside the `db` directory.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self
    }
}

impl From<wal::Error> for Failure {
    fn from(error: wal::Error) -> Self {
        let message = error.to_string();
        let (kind, file, offset) = match error {
            wal::Error::Absent { file } => (FailureKind::Missing, Some(file), None),
            wal::Error::Short { file, len, .. } => (FailureKind::Damaged, Some(file), Some(len)),
            wal::Error::Damaged { file, offset, .. } | wal::Error::Unsupported { file, offset, .. } => {
                (FailureKind::Damaged, Some(file), Some(offset))
            }
            wal::Error::Io { file, .. } => (FailureKind::Network, Some(file), None),
            _ => (FailureKind::Usage, None, None),
        };
        let file = file.map(String::from);
        Self { kind, message, url: None, status: None, file, offset: offset.map(|offset| offset as f64) }
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        let error: JsValue = js_sys::Error::new(&failure.message).into();
        if let Ok(fields) = failure.serialize(&Serializer::json_compatible())
            && let Some(fields) = fields.dyn_ref::<js_sys::Object>()
        {
            js_sys::Object::assign(error.unchecked_ref(), fields);
        }
        error
    }
}
