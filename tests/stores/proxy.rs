//! A proxy that does to some requests what networks do.

use super::http::{Request, refuse, serve};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What happens to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It reaches the store, which answers; the answer is lost.
    CutAfter,
    /// It does not reach the store.
    CutBefore,
    /// It reaches the store this late.
    Late(Duration),
    /// It does not reach the store; this is answered in its place.
    Answer(u16, &'static str),
}

/// Faults for the next requests; when there are none left, requests pass.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    faults: Arc<Mutex<VecDeque<Fault>>>,
}

impl Proxy {
    /// In front of a server on this port.
    pub(crate) fn before(port: u16) -> Self {
        let faults: Arc<Mutex<VecDeque<Fault>>> = Arc::default();
        let upstream = SocketAddr::from(([127, 0, 0, 1], port));
        let next = Arc::clone(&faults);
        let address = serve(move |stream| {
            let Some(request) = Request::read(&stream)? else { return Ok(()) };
            let fault = next.lock().expect("not poisoned").pop_front();
            pass(stream, &request, upstream, fault)
        });
        Self { port: address.port(), faults }
    }

    /// The next requests meet these.
    pub(crate) fn expect(&self, faults: impl IntoIterator<Item = Fault>) {
        *self.faults.lock().expect("not poisoned") = faults.into_iter().collect();
    }

    /// True if all that were expected have met a request.
    pub(crate) fn is_through(&self) -> bool {
        self.faults.lock().expect("not poisoned").is_empty()
    }
}

fn pass(
    mut stream: TcpStream,
    request: &Request,
    upstream: SocketAddr,
    fault: Option<Fault>,
) -> io::Result<()> {
    match fault {
        Some(Fault::CutBefore) => return stream.shutdown(Shutdown::Both),
        Some(Fault::Answer(status, code)) => return refuse(&stream, status, code),
        Some(Fault::Late(by)) => std::thread::sleep(by),
        Some(Fault::CutAfter) | None => {}
    }
    let mut server = TcpStream::connect(upstream)?;
    // Not among the headers that signatures cover.
    server.write_all(format!("{}connection: close\r\n\r\n", request.head).as_bytes())?;
    server.write_all(&request.body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    if fault == Some(Fault::CutAfter) {
        return stream.shutdown(Shutdown::Both);
    }
    stream.write_all(&answer)?;
    stream.shutdown(Shutdown::Write)
}
