//! Getting a table going again that can't go on.

use super::table::FileTable;
use crate::columnar::parquet::ParquetForm;
use crate::table::files::read::{AppliedTable, read_partition};
use crate::table::{Chunk, Partition, Standing};
use crate::wal::{Error, Files, Result, TableToken, TxnKind, TxnRecord};
use std::sync::Arc;

/// Why a transaction that changes the structure can't be skipped.
pub const STUCK: &str = "a change of structure can't be skipped, as all that follows is written against it; QuestDB is \
                         stuck there, too, until the table is dropped";

impl FileTable {
    /// Goes past a transaction without applying it: the table counts as diverged from there on.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if it is not the next one, or a change of structure; what writing answers.
    pub fn skip(&mut self, seq_txn: u64, now_us: i64) -> Result<()> {
        let next = self.txn.seq_txn + 1;
        if seq_txn != next {
            let what = format!("transaction {seq_txn} is not the next one, which is {next}");
            return Err(self.refused(&what));
        }
        if self.is_stuck() {
            return Err(self.refused(STUCK));
        }
        self.table.standing = Standing::Diverged {
            seq_txn,
            statement: String::new(),
            reason: "it was skipped by a repair".to_owned(),
            position: 0,
        };
        let record = TxnRecord {
            seq_txn,
            structure_version: self.table.schema.version,
            kind: TxnKind::Wal { wal: 1, segment: 0, segment_txn: 0 },
            commit_ts: now_us,
            extent: None,
        };
        self.publish(&[record])
    }

    /// Replaces a partition by what another directory has of it, which must be of the same columns.
    ///
    /// `floor` is the partition's first timestamp. A partition that the other directory does not have goes.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the columns differ; what reading and writing answer.
    pub fn refill(&mut self, source: &dyn Files, token: &TableToken, floor: i64) -> Result<u64> {
        let other = AppliedTable::read(source, token)?.with_form(&ParquetForm);
        let ours: Vec<_> = self.table.schema.live().map(|(index, column)| (index, column.clone())).collect();
        let mut columns = Vec::new();
        for (index, column) in &ours {
            let Some((from, _)) = other.schema.find(&column.name).filter(|(_, found)| found.ty == column.ty)
            else {
                return Err(self
                    .refused(&format!("the other directory's table has no such column {:?}", column.name)));
            };
            columns.push((*index, from));
        }
        if other.schema.live().count() != ours.len()
            || other.schema.partition_by != self.table.schema.partition_by
        {
            return Err(self.refused("the other directory's table has other columns or partitions"));
        }
        let place = other.partitions().iter().position(|(at, _)| *at == floor);
        let Some(place) = place else {
            self.table.partitions.remove(&floor);
            self.drop_missing()?;
            self.republish()?;
            return Ok(0);
        };
        let theirs = read_partition(source, &other, place)?;
        let symbols = other.symbols(source)?;
        let mut partition = Partition { floor, rows: theirs.rows, ..Partition::default() };
        for block in &theirs.blocks {
            let mut mine = (**block).clone();
            mine.columns = vec![None; self.table.schema.columns.len()];
            for &(to, from) in &columns {
                let mut chunk = block.chunk(from).cloned();
                if let (Some(Some(from)), Some(Some(to))) =
                    (symbols.get(from), self.table.symbols.get_mut(to))
                    && let Some(Chunk::Fixed { values, .. }) = chunk.as_mut().map(Arc::make_mut)
                {
                    for key in values.as_chunks_mut::<4>().0 {
                        if let Some(symbol) = from.symbol(i32::from_le_bytes(*key)) {
                            *key = to.intern_symbol(symbol).to_le_bytes();
                        }
                    }
                }
                if let Some(place) = mine.columns.get_mut(to) {
                    *place = chunk;
                }
            }
            partition.blocks.push(Arc::new(mine));
        }
        self.store_partition(&partition)?;
        self.extend_dictionaries()?;
        self.stub_partitions();
        self.republish()?;
        Ok(partition.rows as u64)
    }

    fn refused(&self, what: &str) -> Error {
        Error::Unsupported { file: self.token.dir.as_str().into(), offset: 0, what: what.into() }
    }
}
