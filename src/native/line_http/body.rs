//! A request's body, of bounded length.

use super::{App, Writes};
use crate::ilp::{LineError, Status};
use axum::body::Body;
use axum::http::{HeaderMap, header};
use flate2::write::MultiGzDecoder;
use std::io::{self, Write};
use tokio::sync::SemaphorePermit;

/// Room for bodies is given in pieces of so many bytes.
pub(super) const UNIT: u64 = 64 << 10;
/// What a body of unknown length is taken to need until it is known.
const UNKNOWN: u64 = 1 << 20;

/// The body, unpacked, and the room that it has.
pub(super) async fn read<'a, W: Writes>(
    app: &'a App<W>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Vec<u8>, SemaphorePermit<'a>), LineError> {
    let most = app.limits.body;
    let gzip = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"gzip"));
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > most) {
        return Err(too_large(most));
    }
    // What is packed may become as long as it may be.
    let expected =
        if gzip { most.min(length.unwrap_or(UNKNOWN).saturating_mul(8)) } else { length.unwrap_or(UNKNOWN) };
    let wait = async {
        let mut room = acquire(app, expected).await?;
        let mut taken = Taken::new(gzip, most, length.unwrap_or(0));
        let mut stream = body.into_data_stream();
        while let Some(chunk) = futures_next(&mut stream).await {
            let chunk = chunk.map_err(|error| {
                LineError::of_request(Status::Invalid, format!("the request could not be read: {error}"))
            })?;
            taken.put(&chunk)?;
            let more = taken.len().saturating_sub(room.num_permits() as u64 * UNIT);
            if more > 0 {
                // To wait while others wait for what this one has would be for ever.
                let full = |_| LineError::of_request(Status::Retry, "there is no room for the request now");
                room.merge(app.room.try_acquire_many(permits(app, more)).map_err(full)?);
            }
        }
        Ok((taken.finish()?, room))
    };
    match tokio::time::timeout(app.limits.patience, wait).await {
        Ok(taken) => taken,
        Err(_) => Err(LineError::of_request(Status::Retry, "the request did not come in time")),
    }
}

async fn futures_next(stream: &mut axum::body::BodyDataStream) -> Option<Result<bytes::Bytes, axum::Error>> {
    use axum::body::HttpBody;
    let stream = std::pin::Pin::new(stream);
    let mut stream = stream;
    loop {
        let frame = std::future::poll_fn(|context| stream.as_mut().poll_frame(context)).await?;
        match frame {
            Ok(frame) => match frame.into_data() {
                Ok(data) => return Some(Ok(data)),
                Err(_trailers) => continue,
            },
            Err(error) => return Some(Err(error)),
        }
    }
}

async fn acquire<W: Writes>(app: &App<W>, bytes: u64) -> Result<SemaphorePermit<'_>, LineError> {
    let gone = |_closed| LineError::of_request(Status::Retry, "the node is ending");
    app.room.acquire_many(permits(app, bytes)).await.map_err(gone)
}

fn permits<W: Writes>(app: &App<W>, bytes: u64) -> u32 {
    let all = app.limits.bodies / UNIT;
    u32::try_from(bytes.div_ceil(UNIT).clamp(1, all.max(1))).unwrap_or(u32::MAX)
}

/// What came so far.
enum Taken {
    Plain { body: Vec<u8>, most: u64 },
    Packed { decoder: Box<MultiGzDecoder<Bounded>> },
}

/// Bytes that are unpacked, up to a limit.
struct Bounded {
    body: Vec<u8>,
    most: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.body.len() + bytes.len()) as u64 > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.body.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Taken {
    fn new(gzip: bool, most: u64, length: u64) -> Self {
        if gzip {
            return Self::Packed {
                decoder: Box::new(MultiGzDecoder::new(Bounded { body: Vec::new(), most })),
            };
        }
        Self::Plain { body: Vec::with_capacity(usize::try_from(length.min(most) + 1).unwrap_or(0)), most }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Plain { body, .. } => body.len() as u64,
            Self::Packed { decoder } => decoder.get_ref().body.len() as u64,
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), LineError> {
        match self {
            Self::Plain { body, most } if (body.len() + bytes.len()) as u64 > *most => Err(too_large(*most)),
            Self::Plain { body, .. } => {
                body.extend_from_slice(bytes);
                Ok(())
            }
            Self::Packed { decoder } => {
                let most = decoder.get_ref().most;
                decoder.write_all(bytes).map_err(|error| unpacking(&error, most))
            }
        }
    }

    fn finish(self) -> Result<Vec<u8>, LineError> {
        match self {
            Self::Plain { body, .. } => Ok(body),
            Self::Packed { decoder } => {
                let most = decoder.get_ref().most;
                decoder.finish().map(|bounded| bounded.body).map_err(|error| unpacking(&error, most))
            }
        }
    }
}

fn unpacking(error: &io::Error, most: u64) -> LineError {
    match error.kind() {
        io::ErrorKind::FileTooLarge => too_large(most),
        _ => LineError::of_request(Status::EncodingNotSupported, "gzip decompression error"),
    }
}

fn too_large(most: u64) -> LineError {
    let what = format!(
        "transaction is too large, either flush more frequently or increase buffer size \
         \"line.http.max.recv.buffer.size\" [maxBufferSize={most}]"
    );
    LineError::of_request(Status::TooLarge, what)
}
