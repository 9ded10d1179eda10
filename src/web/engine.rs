use super::dto::{self, to_js};
use super::failure::{Failure, FailureKind};
use super::files::{OnProgress, WebFiles};
use super::origin::Origin;
use super::overview::{Listed, list};
use super::slot::Slot;
use super::{bytes_view, js, state, transaction};
use crate::columnar;
use crate::replay::{self, History, Player};
use crate::wal::{Error, Files, TableToken};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

mod memory;
#[cfg(feature = "web-parquet")]
mod parts;
mod refresh;

/// Memory budget where none is asked for.
const MEMORY_DEFAULT: usize = 512 << 20;
/// Bytes that one call of `raw` gives, at most.
const RAW_MAX: u64 = 1 << 20;
/// Rows that one call of `rows` gives, at most.
const ROWS_MAX: usize = 1_000_000;

type Outcome<T> = std::result::Result<T, Failure>;
type JsOutcome = std::result::Result<JsValue, JsValue>;

/// A database directory opened for replay: the class `Replay` of `pkg/types.d.ts`, without its promise
/// queue, which `pkg/index.js` adds.
#[wasm_bindgen]
pub struct Engine {
    files: WebFiles,
    title: String,
    memory: usize,
    slots: RefCell<BTreeMap<String, Slot>>,
    listed: RefCell<Listed>,
    let_go: RefCell<Vec<String>>,
    on_progress: Option<js_sys::Function>,
    phase: Cell<&'static str>,
    clock: Cell<u64>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens a directory behind a web server.
    ///
    /// # Errors
    /// An `Error` with the fields of [`Failure`].
    #[wasm_bindgen(js_name = openUrl)]
    pub async fn open_url(
        url: String,
        title: String,
        memory: Option<f64>,
        on_progress: Option<js_sys::Function>,
    ) -> std::result::Result<Engine, JsValue> {
        Ok(Self::open(Origin::web(&url)?, title, memory, on_progress).await?)
    }

    /// Opens a `Map` of `Blob`s by path relative to the `db` directory.
    ///
    /// # Errors
    /// As [`open_url`](Self::open_url).
    #[wasm_bindgen(js_name = openFiles)]
    pub async fn open_files(
        files: JsValue,
        title: String,
        memory: Option<f64>,
        on_progress: Option<js_sys::Function>,
    ) -> std::result::Result<Engine, JsValue> {
        Ok(Self::open(Origin::blobs(&files)?, title, memory, on_progress).await?)
    }

    /// All tables.
    ///
    /// # Errors
    /// None.
    pub fn overview(&self) -> JsOutcome {
        Ok(to_js(&self.listed.borrow().overview(&self.title))?)
    }

    /// Kind, time and rows of every transaction of a table.
    ///
    /// # Errors
    /// An `Error` with the fields of [`Failure`].
    pub async fn timeline(&self, dir: String) -> JsOutcome {
        self.phase.set("log");
        self.drive(|files| {
            self.with_slot(&dir, |slot| replay::timeline(files, &slot.history, &mut slot.marks))
        })
        .await?;
        let slots = self.slots.borrow();
        let marks = slots.get(&dir).map_or(&[][..], |slot| &slot.marks);
        let commit_us: Vec<f64> = marks.iter().map(|mark| mark.commit_ts as f64).collect();
        let kind: Vec<u8> = marks.iter().map(|mark| mark.kind as u8).collect();
        let rows: Vec<f64> = marks.iter().map(|mark| mark.rows.map_or(-1.0, |rows| rows as f64)).collect();
        let timeline = js_sys::Object::new();
        set(&timeline, "dir", &JsValue::from(dir.as_str()));
        set(&timeline, "commitUs", &js_sys::Float64Array::from(&commit_us[..]));
        set(&timeline, "kind", &js_sys::Uint8Array::from(&kind[..]));
        set(&timeline, "rows", &js_sys::Float64Array::from(&rows[..]));
        Ok(timeline.into())
    }

    /// Moves a table to just after a transaction.
    ///
    /// # Errors
    /// An `Error` with the fields of [`Failure`].
    pub async fn seek(&self, dir: String, seq_txn: f64) -> JsOutcome {
        let target = if seq_txn.is_finite() && seq_txn > 0.0 { seq_txn as u64 } else { 0 };
        let told = self.move_to(&dir, target).await?;
        Ok(to_js(&told)?)
    }

    /// Moves a table by some transactions from where it stands.
    ///
    /// # Errors
    /// As [`seek`](Self::seek).
    pub async fn step(&self, dir: String, by: f64) -> JsOutcome {
        let at = {
            let slots = self.slots.borrow();
            slots.get(&dir).map_or(0, Slot::seq_txn)
        };
        self.seek(dir, at as f64 + by).await
    }

    /// The state where a table stands.
    ///
    /// # Errors
    /// If the table was never moved to.
    pub fn state(&self, dir: &str) -> JsOutcome {
        Ok(to_js(&self.told(dir)?)?)
    }

    /// Rows of a table where it stands, as Arrow IPC stream bytes.
    ///
    /// # Errors
    /// If the table was never moved to, or rows are too large for Arrow.
    pub async fn rows(
        &self,
        dir: String,
        first: f64,
        count: f64,
    ) -> std::result::Result<js_sys::Uint8Array, JsValue> {
        let rows = window(first, count);
        self.bring_back(&dir, rows.clone()).await?;
        let bytes = self.standing(&dir, |player| columnar::stream(player.table(), rows))?;
        let bytes = bytes.map_err(|error| Failure::new(FailureKind::Usage, error.to_string()))?;
        Ok(js_sys::Uint8Array::from(&bytes[..]))
    }

    /// Rows of a table where it stands, as text.
    ///
    /// # Errors
    /// If the table was never moved to.
    #[wasm_bindgen(js_name = rowsText)]
    pub async fn rows_text(&self, dir: String, first: f64, count: f64) -> JsOutcome {
        let rows = window(first, count);
        self.bring_back(&dir, rows.clone()).await?;
        let told = self.standing(&dir, |player| {
            state::rows_text(player.table(), rows.start, rows.len(), player.effect())
        })?;
        Ok(to_js(&told)?)
    }

    /// One transaction down to its bytes.
    ///
    /// # Errors
    /// An `Error` with the fields of [`Failure`].
    pub async fn bytes(&self, dir: String, seq_txn: f64) -> JsOutcome {
        self.phase.set("rows");
        let seq_txn = seq_txn as u64;
        let told = self
            .drive(|files| self.with_slot(&dir, |slot| bytes_view::bytes_view(files, &slot.history, seq_txn)))
            .await?;
        Ok(to_js(&told)?)
    }

    /// Raw bytes of a file, as far as it goes; at most 1 MiB.
    ///
    /// # Errors
    /// An `Error` with the fields of [`Failure`].
    pub async fn raw(
        &self,
        path: String,
        offset: f64,
        length: f64,
    ) -> std::result::Result<js_sys::Uint8Array, JsValue> {
        self.phase.set("rows");
        let bytes = self
            .drive(|files| {
                let size = files.len(&path)?;
                let offset = (offset as u64).min(size);
                files.read(&path, offset, (length as u64).min(RAW_MAX).min(size - offset))
            })
            .await?;
        Ok(js_sys::Uint8Array::from(&bytes[..]))
    }

    /// What was really read, and what is held.
    ///
    /// # Errors
    /// None.
    pub fn fetched(&self) -> JsOutcome {
        let read = self.files.fetched();
        let counts = self.files.origin().client().map(|client| client.counts()).unwrap_or_default();
        Ok(to_js(&dto::Fetched {
            requests: counts.requests,
            bytes: read.bytes as f64,
            files: read.files,
            ranges_honoured: read.ranges_honoured,
            retries: counts.retries,
            memory_used: (self.rows_held() + read.held) as f64,
            memory_limit: self.memory as f64,
            let_go: self.let_go(),
        })?)
    }

    /// The files of which anything was read.
    ///
    /// # Errors
    /// None.
    #[wasm_bindgen(js_name = readFiles)]
    pub fn read_files(&self) -> JsOutcome {
        Ok(to_js(&self.files.read_files())?)
    }
}

impl Engine {
    async fn open(
        origin: Origin,
        title: String,
        memory: Option<f64>,
        on_progress: Option<js_sys::Function>,
    ) -> Outcome<Self> {
        let memory = memory.filter(|&bytes| bytes >= 1.0).map_or(MEMORY_DEFAULT, |bytes| bytes as usize);
        // A quarter is for bytes as fetched, half for rows; what is left is for work in progress.
        let files = WebFiles::open(origin, memory / 4).await?;
        let engine = Self {
            files,
            title,
            memory,
            slots: RefCell::default(),
            listed: RefCell::default(),
            let_go: RefCell::default(),
            on_progress,
            phase: Cell::new("tables"),
            clock: Cell::new(0),
        };
        let tokens = match engine.drive(|files| replay::tables(files)).await {
            Ok(tokens) => tokens,
            Err(failure) if failure.kind == FailureKind::Missing => {
                return Err(not_a_database(engine.files.origin(), &failure));
            }
            Err(failure) => return Err(failure),
        };
        engine.phase.set("log");
        let listed = engine.list(tokens).await?;
        engine.listed.replace(listed);
        Ok(engine)
    }

    /// Reads the logs of all tables at once.
    async fn list(&self, tokens: Vec<TableToken>) -> Outcome<Listed> {
        let read: RefCell<BTreeMap<String, crate::wal::Result<History>>> = RefCell::default();
        self.drive(|files| {
            let mut read = read.borrow_mut();
            let mut pending = false;
            for token in &tokens {
                if !read.contains_key(&token.dir) {
                    match History::read(files, token) {
                        Err(Error::Pending) => pending = true,
                        answer => drop(read.insert(token.dir.clone(), answer)),
                    }
                }
            }
            if pending { Err(Error::Pending) } else { Ok(()) }
        })
        .await?;
        let (listed, histories) = list(tokens, read.into_inner(), self.files.has_listing());
        let mut slots = self.slots.borrow_mut();
        for (dir, history) in histories {
            if !slots.get_mut(&dir).is_some_and(|slot| slot.renew(&history)) {
                slots.insert(dir, Slot::new(history));
            }
        }
        drop(slots);
        Ok(listed)
    }

    async fn move_to(&self, dir: &str, target: u64) -> Outcome<dto::TableState> {
        self.phase.set("rows");
        self.make_room(dir);
        let fetching = Cell::new(0.0);
        let before = self.standing(dir, Player::spent).unwrap_or_default();
        let moved = self
            .drive_timed(&fetching, |files| {
                self.with_slot(dir, |slot| {
                    let player = slot.player(self.memory / 2)?;
                    player.seek(files, target)
                })
            })
            .await;
        // Beyond a transaction that can't be read the table stands before it: say so, but show it.
        if let Err(failure) = &moved
            && (failure.kind == FailureKind::Network || self.standing(dir, |_| ()).is_err())
        {
            return Err(failure.clone());
        }
        if let Some(slot) = self.slots.borrow().get(dir) {
            let problems = slot.stopped(moved.err()).into_iter().chain(slot.differences());
            problems.for_each(|problem| self.listed.borrow_mut().add(problem));
        }
        let told = self
            .drive_timed(&fetching, |files| {
                self.with_slot(dir, |slot| {
                    let Some(player) = &slot.player else { return Ok(None) };
                    let (table, effect) = (player.table(), player.effect());
                    transaction::describe(files, &slot.history, table.seq_txn, table, effect)
                })
            })
            .await?;
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(dir).ok_or_else(|| unknown_table(dir))?;
        let after = slot.player.as_ref().map(Player::spent).unwrap_or_default();
        slot.spent = dto::Spent {
            fetch: fetching.get() + after.ask - before.ask,
            decode: after.decode - before.decode,
            apply: after.apply - before.apply,
        };
        let mut state = slot.told().ok_or_else(|| unknown_table(dir))?;
        state.transaction = told;
        Ok(state)
    }

    fn told(&self, dir: &str) -> Outcome<dto::TableState> {
        let slots = self.slots.borrow();
        let slot = slots.get(dir).ok_or_else(|| unknown_table(dir))?;
        let mut state = slot.told().ok_or_else(|| not_moved(dir))?;
        if let Some(player) = &slot.player {
            let (table, effect) = (player.table(), player.effect());
            // What the move read is still here; nothing is fetched for this.
            state.transaction =
                transaction::describe(&self.files, &slot.history, table.seq_txn, table, effect)
                    .ok()
                    .flatten();
        }
        Ok(state)
    }

    fn standing<T>(&self, dir: &str, look: impl FnOnce(&Player) -> T) -> Outcome<T> {
        let slots = self.slots.borrow();
        let slot = slots.get(dir).ok_or_else(|| unknown_table(dir))?;
        slot.player.as_ref().map(look).ok_or_else(|| not_moved(dir))
    }

    fn with_slot<T>(
        &self,
        dir: &str,
        call: impl FnOnce(&mut Slot) -> crate::wal::Result<T>,
    ) -> crate::wal::Result<T> {
        let mut slots = self.slots.borrow_mut();
        match slots.get_mut(dir) {
            Some(slot) => call(slot),
            None => Err(Error::Absent { file: dir.into() }),
        }
    }

    async fn drive<T>(&self, attempt: impl FnMut(&WebFiles) -> crate::wal::Result<T>) -> Outcome<T> {
        self.drive_timed(&Cell::default(), attempt).await
    }

    /// Makes a call of the engine again and again, with what it asked for fetched in between. Adds the
    /// milliseconds spent on that to `fetching`.
    async fn drive_timed<T>(
        &self,
        fetching: &Cell<f64>,
        mut attempt: impl FnMut(&WebFiles) -> crate::wal::Result<T>,
    ) -> Outcome<T> {
        self.files.forget_failures();
        loop {
            self.files.begin_attempt();
            match attempt(&self.files) {
                Ok(value) => return Ok(value),
                Err(Error::Pending) => {}
                Err(error) => return Err(self.files.failure_of(error)),
            }
            let begun = js::now();
            if !self.files.fetch_wanted(self.progress()).await {
                return Err(Failure::new(
                    FailureKind::Usage,
                    "the engine waits for bytes that it did not ask for",
                ));
            }
            fetching.set(fetching.get() + js::now() - begun);
        }
    }

    fn progress(&self) -> Option<OnProgress> {
        let call = self.on_progress.clone()?;
        let phase = self.phase.get();
        Some(Rc::new(move |loaded, expected, path| {
            let progress = dto::Progress {
                phase,
                loaded_bytes: loaded as f64,
                total_bytes: expected.map(|bytes| bytes as f64),
                detail: path.to_owned(),
            };
            if let Ok(progress) = to_js(&progress) {
                // What the page makes of it is its own affair.
                let _ = call.call1(&JsValue::NULL, &progress);
            }
        }))
    }
}

fn set(object: &js_sys::Object, name: &str, value: &JsValue) {
    // Setting a property of a plain object does not fail.
    let _ = js_sys::Reflect::set(object, &name.into(), value);
}

fn window(first: f64, count: f64) -> Range<usize> {
    let first = first as usize;
    first..first.saturating_add((count as usize).min(ROWS_MAX))
}

fn unknown_table(dir: &str) -> Failure {
    Failure::new(FailureKind::Usage, format!("no table with a log has the directory '{dir}'"))
}

fn not_moved(dir: &str) -> Failure {
    Failure::new(FailureKind::Usage, format!("'{dir}' has not been moved to any transaction yet"))
}

fn not_a_database(origin: &Origin, failure: &Failure) -> Failure {
    let hint = match origin {
        Origin::Web(_) => {
            "the address must be that of QuestDB's `db` directory, the one with tables.d.0; if it is, run \
             `understudy index DIR` there, since a static server can't list"
        }
        Origin::Blobs(_) => "drop QuestDB's `db` folder, the one with tables.d.0",
    };
    Failure { message: format!("no database here ({}): {hint}", failure.message), ..failure.clone() }
}
