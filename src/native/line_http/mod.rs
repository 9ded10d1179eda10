//! InfluxDB's line protocol over HTTP, as QuestDB 9.3.4 answers it: the smallest of its protocols, which its official clients speak.
//!
//! | path | answer |
//! |---|---|
//! | `GET /settings` | what clients ask for before they choose a version of the protocol |
//! | `GET /ping` | 204 |
//! | `POST /write`, `POST /api/v2/write` | 204 once the rows are committed; else a code and QuestDB's own words |
//!
//! `precision` is the unit of timestamps that name none. `durable=1`, which QuestDB does not know, has the answer wait until what
//! was written is [durable](Writes::write); `X-QWP-Durable-Ack: enabled` in the answer to `GET /settings` says that it does. A node that takes
//! no writes answers 421 with its role in `X-QuestDB-Role`, and tells it with its settings, too.

mod body;

use crate::ilp::{LineError, Status, Unit};
use crate::native::outcome::{Failure, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// What the version of InfluxDB is that QuestDB says it is.
const INFLUX_VERSION: &str = "v2.7.4";
const ROLE: HeaderName = HeaderName::from_static("x-questdb-role");
/// As in QWP's handshake: `durable=1` means something here.
const DURABLE: HeaderName = HeaderName::from_static("x-qwp-durable-ack");

/// Who takes the rows: a node.
pub trait Writes: Send + Sync + 'static {
    /// The role by which this node refuses writes; `None` while it takes them.
    fn refuses(&self) -> Option<&'static str>;

    /// True if `durable` is kept: there is a place where rows are safe from a failure of this node.
    fn offers_durable(&self) -> bool {
        true
    }

    /// Commits a request. With `durable` the answer comes once no failure of this node can lose its rows.
    ///
    /// # Errors
    /// What the client is told. [`Status::Retry`] is sent again by clients, [`Status::NotAcceptingWrites`] elsewhere.
    fn write(
        &self,
        body: Vec<u8>,
        precision: Unit,
        durable: bool,
    ) -> impl Future<Output = std::result::Result<(), LineError>> + Send;
}

/// What requests may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request, unpacked: `line.http.max.recv.buffer.size`.
    pub body: u64,
    /// Bytes of all requests at a time.
    pub bodies: u64,
    /// How long a request may take to come: `http.net.connection.timeout`.
    pub patience: Duration,
    /// UTF-16 units of names, as `/settings` tells: `cairo.max.file.name.length`.
    pub name: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 128 << 20, bodies: 512 << 20, patience: Duration::from_secs(300), name: 127 }
    }
}

/// Answers until it is dropped or [stopped](Self::stop).
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct App<W> {
    writes: Arc<W>,
    limits: Limits,
    room: Semaphore,
    /// In front of the number of an error.
    run: String,
    errors: AtomicU64,
}

impl Server {
    /// Takes the address and answers from then on, in the runtime of the caller.
    ///
    /// # Errors
    /// A [`Failure`] if the address can't be had.
    pub async fn start<W: Writes>(address: SocketAddr, writes: Arc<W>, limits: Limits) -> Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::failed(format!("can't listen on {address}: {error}"))
                .advise("QuestDB itself answers on port 9000; http.bind.to is another address")
        })?;
        let address = listener.local_addr().map_err(|error| Failure::failed(error.to_string()))?;
        let permits = usize::try_from(limits.bodies / body::UNIT).unwrap_or(Semaphore::MAX_PERMITS);
        let app = Arc::new(App {
            writes,
            limits,
            room: Semaphore::new(permits.clamp(1, Semaphore::MAX_PERMITS)),
            run: format!("{:012x}", fastrand::u64(..1 << 48)),
            errors: AtomicU64::new(0),
        });
        let router = Router::new()
            .route("/settings", get(settings::<W>))
            .route("/ping", get(ping))
            .route("/write", post(write::<W>))
            .route("/api/v2/write", post(write::<W>))
            .layer(DefaultBodyLimit::disable())
            .with_state(app);
        let (stop, mut stopped) = watch::channel(false);
        let until = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until).await {
                tracing::error!(%error, "the server for lines has ended");
            }
        });
        Ok(Self { address, stop, task })
    }

    /// Takes no more requests, and waits for those that are under way, at most so long.
    pub async fn stop(mut self, most: Duration) {
        self.stop.send_replace(true);
        let _ = tokio::time::timeout(most, &mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn settings<W: Writes>(State(app): State<Arc<App<W>>>) -> Response {
    let accepting: &[&str] = if app.writes.refuses().is_none() { &["http"] } else { &[] };
    let text = serde_json::json!({
        "config": {
            "release.type": "OSS",
            "release.version": "9.3.4",
            "http.settings.readonly": true,
            "accepting.writes": accepting,
            "line.proto.support.versions": [1, 2, 3],
            "ilp.proto.transports": ["http"],
            "cairo.max.file.name.length": app.limits.name,
        },
        "preferences.version": 0,
        "preferences": {},
    });
    let mut response = json(StatusCode::OK, text.to_string());
    match app.writes.refuses() {
        // What the 421 of a write would say, told before anything is sent.
        Some(role) => _ = response.headers_mut().insert(ROLE, HeaderValue::from_static(role)),
        None if app.writes.offers_durable() => {
            response.headers_mut().insert(DURABLE, HeaderValue::from_static("enabled"));
        }
        None => {}
    }
    response
}

async fn ping() -> Response {
    let version = [(HeaderName::from_static("x-influxdb-version"), HeaderValue::from_static(INFLUX_VERSION))];
    (StatusCode::NO_CONTENT, version).into_response()
}

async fn write<W: Writes>(
    State(app): State<Arc<App<W>>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match app.write(query.as_deref().unwrap_or_default(), &headers, body).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => app.refused(&error),
    }
}

impl<W: Writes> App<W> {
    async fn write(
        &self,
        query: &str,
        headers: &HeaderMap,
        body: Body,
    ) -> std::result::Result<(), LineError> {
        // The body is read in any case: a client that is still sending would not see the answer.
        let taken = body::read(self, headers, body).await;
        if self.writes.refuses().is_some() {
            let what = "this instance cannot receive writes";
            return Err(LineError::of_request(Status::NotAcceptingWrites, what));
        }
        let wish = Wish::read(query)?;
        let (body, room) = taken?;
        let written = self.writes.write(body, wish.precision, wish.durable).await;
        drop(room);
        written
    }

    fn refused(&self, error: &LineError) -> Response {
        let number = self.errors.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("{}-{number}", self.run);
        tracing::info!(id, code = error.status.code(), line = error.line, "a request is refused: {error}");
        let status = StatusCode::from_u16(error.status.http()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = json(status, error.body(&id));
        if error.status == Status::NotAcceptingWrites {
            let role = self.writes.refuses().unwrap_or("replica");
            response.headers_mut().insert(ROLE, HeaderValue::from_static(role));
        }
        response
    }
}

/// What the URL asks for.
struct Wish {
    precision: Unit,
    durable: bool,
}

impl Wish {
    fn read(query: &str) -> std::result::Result<Self, LineError> {
        let mut wish = Self { precision: Unit::Nanos, durable: false };
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                // Without a value it is as if it weren't there.
                "precision" if !value.is_empty() => {
                    let unknown =
                        LineError::of_request(Status::PrecisionNotSupported, "unsupported precision");
                    wish.precision = Unit::of_precision(value).ok_or(unknown)?;
                }
                "durable" => {
                    wish.durable = match value {
                        "1" | "true" => true,
                        "0" | "false" | "" => false,
                        _ => {
                            let what = "durable is 0 or 1";
                            return Err(LineError::of_request(Status::PrecisionNotSupported, what));
                        }
                    }
                }
                // Other parameters are InfluxDB's: bucket, org.
                _ => {}
            }
        }
        Ok(wish)
    }
}

fn json(status: StatusCode, text: String) -> Response {
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    (status, [(header::CONTENT_TYPE, kind)], text).into_response()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
