//! A store in memory that speaks enough S3, and does one thing wrong.

use super::http::{Request, answer, refuse, serve};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How it treats `If-None-Match: *`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should.
    Honest,
    /// As if it were not there.
    Blind,
    /// Looks first and writes later: one after another all is well, at once it is not.
    Racy,
    /// Answers 412, and has written.
    Liar,
    /// Answers 501, as stores do that never heard of it.
    Honestly501,
}

/// Starts one; its connection string.
pub(crate) fn start(manner: Manner) -> String {
    let objects: Arc<Mutex<HashMap<String, Vec<u8>>>> = Arc::default();
    let address = serve(move |stream| {
        let Some(request) = Request::read(&stream)? else { return Ok(()) };
        let path = request.path().to_owned();
        let objects = || objects.lock().expect("not poisoned");
        match request.method() {
            "PUT" => {
                if manner == Manner::Honestly501 && request.header("if-none-match").is_some() {
                    return refuse(&stream, 501, "NotImplemented");
                }
                let taken = objects().contains_key(&path) && request.header("if-none-match") == Some("*");
                if manner == Manner::Racy {
                    std::thread::sleep(Duration::from_millis(300));
                }
                let mut objects = objects();
                let taken = taken || (manner == Manner::Honest && objects.contains_key(&path));
                if !taken || matches!(manner, Manner::Blind | Manner::Liar) {
                    objects.insert(path, request.body);
                }
                if taken && manner != Manner::Blind {
                    return refuse(&stream, 412, "PreconditionFailed");
                }
                answer(&stream, 200, "etag: \"1\"\r\n", b"")
            }
            "GET" => match objects().get(&path) {
                Some(body) => answer(&stream, 200, "etag: \"1\"\r\n", body),
                None => refuse(&stream, 404, "NoSuchKey"),
            },
            _ => {
                objects().remove(&path);
                answer(&stream, 204, "", b"")
            }
        }
    });
    format!("s3::bucket=b;root=r;region=x;endpoint=http://{address};access_key_id=i;secret_access_key=s;")
}
