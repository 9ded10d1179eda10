//! The Parquet file of a conversion, its columns encoded on several threads.

use super::super::disk::{DiskFile, Open};
use super::convert::Conversion;
use crate::columnar::parquet::{EncodeError, Encoded, Field, PartitionWriter, Plan, Run};
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
        let mut writer = PartitionWriter::new(sink, plan.clone())?;
        let groups: Vec<Range<usize>> = plan.groups().collect();
        let columns = plan.fields().len();
        for some in groups.chunks(GROUPS) {
            let jobs: Vec<(usize, Range<usize>)> =
                some.iter().flat_map(|rows| (0..columns).map(|place| (place, rows.clone()))).collect();
            let encoded: Vec<Encoded> = jobs
                .into_par_iter()
                .with_max_len(1)
                .map(|(place, rows)| {
                    let values = rows.len() as u64;
                    let encoded = self.encode_column(&plan, place, rows)?;
                    progress(values);
                    Ok(encoded)
                })
                .collect::<std::result::Result<_, EncodeError>>()?;
            let mut encoded = encoded.into_iter();
            for _ in some {
                writer.append(encoded.by_ref().take(columns).collect())?;
            }
        }
        writer.finish().map(drop)
    }

    /// One column of one row group.
    fn encode_column(
        &self,
        plan: &Plan,
        place: usize,
        rows: Range<usize>,
    ) -> std::result::Result<Encoded, EncodeError> {
        let field = plan.fields().get(place).map_or(0, |field| field.index);
        let count = rows.len();
        let run = match self.chunk(field, rows.start as u64..rows.end as u64)? {
            Some(chunk) => Run::Values { chunk: Arc::new(chunk), rows: 0..count },
            None => Run::Absent(count),
        };
        let symbols = self.symbols.get(field).cloned().flatten();
        let missing = EncodeError::Rows { expected: plan.fields().len(), found: place };
        plan.job(place, vec![run], symbols).ok_or(missing)?.run()
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
