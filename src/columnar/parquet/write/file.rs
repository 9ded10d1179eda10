use super::{EncodeError, Encoded, Plan};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use std::io::Write;

/// A Parquet file in the making: row groups in their order, each with all its columns.
pub struct PartitionWriter<W: Write + Send> {
    inner: SerializedFileWriter<W>,
    plan: Plan,
    /// By place: no VARCHAR so far that has other than ASCII.
    ascii: Vec<bool>,
    rows: usize,
}

impl<W: Write + Send> PartitionWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// [`EncodeError::Parquet`] if the sink refuses.
    pub fn new(sink: W, plan: Plan) -> Result<Self, EncodeError> {
        let timestamp = plan.fields.iter().position(|field| field.designated);
        let sorting = timestamp.map(|place| {
            vec![SortingColumn { column_idx: place as i32, descending: false, nulls_first: false }]
        });
        let version =
            if plan.options.version == 2 { WriterVersion::PARQUET_2_0 } else { WriterVersion::PARQUET_1_0 };
        let properties = WriterProperties::builder()
            .set_writer_version(version)
            .set_created_by(concat!("understudy ", env!("CARGO_PKG_VERSION")).into())
            .set_offset_index_disabled(true)
            .set_sorting_columns(sorting);
        let inner = SerializedFileWriter::new(sink, plan.schema.clone(), properties.build().into())?;
        let ascii = vec![true; plan.fields.len()];
        Ok(Self { inner, plan, ascii, rows: 0 })
    }

    /// Adds the next row group: its columns in the plan's order.
    ///
    /// # Errors
    /// [`EncodeError::Rows`] if columns are of different length, [`EncodeError::Parquet`] if the sink refuses.
    pub fn append(&mut self, columns: Vec<Encoded>) -> Result<(), EncodeError> {
        let rows = columns.first().map_or(0, |column| column.close.rows_written as usize);
        let mut group = self.inner.next_row_group()?;
        for (column, ascii) in columns.into_iter().zip(&mut self.ascii) {
            let found = column.close.rows_written as usize;
            if found != rows {
                return Err(EncodeError::Rows { expected: rows, found });
            }
            *ascii &= column.ascii;
            group.append_column(&column.bytes, column.close)?;
        }
        group.close()?;
        self.rows += rows;
        Ok(())
    }

    /// Ends the file and flushes the sink; answers the file's length.
    ///
    /// # Errors
    /// [`EncodeError::Rows`] if there are other rows than planned, [`EncodeError::Parquet`] if the sink refuses.
    pub fn finish(mut self) -> Result<u64, EncodeError> {
        if self.rows != self.plan.rows() {
            return Err(EncodeError::Rows { expected: self.plan.rows(), found: self.rows });
        }
        let metadata = self.plan.metadata(&self.ascii);
        self.inner.append_key_value_metadata(KeyValue::new("questdb".into(), metadata));
        self.inner.finish()?;
        Ok(self.inner.bytes_written() as u64)
    }
}
