use crate::table::{Column, Schema, Standing, Table};
use crate::wal::{
    Applied, Error, Files, PartitionBy, Registry, Result, SequencerLog, Survey, TableKind, TableMeta,
    TableToken, Ttl, TxnKind, TxnRecord,
};
use std::sync::Arc;

/// A table's whole log, as far as it can be known without reading rows.
#[derive(Debug, Clone)]
pub struct History {
    /// The table.
    pub token: TableToken,
    /// The sequencer log's header.
    pub log: SequencerLog,
    /// Every record from `first_record` on.
    pub records: Arc<Vec<TxnRecord>>,
    /// What can be read, what was purged, what is missing.
    pub survey: Survey,
    /// The table as it was created, or as it was applied where only that is left.
    pub definition: TableMeta,
    /// How far the server itself has applied the log, where its files stand beside it.
    pub applied: Option<Applied>,
}

impl History {
    /// Reads the log of one table. Asks for all that it can before it answers [`Error::Pending`].
    ///
    /// # Errors
    /// What reading the registry, the sequencer log or the table's definition answers;
    /// [`Error::Unsupported`] for a table without WAL.
    pub fn read(files: &dyn Files, token: &TableToken) -> Result<Self> {
        if token.kind == TableKind::Plain {
            return Err(Error::Unsupported {
                file: token.dir.as_str().into(),
                offset: 0,
                what: "the table has no WAL; ALTER TABLE ... SET TYPE WAL gives it one".into(),
            });
        }
        let log = SequencerLog::open(files, &token.dir)?;
        let definition = definition(files, &token.dir);
        let applied = Applied::read(files, &token.dir);
        let survey = Survey::read(files, &log);
        let (definition, survey) = (definition?, survey?);
        let applied = match applied {
            Ok(applied) => Some(applied),
            Err(Error::Pending) => return Err(Error::Pending),
            // The applied table is there to compare with, and to begin with where the log doesn't.
            Err(_) => None,
        };
        let records = Arc::new(log.records(files, survey.first_record..=log.max_txn)?);
        Ok(Self { token: token.clone(), log, records, survey, definition, applied })
    }

    /// The record of a transaction; `None` outside of the log and for purged parts of it.
    pub fn record(&self, seq_txn: u64) -> Option<&TxnRecord> {
        let index = seq_txn.checked_sub(self.survey.first_record)?;
        self.records.get(usize::try_from(index).ok()?)
    }

    /// Number of transactions in the log.
    pub fn txn_count(&self) -> u64 {
        self.log.max_txn
    }

    /// True if nothing that a replay from the beginning needs was purged.
    pub fn is_replayable(&self) -> bool {
        self.survey.purged.is_empty() && self.survey.first_record <= 1
    }

    /// The first state that can be shown, by its transaction: 0 where the whole log is there, else the one
    /// that the server had applied when the log was read. `None` if that is gone, too: the table was dropped.
    pub fn first_state(&self) -> Option<u64> {
        if self.is_replayable() {
            return Some(0);
        }
        let applied = self.applied.as_ref().map(|applied| applied.seq_txn);
        applied.filter(|_| !self.survey.dropped)
    }

    /// The last transaction committed at `time_us` or before (microseconds UTC), 0 if none was.
    ///
    /// Commit times are the server's wall clock, which may step back: transactions count in the order
    /// of the log, so this is the last one before the first that is later.
    pub fn txn_at(&self, time_us: i64) -> u64 {
        let earlier = self.records.iter().take_while(|record| record.commit_ts <= time_us).count() as u64;
        if earlier == 0 { 0 } else { self.survey.first_record.max(1) - 1 + earlier }
    }

    /// The transaction that dropped the table.
    pub fn dropped_at(&self) -> Option<u64> {
        self.records.last().filter(|record| record.kind == TxnKind::Drop).map(|record| record.seq_txn)
    }

    /// The empty table, as it was created.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a definition that no WAL table has.
    pub fn genesis(&self) -> Result<Table> {
        let file = format!("{}/txn_seq/_meta.0", self.token.dir);
        let is_view = self.definition.partition_by == PartitionBy::NotApplicable;
        let timestamp = match self.definition.timestamp {
            Some(timestamp) => timestamp,
            None if is_view => usize::MAX,
            None => return Err(Error::damaged(&file, 8, "a designated timestamp", "none")),
        };
        let column = |column: &crate::wal::TableMetaColumn| Column {
            name: column.name.clone(),
            ty: column.ty,
            dropped: column.dropped,
            upsert_key: column.dedup_key,
            indexed: column.indexed,
            replaces: column.replaces,
        };
        let columns: Vec<Column> = self.definition.columns.iter().map(column).collect();
        let order = (0..columns.len()).filter(|&i| columns.get(i).is_some_and(|c| !c.dropped)).collect();
        let schema = Schema {
            columns,
            order,
            timestamp,
            partition_by: self.definition.partition_by,
            ttl: match self.definition.ttl {
                Ttl::None => 0,
                Ttl::Hours(hours) => hours as i32,
                Ttl::Months(months) => -(months as i32),
            },
            version: 0,
        };
        let mut table = Table::new(self.token.name.clone(), self.token.dir.clone(), schema);
        table.standing = Standing::Exact;
        Ok(table)
    }
}

fn definition(files: &dyn Files, dir: &str) -> Result<TableMeta> {
    match TableMeta::at_creation(files, dir) {
        Err(Error::Absent { .. }) => TableMeta::applied(files, dir),
        other => other,
    }
}

/// The tables of a database directory.
///
/// # Errors
/// [`Error::Absent`] where there is no registry: the directory is not a QuestDB `db` folder.
pub fn tables(files: &dyn Files) -> Result<Vec<TableToken>> {
    Ok(Registry::read(files)?.tables)
}
