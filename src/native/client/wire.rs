//! One connection to a server: ILP over HTTP.
//!
//! To connect is to ask `GET /settings` whether the server takes writes; a frame is a `POST /write`. A connection is a
//! thread of its own, so that one that hangs can be left to itself.

use super::drive::Told;
use crate::client::{Conn, Event, Found, Login, Rejection, Role, Safe, Scheme, Settings};
use crate::native::outcome::{Failure, Result};
use bytes::Bytes;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::redirect::Policy;
use reqwest::{Certificate, header};
use std::error::Error as _;
use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Asks for durable acknowledgement, as QWP's clients do.
const REQUEST_DURABLE: &str = "x-qwp-request-durable-ack";
/// A server that offers it answers with this, `enabled`.
const DURABLE: &str = "x-qwp-durable-ack";
const ROLE: &str = "x-questdb-role";
const ZONE: &str = "x-questdb-zone";
/// Longest answer that is read, in bytes.
const ANSWER_MAX: u64 = 1 << 20;
/// Longest file of trusted authorities, in bytes.
const ROOTS_MAX: u64 = 16 << 20;

/// What all connections of a client have in common.
#[derive(Debug)]
pub struct Net {
    scheme: &'static str,
    addrs: Vec<Box<str>>,
    login: Login,
    connect_timeout: Option<Duration>,
    durable: bool,
    verify: bool,
    roots: Vec<Certificate>,
}

/// One connection. It ends when this is dropped, or with the request that is under way.
#[derive(Debug)]
pub struct Wire {
    /// Its name.
    pub conn: Conn,
    jobs: Sender<Job>,
}

/// A frame to be sent.
#[derive(Debug)]
struct Job {
    seq: u64,
    bytes: Bytes,
    durable: bool,
    within: Option<Duration>,
}

impl Net {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// A [`Failure`] for a protocol that is not there yet, or authorities that can't be read.
    pub fn new(settings: &Settings) -> Result<Self> {
        let scheme = match settings.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Ws | Scheme::Wss => {
                return Err(Failure::usage("this command does not speak QWP (ws::, wss::)")
                    .advise("use http:: or https:: with the same hosts"));
            }
        };
        // An error means that somebody else chose a provider before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let roots = settings.tls_roots.as_deref().map(read_roots).transpose()?.unwrap_or_default();
        Ok(Self {
            scheme,
            addrs: settings.addrs.clone(),
            login: settings.login.clone(),
            connect_timeout: settings.connect_timeout_ms.map(Duration::from_millis),
            durable: settings.request_durable_ack,
            verify: settings.tls_verify,
            roots,
        })
    }

    fn client(&self) -> std::result::Result<Client, String> {
        let mut builder = Client::builder()
            .user_agent(concat!("understudy/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(1)
            .tcp_nodelay(true)
            .timeout(None)
            .connect_timeout(self.connect_timeout);
        if !self.verify {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if !self.roots.is_empty() {
            builder = builder.tls_certs_only(self.roots.clone());
        }
        builder.build().map_err(|error| chain(&error))
    }

    fn with_login(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.login {
            Login::None => request,
            Login::Basic { username, password } => request.basic_auth(username, Some(password.reveal())),
            Login::Bearer(token) => request.bearer_auth(token.reveal()),
        }
    }
}

impl Wire {
    /// Begins to connect; what comes of it is told.
    pub(super) fn open(net: Arc<Net>, conn: Conn, host: usize, within: Duration, told: Sender<Told>) -> Self {
        let (jobs, todo) = channel();
        let work = move || {
            let Some(addr) = net.addrs.get(host) else { return };
            // The one who waited may be gone.
            let tell = |event| told.send(Told::Event(event)).is_ok();
            let url = format!("{}://{addr}", net.scheme);
            match net.client() {
                Ok(client) => serve(&net, &client, &url, conn, within, &todo, &tell),
                Err(why) => _ = tell(Event::Broke { conn, by_server: false, why: why.into() }),
            }
        };
        if thread::Builder::new().name(format!("wire-{conn}")).spawn(work).is_err() {
            // As a connection that hangs: the client's own time-out ends it.
            tracing::error!("no thread for a connection");
        }
        Self { conn, jobs }
    }

    /// Has a frame sent. Its answer is told.
    pub fn send(&self, seq: u64, bytes: Bytes, durable: bool, within: Option<Duration>) {
        // A connection that has ended told so.
        let _ = self.jobs.send(Job { seq, bytes, durable, within });
    }
}

fn serve(
    net: &Net,
    client: &Client,
    url: &str,
    conn: Conn,
    within: Duration,
    todo: &Receiver<Job>,
    tell: &dyn Fn(Event) -> bool,
) {
    let (found, durable) = connect(net, client, url, within);
    let goes_on = matches!(found, Found::Connected { .. });
    if !tell(Event::Found { conn, found, durable }) || !goes_on {
        return;
    }
    while let Ok(job) = todo.recv() {
        let event = write(net, client, url, conn, job);
        let goes_on = matches!(event, Event::Ok { .. });
        if !tell(event) || !goes_on {
            return;
        }
    }
}

/// Asks whether the server takes writes, and whether it offers durable acknowledgement.
fn connect(net: &Net, client: &Client, url: &str, within: Duration) -> (Found, bool) {
    let mut request = net.with_login(client.get(format!("{url}/settings"))).timeout(within);
    if net.durable {
        request = request.header(REQUEST_DURABLE, "true");
    }
    let response = match request.send() {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!("{url}: {}", chain(&error));
            return (Found::Unreachable, false);
        }
    };
    let (status, role, zone) = (response.status().as_u16(), role(&response), text(&response, ZONE));
    let durable = text(&response, DURABLE).is_some_and(|word| word.eq_ignore_ascii_case("enabled"));
    if status != 200 {
        return (Found::Status { status, role, zone }, durable);
    }
    let Ok(body) = body(response) else { return (Found::Unreachable, false) };
    if refuses_writes(&body) {
        // It says so in another way than 421, and means the same.
        return (Found::Status { status: 421, role: role.or(Some(Role::Other)), zone }, durable);
    }
    (Found::Connected { role, zone }, durable)
}

/// True if `/settings` says that HTTP is not among the ways to write.
fn refuses_writes(settings: &[u8]) -> bool {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(settings).ok();
    let ways =
        parsed.as_ref().and_then(|document| document.get("config")?.get("accepting.writes")?.as_array());
    ways.is_some_and(|ways| !ways.iter().any(|way| way == "http"))
}

fn write(net: &Net, client: &Client, url: &str, conn: Conn, job: Job) -> Event {
    let Job { seq, bytes, durable, within } = job;
    let query = if durable { "precision=n&durable=1" } else { "precision=n" };
    let mut request = net
        .with_login(client.post(format!("{url}/write?{query}")))
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(bytes);
    if let Some(within) = within {
        request = request.timeout(within);
    }
    let response = match request.send() {
        Ok(response) => response,
        Err(error) => {
            // Nobody has seen the frame whose connection could not be made; silence says nothing about it.
            let by_server = !error.is_timeout() && !error.is_connect() && !error.is_builder();
            return Event::Broke { conn, by_server, why: chain(&error).into() };
        }
    };
    let (status, role) = (response.status(), role(&response));
    if status.is_success() {
        let safe = if durable { Safe::Durable } else { Safe::Written };
        return Event::Ok { conn, seq, safe };
    }
    let message = body(response).map(|body| message(&body)).unwrap_or_default();
    match Rejection::of_http(status.as_u16(), role, &message) {
        Some(rejection) => Event::Rejected { conn, seq, rejection },
        None => {
            let why = format!("the server answered {status} {message}").trim_end().into();
            Event::Broke { conn, by_server: false, why }
        }
    }
}

/// The words of an error's document, or the text itself.
fn message(body: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let field = |name: &str| parsed.as_ref().and_then(|document| document.get(name));
    match (field("message").and_then(serde_json::Value::as_str), field("errorId")) {
        (Some(message), Some(id)) => format!("{message} (errorId {})", id.as_str().unwrap_or_default()),
        (Some(message), None) => message.to_owned(),
        (None, _) => String::from_utf8_lossy(body).trim().to_owned(),
    }
}

fn body(response: Response) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    response.take(ANSWER_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(response: &Response, name: &str) -> Option<Box<str>> {
    response.headers().get(name)?.to_str().ok().filter(|value| !value.is_empty()).map(Into::into)
}

fn role(response: &Response) -> Option<Role> {
    text(response, ROLE).map(|name| Role::parse(&name))
}

fn read_roots(path: &str) -> Result<Vec<Certificate>> {
    let failed = |what: String| {
        Failure::failed(format!("{path}: {what}"))
            .advise("tls_roots is a PEM file with the authorities to trust")
    };
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(ROOTS_MAX).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    let roots = Certificate::from_pem_bundle(&bytes).map_err(|error| failed(chain(&error)))?;
    if roots.is_empty() { Err(failed("no certificate in it".into())) } else { Ok(roots) }
}

/// An error with its causes, without the URL: the client knows the host.
fn chain(error: &reqwest::Error) -> String {
    let mut words = if error.is_timeout() { "no answer in time".to_owned() } else { String::new() };
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !words.contains(&next) {
            words += if words.is_empty() { "" } else { ": " };
            words += &next;
        }
        cause = error.source();
    }
    if words.is_empty() { "the request failed".into() } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_a_server_tell_whether_it_takes_writes() {
        assert!(!refuses_writes(br#"{"config":{"accepting.writes":["http", "tcp"]}}"#));
        assert!(refuses_writes(br#"{"config":{"accepting.writes":["tcp"]}}"#));
        assert!(refuses_writes(br#"{"config":{"accepting.writes":[]}}"#));
        assert!(!refuses_writes(br#"{"config":{}}"#), "older servers don't say");
        assert!(!refuses_writes(b"no JSON"));
    }

    #[test]
    fn words_of_an_error() {
        let body = br#"{"code":"invalid","message":"failed to parse line protocol:errors encountered on line(s):...","line":2,"errorId":"ab-1"}"#;
        assert_eq!(
            message(body),
            "failed to parse line protocol:errors encountered on line(s):... (errorId ab-1)"
        );
        assert_eq!(message(b"plain \n"), "plain");
    }
}
