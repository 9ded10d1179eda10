//! The page and a `db` directory, or a cluster's bucket in a directory, over HTTP, for this machine.

mod bucket;
mod page;
mod range;
mod reply;

use super::outcome::{Failure, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use bucket::Bucket;
use page::Page;
use percent_encoding::percent_decode_str;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;

/// Where the database's files are, below the server's root; and those of a bucket.
const DB: &str = "/db/";
const BUCKET: &str = "/bucket/";
/// The one object that every bucket of a cluster has.
const CLUSTER: &str = "cluster.json";
/// How long a running download may go on after the signal to stop.
const GRACE: Duration = Duration::from_secs(2);
/// What a page of another origin may read of an answer.
const EXPOSED: &str = "Accept-Ranges, Content-Length, Content-Range, ETag, Last-Modified";
/// What a page of another origin may send.
const ALLOWED: &str = "Range, If-Range, If-Match, If-None-Match, If-Modified-Since";

/// What to serve, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The `db` directory, or the directory of a cluster's bucket; none serves the page alone.
    pub dir: Option<PathBuf>,
    /// Address to listen on.
    pub bind: SocketAddr,
    /// A build of the page, instead of the one in the program.
    pub page: Option<PathBuf>,
    /// Origins whose pages may read the database; `*` is any.
    pub allow_origins: Vec<String>,
}

/// A server that listens, not yet answering.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    app: App,
    /// Where to point a browser: the page on the database where there is one.
    pub url: String,
    /// Where the files of the database or bucket are.
    pub db_url: Option<String>,
    /// True if they are a cluster's bucket.
    pub is_bucket: bool,
    /// False if only the database's files are served.
    pub has_page: bool,
}

#[derive(Debug, Clone)]
struct App {
    page: Page,
    bucket: Option<Bucket>,
    /// Below which path the bucket's files are.
    root: &'static str,
    origins: Vec<HeaderValue>,
}

impl Server {
    /// Takes the address and opens the directories.
    ///
    /// # Errors
    /// When the address is taken, or a directory can't be opened.
    pub async fn bind(options: &Options) -> Result<Self> {
        let origins =
            options.allow_origins.iter().map(|origin| parse_origin(origin)).collect::<Result<_>>()?;
        let page = Page::find(options.page.as_deref())?;
        if !page.is_there() && options.dir.is_none() {
            return Err(Failure::failed(
                "there is nothing to serve: this program was built without the page",
            )
            .advise("`make run` builds and serves it; or give a `db` directory, or --page DIR"));
        }
        let bucket = match &options.dir {
            Some(dir) => {
                Some(Bucket::open(dir).map_err(|e| Failure::failed(format!("{}: {e}", dir.display())))?)
            }
            None => None,
        };
        let is_bucket = options.dir.as_ref().is_some_and(|dir| dir.join(CLUSTER).is_file());
        let root = if is_bucket { BUCKET } else { DB };
        let listener = TcpListener::bind(options.bind).await.map_err(|error| {
            Failure::failed(format!("can't listen on {}: {error}", options.bind))
                .advise("choose another address with --bind, e.g. --bind 127.0.0.1:0 for any free port")
        })?;
        let address = listener.local_addr().map_err(|error| Failure::failed(error.to_string()))?;
        let base = format!("http://{}", reachable(address));
        let db_url = bucket.as_ref().map(|_| format!("{base}{root}"));
        let url = match &db_url {
            Some(db) if page.is_there() => format!("{base}/?src={db}"),
            Some(db) => db.clone(),
            None => format!("{base}/"),
        };
        let has_page = page.is_there();
        Ok(Self { listener, app: App { page, bucket, root, origins }, url, db_url, is_bucket, has_page })
    }

    /// Answers until `stop` is ready, then lets running answers end within two seconds.
    ///
    /// # Errors
    /// Those of the listening socket.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let router = Router::new().fallback(answer).with_state(self.app);
        let (stopping, mut stopped) = tokio::sync::watch::channel(false);
        let signal = async move {
            stop.await;
            stopping.send_replace(true);
        };
        let serving = axum::serve(self.listener, router).with_graceful_shutdown(signal);
        let deadline = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            done = serving.into_future() => done.map_err(|error| Failure::failed(error.to_string())),
            () = deadline => Ok(()),
        }
    }
}

async fn answer(State(app): State<App>, request: Request) -> Response {
    let (method, headers) = (request.method(), request.headers());
    let Ok(path) = percent_decode_str(request.uri().path()).decode_utf8() else {
        return reply::text(StatusCode::BAD_REQUEST, "the path is not UTF-8\n");
    };
    let path = path.into_owned();
    let mut response = match (method, path.strip_prefix(app.root)) {
        (&Method::OPTIONS, _) => preflight(),
        (&Method::GET | &Method::HEAD, Some(file)) => match &app.bucket {
            // Readers of a bucket list nothing.
            Some(_) if app.root == BUCKET && file == super::index::NAME => {
                reply::text(StatusCode::NOT_FOUND, "a bucket has no listing\n")
            }
            Some(bucket) => bucket.answer(method, file, headers).await,
            None => {
                reply::text(StatusCode::NOT_FOUND, "this server was started without a database directory\n")
            }
        },
        (&Method::GET | &Method::HEAD, None) => {
            app.page.answer(method, path.strip_prefix('/').unwrap_or(&path), headers).await
        }
        _ => {
            let mut response = reply::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
            response
        }
    };
    if path.starts_with(app.root) {
        share(&app.origins, headers, &mut response);
    }
    response
}

fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    response
}

/// Lets pages of the allowed origins read the answer.
fn share(origins: &[HeaderValue], request: &HeaderMap, response: &mut Response) {
    let any = origins.iter().any(|origin| origin == "*");
    let asked = request.get(header::ORIGIN);
    let allowed = if any {
        Some(HeaderValue::from_static("*"))
    } else {
        asked.filter(|o| origins.contains(o)).cloned()
    };
    let headers = response.headers_mut();
    if !any {
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

fn parse_origin(text: &str) -> Result<HeaderValue> {
    let is_origin = text == "*"
        || text.split_once("://").is_some_and(|(_, host)| !host.is_empty() && !host.contains('/'));
    text.parse().ok().filter(|_| is_origin).ok_or_else(|| {
        Failure::usage(format!("--allow-origin {text:?} is not an origin"))
            .advise("an origin is scheme, host and port without a path, e.g. https://example.org; or *")
    })
}

/// The address that a browser on this machine can open.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("127.0.0.1:{}", address.port()) } else { address.to_string() }
}
