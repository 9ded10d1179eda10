//! The server for health checks and metrics, as QuestDB's minimal HTTP server is.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics` | all metrics, if `metrics.enabled` |
//! | `/ready` | 200 once the node does its work, 503 with the reason before and when it can't |
//! | any other | 200 `Status: Healthy`: the process runs and answers; what QuestDB answers to any path |

use super::Metrics;
use crate::native::outcome::{Failure, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Answers until it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

/// Tells whether the node does its work. Clones are handles to the same state.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Why it doesn't, if it doesn't.
    why_not: Arc<watch::Sender<Option<String>>>,
}

impl Default for Ready {
    /// Not yet: the node starts.
    fn default() -> Self {
        Self { why_not: Arc::new(watch::Sender::new(Some("starting".into()))) }
    }
}

impl Ready {
    /// It does.
    pub fn yes(&self) {
        self.why_not.send_replace(None);
    }

    /// It doesn't, because of this.
    pub fn no(&self, why: impl Into<String>) {
        self.why_not.send_replace(Some(why.into()));
    }
}

#[derive(Debug, Clone)]
struct App {
    metrics: Option<Metrics>,
    ready: Ready,
}

impl Server {
    /// Takes the address and answers from then on, in the runtime of the caller. Without metrics, `/metrics` is
    /// a health check as any other path.
    ///
    /// # Errors
    /// A [`Failure`] if the address can't be had.
    pub async fn start(address: SocketAddr, metrics: Option<Metrics>, ready: Ready) -> Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::failed(format!("can't listen on {address} for metrics and health checks: {error}"))
                .advise("QuestDB itself answers on port 9003; http.min.net.bind.to, of `ship` understudy.ship.http.bind.to, is another address, http.min.enabled=false none")
        })?;
        let address = listener.local_addr().map_err(|error| Failure::failed(error.to_string()))?;
        let app = App { metrics, ready };
        let router = Router::new()
            .route("/metrics", get(metrics_text))
            .route("/ready", get(ready_or_not))
            .fallback(get(healthy))
            .with_state(app);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the server for metrics and health checks has ended");
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn metrics_text(State(app): State<App>) -> Response {
    let Some(metrics) = app.metrics else { return healthy().await };
    (CONTENT_TYPE, metrics.text()).into_response()
}

async fn ready_or_not(State(app): State<App>) -> Response {
    let why_not = app.ready.why_not.borrow().clone();
    match why_not {
        None => "Status: Ready\n".into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("Status: Not ready\n{why}\n")).into_response(),
    }
}

async fn healthy() -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))], "Status: Healthy").into_response()
}

const CONTENT_TYPE: [(header::HeaderName, HeaderValue); 1] =
    [(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"))];

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it takes a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("it answers");
        answer
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(work)
    }

    fn local() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    #[test]
    fn is_scraped_over_a_socket() {
        run(async {
            let (metrics, ready) = (Metrics::new(true), Ready::default());
            let server =
                Server::start(local(), Some(metrics.clone()), ready.clone()).await.expect("it starts");
            metrics.shipped_txns.inc_by(3);
            let answer = ask(server.address, "/metrics").await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(
                answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
                "{answer}"
            );
            assert!(answer.contains("\nunderstudy_shipped_txns_total 3\n"), "{answer}");
            for path in ["/", "/status", "/health", "/a/b?c=d"] {
                let answer = ask(server.address, path).await;
                assert!(
                    answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("Status: Healthy"),
                    "{answer}"
                );
            }
            let answer = ask(server.address, "/ready").await;
            assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("starting\n"), "{answer}");
            ready.yes();
            assert!(ask(server.address, "/ready").await.starts_with("HTTP/1.1 200 "));
            ready.no("fenced");
            assert!(ask(server.address, "/ready").await.ends_with("fenced\n"));
        });
    }

    #[test]
    fn without_metrics_there_are_health_checks_alone_and_a_taken_address_is_told() {
        run(async {
            let server = Server::start(local(), None, Ready::default()).await.expect("it starts");
            assert!(ask(server.address, "/metrics").await.ends_with("Status: Healthy"));
            let failure =
                Server::start(server.address, None, Ready::default()).await.expect_err("it is taken");
            assert!(failure.message.contains(&server.address.to_string()), "{failure:?}");
            let address = server.address;
            drop(server);
            tokio::task::yield_now().await;
            assert!(Server::start(address, None, Ready::default()).await.is_ok(), "it is free again");
        });
    }
}
