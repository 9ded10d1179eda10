//! The Parquet file of a conversion, its columns encoded on several threads.

use super::super::disk::{DiskFile, Open};
use super::convert::Conversion;
use crate::columnar::parquet::{EncodeError, Field, Plan, RowSource, Run, Task, encode_with};
use crate::table::SymbolTable;
use crate::wal::{Error, Result};
use rayon::prelude::*;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::sync::Arc;

/// Row groups that are in memory at a time: enough to keep threads busy where there are few columns.
const GROUPS: usize = 4;
/// Bytes that are hashed and written at a time.
const BUFFER: usize = 1 << 20;

impl Conversion {
    /// Writes the file; answers its length and BLAKE3.
    pub(super) fn encode(&self, path: &str, progress: &(dyn Fn(u64) + Sync)) -> Result<(u64, [u8; 32])> {
        let file = self.disk.open(path, Open::New)?;
        let mut sink = Sink { file, at: 0, hash: blake3::Hasher::new(), failed: None };
        // Buffered here, as the writer comes with 8 KiB at a time.
        let buffered = BufWriter::with_capacity(BUFFER, &mut sink);
        if let Err(error) = self.write(buffered, progress) {
            // Of a sink that failed, its own error says more.
            return Err(sink.failed.unwrap_or_else(|| not_encoded(path, error)));
        }
        sink.file.sync()?;
        Ok((sink.at, *sink.hash.finalize().as_bytes()))
    }

    fn write(
        &self,
        sink: BufWriter<&mut Sink>,
        progress: &(dyn Fn(u64) + Sync),
    ) -> std::result::Result<(), EncodeError> {
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

/// A file that is written from front to back, and hashed on the way.
struct Sink {
    file: Box<dyn DiskFile>,
    at: u64,
    hash: blake3::Hasher,
    /// Why writing failed.
    failed: Option<Error>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.file.write_at(self.at, bytes) {
            let told = io::Error::other(error.to_string());
            self.failed = Some(error);
            return Err(told);
        }
        self.hash.update(bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
