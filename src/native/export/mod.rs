//! A table's rows as a file of one of the formats that people read them with.

mod csv;
mod json;

use super::outcome::{Failure, Result};
use crate::columnar::{self, Export};
use crate::table::Table;
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::fmt;
use std::io::{self, Write};

/// Bytes collected before they are written.
const BUFFER: usize = 256 << 10;

/// What rows can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// As QuestDB's /exp prints the table
    Csv,
    /// Columns and dataset as in QuestDB's /exec
    Json,
    /// Arrow IPC: the file format with -o, the stream format to stdout
    Arrow,
    /// Parquet, compressed with zstd
    Parquet,
}

/// Where the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Arrow's file form, with a footer.
    File,
    /// Arrow's stream form.
    Stream,
}

impl Format {
    /// The usual extension of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
        }
    }
}

/// Writes all rows of a table. `progress` hears now and then how many are done.
///
/// # Errors
/// What `out` answers; values that the format can't hold.
pub fn write(
    table: &Table,
    format: Format,
    target: Target,
    out: &mut (dyn Write + Send),
    progress: &mut dyn FnMut(usize),
) -> Result<()> {
    match (format, target) {
        (Format::Csv, _) => {
            csv::write(table, out, progress).map_err(|error| Failure::output("the rows", &error))
        }
        (Format::Json, _) => {
            json::write(table, out, progress).map_err(|error| Failure::output("the rows", &error))
        }
        (Format::Arrow, Target::Stream) => {
            columnar::write_stream(table, 0..table.rows(), out).map_err(of_arrow)
        }
        (Format::Arrow, Target::File) => write_arrow(table, out, progress),
        (Format::Parquet, _) => write_parquet(table, out, progress),
    }
}

fn write_arrow(table: &Table, out: &mut (dyn Write + Send), progress: &mut dyn FnMut(usize)) -> Result<()> {
    let export = Export::new(table, 0..table.rows()).map_err(of_arrow)?;
    let mut writer = FileWriter::try_new(out, export.schema()).map_err(of_arrow)?;
    let mut done = 0;
    for batch in batches(&export) {
        let batch = batch.map_err(of_arrow)?;
        writer.write(&batch).map_err(of_arrow)?;
        done += batch.num_rows();
        progress(done);
    }
    writer.finish().map_err(of_arrow)
}

fn write_parquet(table: &Table, out: &mut (dyn Write + Send), progress: &mut dyn FnMut(usize)) -> Result<()> {
    let export = Export::new(table, 0..table.rows()).map_err(of_arrow)?;
    let level = ZstdLevel::try_new(3).map_err(of_parquet)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let mut writer =
        ArrowWriter::try_new(out, export.schema().clone(), Some(properties)).map_err(of_parquet)?;
    let mut done = 0;
    for batch in batches(&export) {
        let batch = batch.map_err(of_arrow)?;
        writer.write(&batch).map_err(of_parquet)?;
        done += batch.num_rows();
        progress(done);
    }
    writer.close().map_err(of_parquet)?;
    Ok(())
}

/// The rows as arrays, which is what other formats are written from.
fn batches<'a>(
    export: &'a Export<'_>,
) -> impl Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + 'a {
    let mut decoder = StreamDecoder::new();
    let head = decoder.decode(&mut export.head().into()).err();
    let batches = export.batches().filter_map(move |message| {
        message.and_then(|(message, _)| decoder.decode(&mut message.into())).transpose()
    });
    head.map(Err).into_iter().chain(batches)
}

fn of_arrow(error: ArrowError) -> Failure {
    match error {
        ArrowError::IoError(_, error) => Failure::output("the rows", &error),
        other => not_possible(&other),
    }
}

fn of_parquet(error: ParquetError) -> Failure {
    match error {
        // The writer hides an error of the file in a box.
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => Failure::output("the rows", &error),
            Err(other) => not_possible(&other),
        },
        other => not_possible(&other),
    }
}

fn not_possible(error: &dyn fmt::Display) -> Failure {
    Failure::failed(format!("the rows can't be written in this format: {error}"))
}

/// Collects bytes and writes them in large pieces.
struct Buffer<'a> {
    bytes: Vec<u8>,
    out: &'a mut (dyn Write + Send),
}

impl<'a> Buffer<'a> {
    fn new(out: &'a mut (dyn Write + Send)) -> Self {
        Self { bytes: Vec::with_capacity(BUFFER + BUFFER / 4), out }
    }

    /// To be called after each row.
    fn row_done(&mut self) -> io::Result<()> {
        if self.bytes.len() < BUFFER { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.bytes)?;
        self.bytes.clear();
        Ok(())
    }
}
