use super::{Db, ran, run, understudy};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A running `understudy serve`.
pub(super) struct Serving {
    child: Child,
    pub(super) address: String,
    url: String,
}

impl Serving {
    pub(super) fn start(arguments: &[&str]) -> Self {
        let mut child = understudy(arguments)
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        let url = told["url"].as_str().unwrap().to_owned();
        let address = url.split('/').nth(2).unwrap().to_owned();
        Self { child, address, url }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(&self.address, method, path, headers)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }
}

/// A request as it stands, without what a client library would tidy up.
fn ask(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n")
        .unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header =
        |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Answer { status, headers: lines.filter_map(header).collect(), body: all[end + 4..].to_vec() }
}

#[test]
fn a_bucket_with_ranges_tags_and_cors() {
    let db = Db::unpack("rollover");
    let page = db.beside("page");
    fs::create_dir(&page).unwrap();
    fs::write(format!("{page}/index.html"), "<!doctype html>".repeat(200)).unwrap();
    fs::write(format!("{page}/a.wasm"), "\0asm").unwrap();
    let serving = Serving::start(&["serve", &db.arg(), "--bind", "127.0.0.1:0", "--page", &page]);
    assert_eq!(serving.url, format!("http://{0}/?src=http://{0}/db/", serving.address));
    let file = "ro~6/txn_seq/_txnlog";
    let content = fs::read(db.path().join(file)).unwrap();
    let path = format!("/db/{file}");

    let whole = serving.ask("GET", &path, &[]);
    assert_eq!((whole.status, &whole.body), (200, &content));
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("content-type"), "application/octet-stream");
    assert_eq!(whole.header("access-control-allow-origin"), "*");
    assert!(whole.header("access-control-expose-headers").contains("Content-Range"));
    assert!(whole.header("last-modified").ends_with(" GMT"));
    let tag = whole.header("etag").to_owned();

    let part = serving.ask("GET", &path, &[("range", "bytes=4-11"), ("if-range", &tag)]);
    assert_eq!((part.status, part.body.as_slice()), (206, &content[4..12]));
    assert_eq!(part.header("content-range"), format!("bytes 4-11/{}", content.len()));
    let tail = serving.ask("GET", &path, &[("range", "bytes=-5")]);
    assert_eq!(tail.body, content[content.len() - 5..]);
    let beyond = serving.ask("GET", &path, &[("range", "bytes=99999999-")]);
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, format!("bytes */{}", content.len()).as_str())
    );
    let same = serving.ask("GET", &path, &[("if-none-match", &tag)]);
    assert_eq!((same.status, same.body.len()), (304, 0));
    let head = serving.ask("HEAD", &path, &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), content.len().to_string());

    let preflight = serving.ask(
        "OPTIONS",
        &path,
        &[("origin", "https://example.org"), ("access-control-request-headers", "range")],
    );
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, "*"));
    assert!(preflight.header("access-control-allow-headers").contains("Range"));
    assert_eq!(serving.ask("PUT", &path, &[]).status, 405);

    // The listing is as of now.
    let index: serde_json::Value =
        serde_json::from_slice(&serving.ask("GET", "/db/understudy-index.json", &[]).body).unwrap();
    assert_eq!(index["files"].as_array().unwrap().len(), db.recording.files.iter().count());
    // A changed byte changes the tag, even where length and time stay.
    let modified = fs::metadata(db.path().join(file)).unwrap().modified().unwrap();
    let mut changed = content;
    changed[4] ^= 1;
    std::thread::sleep(std::time::Duration::from_millis(1100));
    fs::write(db.path().join(file), &changed).unwrap();
    fs::File::options().write(true).open(db.path().join(file)).unwrap().set_modified(modified).unwrap();
    let after = serving.ask("GET", &path, &[("if-none-match", &tag)]);
    assert_eq!((after.status, after.body), (200, changed));

    // The page.
    let home = serving.ask("GET", "/?src=x", &[("accept-encoding", "gzip, br")]);
    assert_eq!((home.status, home.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(home.header("content-encoding"), "gzip");
    assert!(home.body.len() < 200);
    assert_eq!(serving.ask("GET", "/a.wasm", &[]).header("content-type"), "application/wasm");
    assert_eq!(serving.ask("GET", "/nothing", &[]).status, 404);
}

#[test]
fn never_leaves_its_directories() {
    let db = Db::unpack("v2log");
    fs::write(db.root.path().join("secret"), "not yours").unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../secret", db.path().join("link")).unwrap();
        std::os::unix::fs::symlink("..", db.path().join("up")).unwrap();
    }
    let serving = Serving::start(&[
        "serve",
        &db.arg(),
        "--bind",
        "127.0.0.1:0",
        "--allow-origin",
        "https://example.org",
    ]);
    for path in [
        "/db/../secret",
        "/db/%2e%2e/secret",
        "/db/..%2fsecret",
        "/db/%2e%2e%2fsecret",
        "/db//etc/hostname",
        "/db/link",
        "/db/up/secret",
        "/db/",
        "/db/.",
        "/db/%00",
        "/../../../etc/hostname",
        "/db/a%5c..%5c..%5csecret",
        "/db/%ff",
    ] {
        let answer = serving.ask("GET", path, &[]);
        assert!(matches!(answer.status, 400 | 403 | 404), "{path}: {}", answer.status);
        assert!(!answer.body.windows(9).any(|text| text == b"not yours"), "{path}");
    }
    let origin = |origin: &str| {
        let answer = serving.ask("GET", "/db/tables.d.0", &[("origin", origin)]);
        answer.header("access-control-allow-origin").to_owned()
    };
    assert_eq!(origin("https://example.org"), "https://example.org");
    assert_eq!(origin("https://elsewhere.org"), "");
}

#[cfg(unix)]
#[test]
fn ends_well_when_asked_to() {
    let db = Db::unpack("v2log");
    for signal in ["-TERM", "-INT"] {
        let mut serving = Serving::start(&["serve", &db.arg(), "--bind", "127.0.0.1:0"]);
        // A connection that stays open doesn't hold it up.
        let _idle = TcpStream::connect(&serving.address).unwrap();
        let id = serving.child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        let mut stderr = String::new();
        serving.child.stderr.as_mut().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(serving.child.wait().unwrap().code(), Some(0), "{stderr}");
    }
}

#[test]
fn a_taken_address_says_what_to_do() {
    let db = Db::unpack("v2log");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = run(&["serve", &db.arg(), "--bind", &address]).ends(1);
    assert!(said.stderr.contains("--bind 127.0.0.1:0"), "{}", said.stderr);
    let nowhere =
        ran(understudy(&["serve"]).current_dir(db.root.path()).arg("--bind").arg(&address).output().unwrap());
    // Without a page built in there is nothing to serve; with one the address is taken.
    assert_eq!(nowhere.code, 1);
}

/// The plainest web server: whole files, no ranges, no listings.
pub(super) struct StaticServer {
    address: String,
    requests: Arc<AtomicUsize>,
}

impl StaticServer {
    pub(super) fn start(root: PathBuf) -> Self {
        Self::with(root, false)
    }

    /// Answers every third request with 503.
    pub(super) fn stumbling(root: PathBuf) -> Self {
        Self::with(root, true)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    fn with(root: PathBuf, stumbles: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let number = counter.fetch_add(1, Ordering::Relaxed);
                let root = root.clone();
                std::thread::spawn(move || {
                    answer_plainly(stream, &root, stumbles && number.is_multiple_of(3))
                });
            }
        });
        Self { address, requests }
    }
}

fn answer_plainly(stream: TcpStream, root: &std::path::Path, stumble: bool) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    for line in lines {
        if line.is_empty() {
            break;
        }
    }
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.trim_start_matches('/').replace("%20", " ");
    let (status, body) = match fs::read(root.join(path)) {
        _ if stumble => ("503 Service Unavailable", Vec::new()),
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let mut stream = stream;
    let _ =
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    if method != "HEAD" {
        let _ = stream.write_all(&body);
    }
}
