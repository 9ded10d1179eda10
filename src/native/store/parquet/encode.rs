//! The Parquet file of a conversion, its columns encoded on several threads.

use super::super::disk::{DiskFile, Open};
use super::convert::Conversion;
use crate::columnar::parquet::{EncodeError, Field, Plan, RowSource, Run, Task, encode_with};
use crate::table::SymbolTable;
use crate::wal::{Error, Result};
use rayon::prelude::*;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Row groups that are in memory at a time: enough to keep threads busy where there are few columns.
const GROUPS: usize = 4;
/// Bytes that are written at a time, and how many of these may wait for the disk.
const CHUNK: usize = 1 << 20;
const WAITING: usize = 16;

impl Conversion {
    /// Writes the file; answers its length. A thread of its own writes, while the next row groups are encoded.
    pub(super) fn encode(&self, path: &str, progress: &(dyn Fn(u64) + Sync)) -> Result<u64> {
        let file = self.disk.open(path, Open::New)?;
        let (sender, chunks) = sync_channel(WAITING);
        let (encoded, written) = std::thread::scope(|scope| {
            let writing = scope.spawn(move || write_all(&*file, chunks));
            let encoded = self.write(Sink { chunk: Vec::with_capacity(CHUNK), chunks: sender }, progress);
            (encoded, writing.join())
        });
        let written = written.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // Why writing failed says more than that the encoder's sink did.
        let bytes = written?;
        encoded.map_err(|error| not_encoded(path, error))?;
        Ok(bytes)
    }

    fn write(&self, sink: Sink, progress: &(dyn Fn(u64) + Sync)) -> std::result::Result<(), EncodeError> {
        let fields = Field::of_meta(&self.schema, &self.meta);
        let plan = Plan::new(&self.name, fields, self.rows() as usize, self.options.clone())?;
        let encoded = |task: &Task| {
            let encoded = task.run(&plan, self)?;
            progress(task.rows.len() as u64);
            Ok(encoded)
        };
        encode_with(&plan, sink, GROUPS, &|tasks| tasks.par_iter().with_max_len(1).map(encoded).collect())
            .map(drop)
    }
}

impl RowSource for Conversion {
    fn runs(&self, column: usize, rows: Range<usize>) -> Result<Vec<Run>> {
        let count = rows.len();
        Ok(vec![match self.chunk(column, rows.start as u64..rows.end as u64)? {
            Some(chunk) => Run::Values { chunk: Arc::new(chunk), rows: 0..count },
            None => Run::Absent(count),
        }])
    }

    fn symbols(&self, column: usize) -> Option<SymbolTable> {
        self.symbols.get(column).cloned().flatten()
    }
}

/// What can't be written, as the store tells it.
fn not_encoded(path: &str, error: EncodeError) -> Error {
    match error {
        EncodeError::Read(error) => error,
        other => Error::Unsupported { file: path.into(), offset: 0, what: other.to_string().into() },
    }
}

/// Takes a file's bytes from front to back, and hands them on.
struct Sink {
    chunk: Vec<u8>,
    chunks: SyncSender<Vec<u8>>,
}

impl Sink {
    fn hand_on(&mut self, next: Vec<u8>) -> io::Result<()> {
        let gone = |_| io::Error::other("the file can't be written");
        self.chunks.send(std::mem::replace(&mut self.chunk, next)).map_err(gone)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() >= CHUNK {
            self.hand_on(Vec::with_capacity(CHUNK))?;
        }
        let (now, _) = bytes.split_at(bytes.len().min(CHUNK - self.chunk.len()));
        self.chunk.extend_from_slice(now);
        Ok(now.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() { Ok(()) } else { self.hand_on(Vec::new()) }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Whoever listens has failed, and says so.
        let _ = self.flush();
    }
}

/// Writes chunks one behind the other, and syncs; answers how many bytes.
fn write_all(file: &dyn DiskFile, chunks: Receiver<Vec<u8>>) -> Result<u64> {
    let mut at = 0;
    for chunk in chunks {
        file.write_at(at, &chunk)?;
        at += chunk.len() as u64;
    }
    file.sync()?;
    Ok(at)
}
