use super::{Block, Calendar, Partition, Schema, SymbolTable, Value};
use crate::wal::PartitionBy;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A table as of one transaction. Cloning shares all rows.
#[derive(Debug, Clone)]
pub struct Table {
    /// The name now; a rename changes it, the directory stays.
    pub name: String,
    /// Directory below the database root.
    pub dir: String,
    /// The last transaction applied; 0 for a table just created.
    pub seq_txn: u64,
    /// Columns and settings.
    pub schema: Arc<Schema>,
    /// By writer index; present for SYMBOL columns, dropped ones included.
    pub symbols: Vec<Option<SymbolTable>>,
    /// By floor.
    pub partitions: BTreeMap<i64, Arc<Partition>>,
    /// Whether the rows are what the server has.
    pub standing: Standing,
}

/// How far the applied rows can be trusted to be the server's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Standing {
    /// Everything so far was applied exactly.
    #[default]
    Exact,
    /// A statement could not be executed exactly; later transactions were applied on top.
    Diverged {
        /// The transaction with the statement.
        seq_txn: u64,
        /// Its text.
        statement: String,
        /// Why it could not be executed.
        reason: String,
        /// Where the first word not understood starts, in UTF-16 units as QuestDB counts.
        position: usize,
    },
    /// The server suspends the table at this transaction, so nothing after it is applied.
    Suspended {
        /// The transaction that can't be applied.
        seq_txn: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The table was dropped by this transaction.
    Dropped {
        /// The dropping transaction.
        seq_txn: u64,
    },
}

impl Table {
    /// An empty table.
    pub fn new(name: String, dir: String, schema: Schema) -> Self {
        let symbols = schema.columns.iter().map(|c| c.ty.is_symbol().then(SymbolTable::default)).collect();
        Self {
            name,
            dir,
            seq_txn: 0,
            schema: Arc::new(schema),
            symbols,
            partitions: BTreeMap::new(),
            standing: Standing::Exact,
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.partitions.values().map(|partition| partition.rows).sum()
    }

    /// Largest designated timestamp.
    pub fn max_ts(&self) -> Option<i64> {
        self.partitions.values().next_back().map(|partition| partition.max_ts())
    }

    /// How time is cut into partitions.
    pub fn calendar(&self) -> Calendar {
        Calendar::new(self.schema.partition_by, self.schema.nanos())
    }

    /// True for tables that hold rows (views do not).
    pub fn holds_rows(&self) -> bool {
        self.schema.partition_by != PartitionBy::NotApplicable
    }

    /// Memory held by rows and dictionaries, in bytes.
    pub fn memory(&self) -> usize {
        self.partitions.values().map(|partition| partition.memory()).sum::<usize>()
            + self.symbols.iter().flatten().map(SymbolTable::memory).sum::<usize>()
    }

    /// The dictionary of a SYMBOL column.
    pub fn dictionary(&self, column: usize) -> Option<&SymbolTable> {
        self.symbols.get(column)?.as_ref()
    }

    /// The partition, block and row within it of a row of the table.
    pub fn locate(&self, row: usize) -> Option<(&Block, usize)> {
        let mut first = 0;
        for partition in self.partitions.values() {
            if row < first + partition.rows {
                return partition.locate(row - first);
            }
            first += partition.rows;
        }
        None
    }

    /// The value of a column, by writer index, in a row of the table.
    pub fn value(&self, row: usize, column: usize) -> Value<'_> {
        match self.locate(row) {
            Some((block, at)) => block.value(at, column, &self.schema, self.dictionary(column)),
            None => Value::Null,
        }
    }

    /// All blocks in order of time.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> + '_ {
        self.partitions.values().flat_map(|partition| partition.blocks.iter().map(|block| &**block))
    }
}
