//! As much HTTP as the servers of these tests need: one request a connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    /// The request's line and headers, each with its line's end, without the empty line.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Reads one; `None` if the other side closed without one.
    pub(crate) fn read(stream: &TcpStream) -> io::Result<Option<Self>> {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            if line.trim().is_empty() {
                break;
            }
            head.push_str(&line);
        }
        let mut request = Self { head, body: Vec::new() };
        let size = request.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        request.body.resize(size, 0);
        reader.read_exact(&mut request.body)?;
        Ok(Some(request))
    }

    pub(crate) fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Answers, and says that the connection ends here.
pub(crate) fn answer(mut stream: &TcpStream, status: u16, headers: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {length}\r\n\
         last-modified: Sat, 01 Jan 2000 00:00:00 GMT\r\n{headers}\r\n"
    )?;
    stream.write_all(body)?;
    stream.flush()
}

/// An error as S3 writes it.
pub(crate) fn refuse(stream: &TcpStream, status: u16, code: &str) -> io::Result<()> {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>by the test</Message></Error>");
    answer(stream, status, "content-type: application/xml\r\n", body.as_bytes())
}

/// Serves connections, each on a thread, until the test's process ends.
pub(crate) fn serve(
    handle: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + Clone + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handle = handle.clone();
            // The other side may be gone: that is what some of the tests are about.
            std::thread::spawn(move || handle(stream).is_ok());
        }
    });
    address
}
