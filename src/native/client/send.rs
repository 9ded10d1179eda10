//! Lines from a reader into a client, until all are acknowledged.

use super::drain::Drainers;
use super::drive::{Driver, Told};
use super::slot::Slot;
use super::wire::Net;
use crate::client::{
    Batch, Batcher, Counters, Finding, Goal, Happening, Host, HostState, Micros, SendError, Settings, What,
    Window,
};
use crate::native::outcome::{Failure, Result};
use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Bytes of the input that are read at once.
const CHUNK: usize = 256 << 10;
/// Between two looks at what nobody tells: progress, a wish to stop.
const LOOK: Micros = 200_000;

/// Who is told how it goes.
pub trait Listen {
    /// Something that people may want to know.
    fn note(&self, text: &str);
    /// Something that may be wrong.
    fn warn(&self, text: &str);
    /// How far it is; several times a second.
    fn progress(&self, progress: Progress);
}

/// How far sending is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows that were read.
    pub rows: u64,
    /// Rows of them that are acknowledged.
    pub acknowledged: u64,
    /// Frames that wait for their acknowledgement.
    pub waiting: u64,
    /// Bytes of the input that were read.
    pub bytes: u64,
}

/// Asks for an early end: what was read is sent, nothing more is read.
pub type Stop = Arc<AtomicBool>;

/// What became of it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Report {
    /// Rows that were read.
    pub rows: u64,
    /// Rows of them that are acknowledged.
    pub rows_acknowledged: u64,
    /// Frames that an earlier process had left in the slot.
    pub frames_recovered: u64,
    /// Frames that are not acknowledged. In a slot they stay for the next process.
    pub frames_waiting: u64,
    /// Acknowledged means: in the object store.
    pub durable: bool,
    /// The input was read to its end.
    pub complete: bool,
    /// What was counted.
    pub counters: Counters,
    /// The hosts, as they were seen last.
    pub hosts: Vec<Host>,
    /// Outages.
    pub windows: Vec<Window>,
    /// What had to be mended in the slot.
    pub findings: Vec<Finding>,
    /// Why it could not be done; `None` if all is acknowledged.
    #[serde(skip)]
    pub failure: Option<Failure>,
}

/// Sends all lines that the input has.
///
/// # Errors
/// A [`Failure`] if it can't begin. Once it has begun, the report has what went wrong.
pub fn send(
    settings: &Settings,
    input: impl Read + Send + 'static,
    stop: &Stop,
    listen: &dyn Listen,
) -> Result<Report> {
    let net = Arc::new(Net::new(settings)?);
    let slot =
        settings.sf_dir.as_deref().map(|dir| Slot::take(Path::new(dir), &settings.sender_id)).transpose()?;
    let (driver, findings) = Driver::new(settings, net.clone(), slot, Goal::Produce)?;
    let drainers = Drainers::start(settings, &net)
        .map_err(|error| Failure::failed(format!("can't look for orphans in sf_dir: {error}")))?;
    let permits = read_beside(input, driver.teller.clone())?;
    let recovered = driver.client.queue().depth();
    for finding in &findings {
        listen.warn(&format!("the slot was mended: {}", in_words(finding)));
    }
    if recovered > 0 {
        listen.note(&format!("{recovered} frames of an earlier process are sent first"));
    }
    let mut sender = Sending {
        batcher: Batcher::new(settings),
        driver,
        drainers,
        permits,
        asked: false,
        waiting: VecDeque::new(),
        in_queue: VecDeque::new(),
        rows: 0,
        acknowledged: 0,
        bytes: 0,
        ended: false,
        complete: false,
        close_by: None,
        refusals: BTreeMap::new(),
        over: false,
        failure: None,
    };
    sender.run(stop, listen);
    Ok(sender.report(recovered, findings))
}

/// Reads the input in a thread: a chunk for each permit.
fn read_beside(mut input: impl Read + Send + 'static, told: Sender<Told>) -> Result<Sender<()>> {
    let (permits, asked): (_, Receiver<()>) = channel();
    let work = move || {
        while asked.recv().is_ok() {
            let mut chunk = vec![0; CHUNK];
            let read = loop {
                match input.read(&mut chunk) {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            let told_it = match read {
                Ok(0) => told.send(Told::End(Ok(()))),
                Ok(len) => {
                    chunk.truncate(len);
                    told.send(Told::Text(chunk))
                }
                Err(error) => told.send(Told::End(Err(error))),
            };
            if told_it.is_err() {
                return;
            }
        }
    };
    let spawned = thread::Builder::new().name("input".into()).spawn(work);
    spawned.map_err(|error| Failure::failed(format!("no thread to read the input: {error}")))?;
    Ok(permits)
}

struct Sending {
    driver: Driver,
    drainers: Drainers,
    batcher: Batcher,
    permits: Sender<()>,
    /// A chunk is on its way.
    asked: bool,
    /// Frames for which there was no room yet.
    waiting: VecDeque<Batch>,
    /// Frames in the queue: FSN and rows.
    in_queue: VecDeque<(u64, u64)>,
    rows: u64,
    acknowledged: u64,
    bytes: u64,
    /// Nothing more is read.
    ended: bool,
    /// ... since there is nothing more.
    complete: bool,
    /// `close_flush_timeout_millis` after the end.
    close_by: Option<Micros>,
    /// How hosts refused in this outage, as was told.
    refusals: BTreeMap<usize, (HostState, u16)>,
    /// It can't go on.
    over: bool,
    failure: Option<Failure>,
}

impl Sending {
    fn run(&mut self, stop: &Stop, listen: &dyn Listen) {
        loop {
            self.driver.act();
            self.fill();
            self.driver.act();
            self.tell(listen);
            if self.over || self.is_over(listen) {
                return;
            }
            if stop.load(Ordering::Relaxed) && !self.ended {
                listen.note("stopping: what was read is sent, nothing more is read");
                self.end(false);
                continue;
            }
            if !self.asked && !self.ended && self.waiting.is_empty() {
                // The reader is there as long as this is.
                self.asked = self.permits.send(()).is_ok();
            }
            match self.driver.wait(Some(self.wakes_at())) {
                Some(Told::Text(text)) => {
                    self.asked = false;
                    if !self.ended {
                        self.take(&text);
                    }
                }
                Some(Told::End(read)) => {
                    if let Err(error) = &read {
                        self.failure = Some(Failure::failed(format!("can't read the input: {error}")));
                    }
                    self.end(read.is_ok());
                }
                Some(Told::Event(_)) | None => {}
            }
        }
    }

    fn take(&mut self, text: &[u8]) {
        self.bytes += text.len() as u64;
        let mut done = Vec::new();
        let taken = self.batcher.take(text, self.driver.now(), &mut done);
        self.waiting.extend(done);
        if let Err(error) = taken {
            // What was read before it is sent.
            self.failure = Some(Failure::failed(error.to_string()));
            self.end(false);
        }
    }

    fn end(&mut self, complete: bool) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.complete = complete;
        self.waiting.extend(self.batcher.finish());
    }

    /// Puts into the queue what there is room for.
    fn fill(&mut self) {
        let now = self.driver.now();
        self.waiting.extend(self.batcher.due(now));
        while let Some(batch) = self.waiting.front() {
            match self.driver.client.send(batch.bytes.clone(), now) {
                Ok(fsn) => {
                    self.rows += batch.rows;
                    self.in_queue.push_back((fsn, batch.rows));
                    self.waiting.pop_front();
                }
                Err(SendError::Wait(_)) => break,
                // Told by `is_over`, with the numbers.
                Err(SendError::Stopped(_)) => break,
                Err(error) => {
                    self.failure = Some(Failure::failed(error.to_string()).advise(self.advice()));
                    self.over = true;
                    break;
                }
            }
        }
        let acked = self.driver.client.queue().acked();
        while let Some((_, rows)) = self.in_queue.pop_front_if(|(fsn, _)| *fsn < acked) {
            self.acknowledged += rows;
        }
    }

    /// True if there is nothing more to wait for.
    fn is_over(&mut self, listen: &dyn Listen) -> bool {
        if let Some(error) = self.driver.client.stopped().map(ToString::to_string) {
            self.failure = Some(Failure::failed(error).advise(self.advice()));
            return true;
        }
        if !self.ended || !self.waiting.is_empty() {
            return false;
        }
        let (now, settings) = (self.driver.now(), self.driver.client.settings());
        let patience = settings.close_flush_timeout_ms.saturating_mul(1000);
        let close_by = *self.close_by.get_or_insert(now.saturating_add(patience));
        self.driver.client.finish();
        if self.driver.client.is_done() && self.drainers.are_done() {
            return true;
        }
        if now < close_by {
            return false;
        }
        let left = self.driver.client.queue().depth();
        if left > 0 {
            let what = format!(
                "{left} frames are not acknowledged within close_flush_timeout_millis ({} ms)",
                patience / 1000
            );
            self.failure = Some(Failure::failed(what).advise(self.advice()));
        } else if !self.drainers.are_done() {
            listen.warn("orphans are left: there was no time to drain them all");
        }
        true
    }

    fn advice(&self) -> String {
        match &self.driver.client.settings().sf_dir {
            Some(dir) => format!(
                "what is not acknowledged stays in {dir}/{} and is sent first by the next run with the same sf_dir",
                self.driver.client.settings().sender_id
            ),
            None => "what is not acknowledged is lost with this process; sf_dir keeps it".into(),
        }
    }

    fn wakes_at(&self) -> Micros {
        let soon = self.driver.now().saturating_add(LOOK);
        let send = self.driver.client.send_deadline();
        [Some(soon), self.batcher.wakes_at(), send, self.close_by].into_iter().flatten().min().unwrap_or(soon)
    }

    fn tell(&mut self, listen: &dyn Listen) {
        let hosts: Vec<Box<str>> =
            self.driver.client.walk().hosts().iter().map(|host| host.addr.clone()).collect();
        for happening in self.driver.client.journal_mut().take() {
            if self.is_news(&happening) {
                tell_one(listen, &hosts, &happening);
            }
        }
        for warning in self.drainers.take_warnings() {
            listen.warn(&warning);
        }
        while let Some(error) = self.driver.client.take_error() {
            if self.driver.client.stopped().is_none() {
                listen.warn(&error.to_string());
            }
        }
        listen.progress(Progress {
            rows: self.rows,
            acknowledged: self.acknowledged,
            waiting: self.driver.client.queue().depth(),
            bytes: self.bytes,
        });
    }

    /// False for a host that refuses once more as it did before.
    fn is_news(&mut self, happening: &Happening) -> bool {
        match (&happening.what, happening.host) {
            (What::Refused { state, status }, Some(host)) => {
                self.refusals.insert(host, (*state, *status)) != Some((*state, *status))
            }
            (What::Connected { .. }, _) => {
                self.refusals.clear();
                true
            }
            _ => true,
        }
    }

    fn report(mut self, frames_recovered: u64, findings: Vec<Finding>) -> Report {
        self.fill();
        let client = &self.driver.client;
        let mut counters = client.counters().clone();
        [
            counters.active_background_drainers,
            counters.total_background_drainers_succeeded,
            counters.total_background_drainers_failed,
        ] = self.drainers.counts();
        Report {
            rows: self.rows,
            rows_acknowledged: self.acknowledged,
            frames_recovered,
            frames_waiting: client.queue().depth(),
            durable: client.settings().request_durable_ack,
            complete: self.complete,
            counters,
            hosts: client.walk().hosts().to_vec(),
            windows: client.journal().windows().cloned().collect(),
            findings,
            failure: self.failure,
        }
    }
}

/// What happened, for people.
fn tell_one(listen: &dyn Listen, hosts: &[Box<str>], happening: &Happening) {
    let host = happening.host.and_then(|host| hosts.get(host)).map_or("", |host| host);
    match &happening.what {
        What::Connected { role, replays } => {
            let role = role.map_or(String::new(), |role| format!(" ({role})"));
            let again =
                if *replays > 0 { format!(", {replays} frames are sent again") } else { String::new() };
            listen.note(&format!("connected to {host}{role}{again}"));
        }
        What::Refused { state, status: 0 } => listen.note(&format!("{host}: no connection ({state:?})")),
        What::Refused { state, status } => listen.note(&format!("{host}: answered {status} ({state:?})")),
        What::Lost { why } => listen.warn(&format!("{host}: connection lost: {why}")),
        What::Resumed { after_us } => {
            listen.note(&format!("{host}: acknowledges again, after {} ms", after_us / 1000));
        }
        What::Stalled => listen.note("the queue is full: reading pauses"),
        What::Disk { why } => listen.warn(&format!("the slot can't be written, tried again: {why}")),
        What::Connecting
        | What::Waiting { .. }
        | What::Rejected { .. }
        | What::GaveUp { .. }
        | What::Stopped { .. } => {}
    }
}

fn in_words(finding: &Finding) -> String {
    match finding {
        Finding::TornTail { file, offset, bytes } => {
            format!("{file}: a frame at offset {offset} was not whole, {bytes} bytes are cut off")
        }
        Finding::SetAside { file, why } => format!("{file} is renamed to {file}.corrupt: {why}"),
        Finding::WatermarkIgnored { fsn } => {
            format!(".ack-watermark says frame {fsn}, which is not there; frames may be sent twice")
        }
    }
}
