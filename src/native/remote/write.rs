//! A partition's Parquet file, for the bucket.

use crate::apply::{file_rows, merged};
use crate::columnar::parquet::ParquetForm;
use crate::columnar::parquet::{Field, Options, PartitionRows, Plan, encode};
use crate::ledger::{Key, Sum};
use crate::native::bucket::Bucket;
use crate::native::cluster::{get_blob, put_blob};
use crate::native::store::{Blob, Disk, DiskReader, stamp};
use crate::table::files::read::AppliedTable;
use crate::wal::{TableMeta, TableToken};
use bytes::Bytes;
use std::time::Duration;
use tokio::runtime::Handle;

/// For how long a put is tried before the task counts as failed. A put that lands later is none the worse.
const PATIENCE: Duration = Duration::from_secs(120);

/// Puts a partition's file into the bucket, if it is not there, and sees that it is.
///
/// # Errors
/// Why it can't be, for a person.
pub fn upload(
    handle: &Handle,
    bucket: &Bucket,
    bytes: Bytes,
    rows: u64,
    columns: i64,
) -> Result<Blob, String> {
    let sum = Sum::of(&bytes);
    let blob = Blob { sum, bytes: bytes.len() as u64, rows, columns };
    let put = async {
        // That the name is taken proves nothing until it is read back (W4).
        match put_blob(bucket, sum, bytes).await {
            Ok(true) => Ok(()),
            Ok(false) => get_blob(bucket, sum).await.map(drop).map_err(|failure| failure.message),
            Err(trouble) => Err(trouble.to_string()),
        }
    };
    let done = handle.block_on(async { tokio::time::timeout(PATIENCE, put).await });
    done.map_err(|_elapsed| format!("the bucket has not answered for {} s", PATIENCE.as_secs()))?
        .map(|()| blob)
}

/// The file of a partition of which late rows are here, and `under` has the others: all of them, in memory. `expected` is the
/// stamp of what is here.
///
/// # Errors
/// Why it can't be made, for a person.
pub fn merged_file(
    (disk, handle, bucket): (&dyn Disk, &Handle, &Bucket),
    token: &TableToken,
    floor: i64,
    (under, expected): (Blob, u64),
    options: &Options,
) -> Result<(Bytes, u64, i64), String> {
    let told = |error: crate::wal::Error| error.to_string();
    let files = DiskReader(disk);
    let applied = AppliedTable::read(&files, token).map_err(told)?.with_form(&ParquetForm);
    let parts = applied.partitions().into_iter().find(|(at, _)| *at == floor).map(|(_, parts)| parts);
    let parts = parts.filter(|parts| stamp(&applied, parts.clone()) == expected);
    let parts = parts.ok_or("the partition changed meanwhile")?;
    let mut table = applied.without_rows(applied.symbols(&files).map_err(told)?);
    let bytes = handle.block_on(get_blob(bucket, under.sum)).map_err(|failure| failure.message)?;
    let path = Key::Blob(under.sum).to_string();
    let rows = file_rows(&path, bytes, under.rows, &mut table, floor).map_err(told)?;
    let late = applied.read_parts(&files, floor, parts).map_err(told)?;
    let whole = merged(&table, rows, &late);
    let meta = TableMeta::applied(&files, &token.dir).map_err(told)?;
    let fields = Field::of_meta(&table.schema, &meta);
    let plan =
        Plan::new(&token.name, fields, whole.rows, options.clone()).map_err(|error| error.to_string())?;
    let source = PartitionRows { partition: &whole, symbols: &table.symbols };
    let mut file = Vec::new();
    encode(&plan, &source, &mut file).map_err(|error| error.to_string())?;
    Ok((file.into(), whole.rows as u64, table.schema.version))
}
