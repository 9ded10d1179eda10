//! The stores that `object_store` speaks to, and what their answers mean to the protocol.

use super::answer::{Trouble, TroubleKind};
use super::limits::RequestLimits;
use super::store::{Mode, OBJECT_BYTES_MAX, Pending, Put, Store};
use super::watch::Sight;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use std::ops::Range;

/// A store behind HTTP, or HDFS.
#[derive(Debug)]
pub(super) struct Remote {
    store: Box<dyn ObjectStore>,
    root: Path,
    /// Its requests are made through [`super::watch`], so what was seen can be believed.
    watched: bool,
}

impl Remote {
    pub(super) fn new(store: Box<dyn ObjectStore>, root: Path, watched: bool) -> Self {
        Self { store, root, watched }
    }

    fn path(&self, key: &str) -> Path {
        key.split('/').fold(self.root.clone(), |path, part| path.join(part))
    }

    fn trouble(&self, error: &Error, sight: &Sight) -> Trouble {
        trouble(error, sight, self.watched)
    }
}

impl Store for Remote {
    fn put<'a>(&'a self, key: &'a str, bytes: Bytes, mode: Mode) -> Pending<'a, Result<Put, Trouble>> {
        let sight = Sight::default();
        let mode = match mode {
            Mode::IfAbsent => PutMode::Create,
            Mode::Overwrite => PutMode::Overwrite,
        };
        let options = PutOptions { mode, extensions: sight.extensions(), ..PutOptions::default() };
        Box::pin(async move {
            match self.store.put_opts(&self.path(key), bytes.into(), options).await {
                Ok(_) => Ok(Put::Stored),
                Err(error) => match error {
                    Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. }
                        if !names_any(&error, CONFLICTS_OF_THE_STORE) =>
                    {
                        Ok(Put::Taken)
                    }
                    // There is nothing that a put could miss but the bucket.
                    Error::NotFound { .. } => Err(Trouble::refused(told(&error, &sight))),
                    _ => Err(self.trouble(&error, &sight)),
                },
            }
        })
    }

    fn get<'a>(
        &'a self,
        key: &'a str,
        range: Option<Range<u64>>,
        limits: &'a RequestLimits,
    ) -> Pending<'a, Result<Option<Bytes>, Trouble>> {
        Box::pin(async move {
            let sight = Sight::default();
            let options = GetOptions {
                range: range.clone().map(GetRange::Bounded),
                extensions: sight.extensions(),
                ..GetOptions::default()
            };
            let path = self.path(key);
            let opened = async { self.absent_or(self.store.get_opts(&path, options).await, &sight) };
            let found = match limits.within(0, opened).await {
                Ok(Some(found)) => found,
                Ok(None) => return Ok(None),
                // A range that begins at the object's end or after it is an error to all of them.
                Err(_) if range.is_some() && sight.status() == Some(RANGE_NOT_SATISFIABLE) => {
                    return Ok(Some(Bytes::new()));
                }
                Err(trouble) if range.is_some() && (!self.watched || sight.succeeded()) => {
                    return self.beyond(key, range, trouble, limits).await;
                }
                Err(trouble) => return Err(trouble),
            };
            let size = found.range.end - found.range.start;
            if size > OBJECT_BYTES_MAX {
                return Err(Trouble::refused(format!("{size} bytes are more than an object may have")));
            }
            let body = async { found.bytes().await.map_err(|error| self.trouble(&error, &sight)) };
            let bytes = limits.within(size, body).await?;
            if bytes.len() as u64 != size {
                return Err(Trouble::unsettled(format!("{} of {size} bytes came", bytes.len())));
            }
            Ok(Some(bytes))
        })
    }

    fn head<'a>(&'a self, key: &'a str) -> Pending<'a, Result<Option<u64>, Trouble>> {
        Box::pin(async move {
            let sight = Sight::default();
            let options = GetOptions { head: true, extensions: sight.extensions(), ..GetOptions::default() };
            let found = self.store.get_opts(&self.path(key), options).await;
            Ok(self.absent_or(found, &sight)?.map(|found| found.meta.size))
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> Pending<'a, Result<(), Trouble>> {
        Box::pin(async move {
            let deleted = self.store.delete(&self.path(key)).await;
            // The library gives no way to watch these; what it tells apart is enough here.
            let seen = |error: &Error| trouble(error, &Sight::default(), false);
            match deleted {
                Err(error) if is_absent(&error) => Ok(()),
                other => other.map_err(|error| seen(&error)),
            }
        })
    }
}

impl Remote {
    fn absent_or<T>(&self, found: object_store::Result<T>, sight: &Sight) -> Result<Option<T>, Trouble> {
        match found {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error @ Error::NotFound { .. }) => Err(Trouble::refused(told(&error, sight))),
            Err(error) => Err(self.trouble(&error, sight)),
        }
    }

    /// HDFS answers to a range after the object's end as to other errors, and Azurite with 206 and
    /// headers that make no sense; so the size is asked for.
    async fn beyond(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        trouble: Trouble,
        limits: &RequestLimits,
    ) -> Result<Option<Bytes>, Trouble> {
        let begins = range.map_or(0, |range| range.start);
        match limits.within(0, self.head(key)).await {
            Ok(Some(size)) if size <= begins => Ok(Some(Bytes::new())),
            _ => Err(trouble),
        }
    }
}

/// True if the object is missing, and not the bucket around it.
fn is_absent(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && !names_any(error, NO_BUCKET)
}

/// What an error means: by the status if one was seen, else by what the library made of it.
fn trouble(error: &Error, sight: &Sight, watched: bool) -> Trouble {
    let why = told(error, sight);
    if let Some(status) = sight.status() {
        return Trouble::new(kind_of(status, error), why);
    }
    match error {
        Error::PermissionDenied { .. }
        | Error::Unauthenticated { .. }
        | Error::NotImplemented { .. }
        | Error::NotSupported { .. }
        | Error::InvalidPath { .. } => Trouble::refused(why),
        // The machine's own service for credentials may be back in a moment: another try is worth it.
        _ if watched && !sight.sent() => Trouble {
            may_land: false,
            ..Trouble::unsettled(format!("nothing was sent, no credentials could be had: {why}"))
        },
        _ => Trouble::unsettled(why),
    }
}

fn kind_of(status: u16, error: &Error) -> TroubleKind {
    match status {
        429 | 503 => TroubleKind::SlowDown,
        // An answer that began well and broke off; a time-out that the server saw.
        200..=299 | 408 => TroubleKind::Unsettled,
        400 if names_any(error, &["RequestTimeout", "IncompleteBody"]) => TroubleKind::Unsettled,
        409 if names_any(error, &["OperationAborted"]) => TroubleKind::Unsettled,
        501 => TroubleKind::Refused,
        500.. => TroubleKind::Unsettled,
        _ => TroubleKind::Refused,
    }
}

/// The error for people: status, the store's code and message. Only if it has none, the library's words.
fn told(error: &Error, sight: &Sight) -> String {
    let text = error.to_string();
    let between = |open: &str, close: &str| {
        let rest = text.split_once(open)?.1;
        Some(rest.split_once(close)?.0.trim()).filter(|found| !found.is_empty())
    };
    let code = between("<Code>", "</Code>");
    let message = between("<Message>", "</Message>");
    match (sight.status(), code) {
        (Some(status), Some(code)) => {
            // Azure adds lines with the request's number and time.
            let message = message.and_then(|message| message.lines().next());
            let colon = if message.is_some() { ": " } else { "" };
            format!("{status} {code}{colon}{}", message.unwrap_or_default())
        }
        (Some(status @ 300..=399), None) => format!("{status}, a redirect: region or endpoint are wrong"),
        (Some(status), None) => format!("status {status}"),
        (None, _) => innermost(error),
    }
}

/// The last cause, which says most, with the first words around it.
fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn names_any(error: &Error, codes: &[&str]) -> bool {
    let text = error.to_string();
    codes.iter().any(|code| text.contains(code))
}

const RANGE_NOT_SATISFIABLE: u16 = 416;
/// 404 for the bucket and not for the object, as S3, Google and Azure say it.
const NO_BUCKET: &[&str] = &["NoSuchBucket", "ContainerNotFound"];
/// 409 that is about the account or the container, and says nothing about the object.
const CONFLICTS_OF_THE_STORE: &[&str] = &[
    "ContainerBeingDeleted",
    "ContainerDisabled",
    "AccountBeingCreated",
    "AccountIsDisabled",
    "OperationAborted",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.into() }
    }

    #[test]
    fn statuses_mean_what_the_protocol_says() {
        for (status, kind) in [
            (400, TroubleKind::Refused),
            (401, TroubleKind::Refused),
            (403, TroubleKind::Refused),
            (301, TroubleKind::Refused),
            (501, TroubleKind::Refused),
            (408, TroubleKind::Unsettled),
            (429, TroubleKind::SlowDown),
            (500, TroubleKind::Unsettled),
            (502, TroubleKind::Unsettled),
            (503, TroubleKind::SlowDown),
            (504, TroubleKind::Unsettled),
            (200, TroubleKind::Unsettled),
        ] {
            assert_eq!(kind_of(status, &generic("")), kind, "{status}");
        }
        assert_eq!(kind_of(400, &generic("<Code>RequestTimeout</Code>")), TroubleKind::Unsettled);
    }

    #[test]
    fn a_missing_bucket_is_no_missing_object() {
        let missing = |text: &str| Error::NotFound { path: "a".into(), source: text.into() };
        assert!(is_absent(&missing("<Code>NoSuchKey</Code>")));
        assert!(!is_absent(&missing("<Code>NoSuchBucket</Code>")));
        assert!(!is_absent(&missing("<Code>ContainerNotFound</Code>")));
        assert!(!is_absent(&generic("<Code>NoSuchKey</Code>")));
    }

    #[test]
    fn what_was_never_sent_can_not_land() {
        let error = generic("no role");
        let unseen = trouble(&error, &Sight::default(), true);
        assert_eq!((unseen.kind, unseen.may_land), (TroubleKind::Unsettled, false));
        assert!(unseen.why.contains("no credentials could be had"), "{unseen}");
        assert!(trouble(&error, &Sight::default(), false).may_land, "nobody watched");
    }
}
