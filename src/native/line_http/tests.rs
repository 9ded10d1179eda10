use super::*;
use crate::native::primary::Log;
use crate::native::store::{CommitMode, RealDisk};
use crate::node::write::Options;
use std::io::Write as _;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Node {
    log: Mutex<Log>,
    role: Mutex<Option<&'static str>>,
    durable: Semaphore,
}

impl Writes for Node {
    fn refuses(&self) -> Option<&'static str> {
        *self.role.lock().unwrap()
    }

    async fn write(
        &self,
        body: Vec<u8>,
        precision: Unit,
        durable: bool,
    ) -> std::result::Result<(), LineError> {
        let written = self.log.lock().unwrap().write(body, precision, 5);
        written.map_err(|error| error.told())?;
        if durable {
            self.durable.acquire().await.unwrap().forget();
        }
        Ok(())
    }
}

async fn start(limits: Limits) -> (tempfile::TempDir, Arc<Node>, Server) {
    let db = tempfile::tempdir().unwrap();
    let disk = Arc::new(RealDisk::open(db.path()).unwrap());
    let log = Log::open(disk, CommitMode::NoSync, Options::default()).unwrap();
    let node = Node { log: Mutex::new(log), role: Mutex::new(None), durable: Semaphore::new(0) };
    let node = Arc::new(node);
    let server = Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), node.clone(), limits).await.unwrap();
    (db, node, server)
}

async fn ask(address: SocketAddr, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!("{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn answers_as_the_server_does() {
    let (_db, node, server) = start(Limits::default()).await;
    let write = |query: &'static str, body: &'static [u8]| async move {
        ask(server.address, &format!("POST /write{query} HTTP/1.1"), body).await
    };
    assert!(write("", b"t a=1 1\n").await.starts_with("HTTP/1.1 204"));
    assert!(write("?precision=s", b"t a=2 1\n").await.starts_with("HTTP/1.1 204"));
    let answer = write("?precision=fortnights", b"t a=2 1\n").await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("unsupported precision"), "{answer}");
    let answer = write("", b"t a=3 1\nt a=\"x\" 2\n").await;
    assert!(answer.contains("content-type: application/json; charset=utf-8"), "{answer}");
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["code"], &body["line"]), (&"invalid".into(), &2.into()));
    let settings = ask(server.address, "GET /settings HTTP/1.1", b"").await;
    assert!(settings.contains("\"line.proto.support.versions\":[1,2,3]"), "{settings}");
    assert!(settings.contains("x-qwp-durable-ack: enabled"), "{settings}");
    let ping = ask(server.address, "GET /ping HTTP/1.1", b"").await;
    assert!(ping.starts_with("HTTP/1.1 204") && ping.contains("x-influxdb-version"), "{ping}");
    *node.role.lock().unwrap() = Some("replica");
    let settings = ask(server.address, "GET /settings HTTP/1.1", b"").await;
    assert!(settings.contains("x-questdb-role: replica") && !settings.contains("durable"), "{settings}");
    assert!(settings.contains("\"accepting.writes\":[]"), "{settings}");
    let answer = ask(server.address, "POST /api/v2/write HTTP/1.1", b"t a=4 1\n").await;
    assert!(answer.starts_with("HTTP/1.1 421") && answer.contains("x-questdb-role: replica"), "{answer}");
    let last = node.log.lock().unwrap().tables().next().unwrap().1;
    assert_eq!(last, 2, "two requests were taken");
}

#[tokio::test]
async fn bodies_may_be_packed_and_have_a_length() {
    let limits = Limits { body: 4096, ..Limits::default() };
    let (_db, node, server) = start(limits).await;
    let pack = |body: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let head = "POST /write HTTP/1.1\r\nContent-Encoding: gzip";
    assert!(ask(server.address, head, &pack(b"t a=1 1\n")).await.starts_with("HTTP/1.1 204"));
    assert!(ask(server.address, head, b"not packed").await.starts_with("HTTP/1.1 415"));
    assert!(ask(server.address, head, &pack(&[b'\n'; 10_000])).await.starts_with("HTTP/1.1 413"));
    assert!(ask(server.address, "POST /write HTTP/1.1", &[b'\n'; 5000]).await.starts_with("HTTP/1.1 413"));
    assert_eq!(node.log.lock().unwrap().tables().next().unwrap().1, 1);
}

#[tokio::test]
async fn a_durable_write_is_answered_once_it_is_durable() {
    let (_db, node, server) = start(Limits::default()).await;
    let address = server.address;
    let asked =
        tokio::spawn(async move { ask(address, "POST /write?durable=1 HTTP/1.1", b"t a=1 1\n").await });
    while node.log.lock().unwrap().tables().count() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!asked.is_finished());
    node.durable.add_permits(1);
    assert!(asked.await.unwrap().starts_with("HTTP/1.1 204"));
}
