//! Where two partitions that should hold the same rows differ.

use super::{Block, Partition, Schema, SymbolTable, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

/// One of the two partitions, with what its values need to be read.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The table's schema.
    pub schema: &'a Schema,
    /// The table's dictionaries, by writer index.
    pub symbols: &'a [Option<SymbolTable>],
    /// Its rows.
    pub partition: &'a Partition,
}

/// A difference between two partitions, the left and the right one. Rows are numbered in each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowDifference {
    /// The right one has no such row.
    Left(usize),
    /// The left one has no such row.
    Right(usize),
    /// Two rows of the same timestamp that have different values.
    Values {
        /// The left row.
        left: usize,
        /// The right row.
        right: usize,
        /// Positions in the list of columns compared.
        columns: Vec<usize>,
    },
    /// The rows of one timestamp are the same but in another order.
    Order {
        /// The first row of the left one that has another place.
        left: usize,
    },
}

/// Compares the rows of two partitions in order of the designated timestamp.
///
/// `columns` pairs writer indexes, left and right, of columns of the same type. Rows of one timestamp belong
/// together in whatever order they are; where `ordered`, another order is a difference as well. `limit` ends the
/// comparison.
pub fn differences(
    left: Side<'_>,
    right: Side<'_>,
    columns: &[(usize, usize)],
    ordered: bool,
    limit: usize,
) -> Vec<RowDifference> {
    let (left, right) = (Rows::new(left), Rows::new(right));
    let pairs = Pairs { left: &left, right: &right, columns };
    let mut found = Vec::new();
    let (mut i, mut j) = (0, 0);
    while found.len() < limit && (i < left.count || j < right.count) {
        let (a, b) = (left.timestamp(i), right.timestamp(j));
        if a.is_some() && a == b && pairs.equal(i, j) {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        // What is left of the rows of this timestamp, on either side.
        let ts = [a, b].into_iter().flatten().min();
        let (lefts, rights) = (left.same(i, ts), right.same(j, ts));
        (i, j) = (lefts.end, rights.end);
        pairs.match_up(lefts, rights, ordered, &mut found);
    }
    found.truncate(limit);
    found
}

/// Rows of a partition by number.
struct Rows<'a> {
    side: Side<'a>,
    /// First row of each block.
    firsts: Vec<usize>,
    count: usize,
}

impl<'a> Rows<'a> {
    fn new(side: Side<'a>) -> Self {
        let mut count = 0;
        let mut firsts = Vec::with_capacity(side.partition.blocks.len());
        for block in &side.partition.blocks {
            firsts.push(count);
            count += block.rows;
        }
        Self { side, firsts, count }
    }

    fn at(&self, row: usize) -> Option<(&'a Block, usize)> {
        let index = self.firsts.partition_point(|first| *first <= row).checked_sub(1)?;
        let block: &'a Block = self.side.partition.blocks.get(index)?;
        let within = row - self.firsts.get(index)?;
        (within < block.rows).then_some((block, within))
    }

    fn timestamp(&self, row: usize) -> Option<i64> {
        self.at(row).map(|(block, row)| block.timestamp(row, self.side.schema.timestamp))
    }

    /// Rows from `first` on that have this timestamp.
    fn same(&self, first: usize, ts: Option<i64>) -> Range<usize> {
        let end = (first..self.count).find(|row| self.timestamp(*row) != ts).unwrap_or(self.count);
        first..end
    }

    fn value(&self, row: usize, column: usize) -> Value<'a> {
        let symbols = self.side.symbols.get(column).and_then(Option::as_ref);
        self.at(row).map_or(Value::Null, |(block, row)| block.value(row, column, self.side.schema, symbols))
    }
}

struct Pairs<'a> {
    left: &'a Rows<'a>,
    right: &'a Rows<'a>,
    columns: &'a [(usize, usize)],
}

impl Pairs<'_> {
    fn equal(&self, left: usize, right: usize) -> bool {
        self.columns.iter().all(|(a, b)| same(self.left.value(left, *a), self.right.value(right, *b)))
    }

    /// Finds which of these rows, all of one timestamp, have no equal on the other side.
    fn match_up(
        &self,
        lefts: Range<usize>,
        rights: Range<usize>,
        ordered: bool,
        found: &mut Vec<RowDifference>,
    ) {
        let mut waiting: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        // The first of equal rows is taken first.
        for row in rights.rev() {
            waiting.entry(self.key(self.right, row, |pair| pair.1)).or_default().push(row);
        }
        let first = lefts.start;
        let mut alone = Vec::new();
        for row in lefts {
            let key = self.key(self.left, row, |pair| pair.0);
            if waiting.get_mut(&key).and_then(Vec::pop).is_none() {
                alone.push(row);
            }
        }
        let mut others: Vec<usize> = waiting.into_values().flatten().collect();
        others.sort_unstable();
        if alone.is_empty() && others.is_empty() {
            if ordered {
                found.push(RowDifference::Order { left: first });
            }
            return;
        }
        let mut others = others.into_iter();
        for left in alone {
            let Some(right) = others.next() else {
                found.push(RowDifference::Left(left));
                continue;
            };
            let differs = |(_, (a, b)): &(usize, &(usize, usize))| {
                !same(self.left.value(left, *a), self.right.value(right, *b))
            };
            let columns = self.columns.iter().enumerate().filter(differs).map(|(place, _)| place).collect();
            found.push(RowDifference::Values { left, right, columns });
        }
        found.extend(others.map(RowDifference::Right));
    }

    /// Equal for rows of equal values.
    fn key(&self, rows: &Rows<'_>, row: usize, of: impl Fn(&(usize, usize)) -> usize) -> String {
        let mut key = String::new();
        for pair in self.columns {
            // Writing to a String cannot fail; the sign of zero is part of what is written.
            let _ = write!(key, "{:?}\u{1f}", rows.value(row, of(pair)));
        }
        key
    }
}

/// Equal to the bit: zero has a sign.
fn same(a: Value<'_>, b: Value<'_>) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Chunk, Column};
    use crate::wal::{ColumnType, PartitionBy};
    use std::sync::Arc;

    fn schema() -> Schema {
        let column = |name: &str, ty| Column {
            name: name.to_owned(),
            ty,
            dropped: false,
            upsert_key: false,
            indexed: false,
            replaces: None,
        };
        let double = ColumnType::from_code(10).unwrap();
        Schema {
            columns: vec![column("ts", ColumnType::TIMESTAMP), column("x", double)],
            order: vec![0, 1],
            timestamp: 0,
            partition_by: PartitionBy::Day,
            ttl: 0,
            version: 0,
        }
    }

    fn partition(schema: &Schema, rows: &[(i64, f64)], block: usize) -> Partition {
        let mut partition = Partition::default();
        for rows in rows.chunks(block) {
            let mut made = Block::empty();
            let (mut ts, mut x) = (Chunk::new(schema.columns[0].ty), Chunk::new(schema.columns[1].ty));
            for (time, value) in rows {
                ts.push(schema.columns[0].ty, Value::Timestamp(*time), None);
                x.push(schema.columns[1].ty, Value::Double(*value), None);
            }
            made.rows = rows.len();
            made.columns = vec![Some(Arc::new(ts)), Some(Arc::new(x))];
            partition.rows += made.rows;
            partition.blocks.push(Arc::new(made));
        }
        partition
    }

    #[test]
    fn tells_what_is_missing_changed_or_moved() {
        use RowDifference::*;
        let schema = schema();
        let base = [(1, 1.0), (2, 2.0), (2, 3.0), (2, 4.0), (5, 5.0)];
        type Case<'a> = (&'a [(i64, f64)], &'a [RowDifference]);
        let cases: [Case<'_>; 7] = [
            (&base, &[]),
            (&[(1, 1.0), (2, 3.0), (2, 2.0), (2, 4.0), (5, 5.0)], &[Order { left: 1 }]),
            (&[(1, 1.0), (2, 4.0), (2, 2.0), (5, 5.0)], &[Left(2)]),
            (&[(1, 1.0), (2, 2.0), (2, 3.0), (2, 4.0), (3, 9.0), (5, 5.0)], &[Right(4)]),
            (
                &[(1, 1.5), (2, 2.0), (2, 3.0), (2, 4.0)],
                &[Values { left: 0, right: 0, columns: vec![1] }, Left(4)],
            ),
            (&[(1, 1.0), (2, 2.0), (2, 3.0), (2, 4.0), (5, 5.0), (5, 5.0)], &[Right(5)]),
            (&[], &[Left(0), Left(1), Left(2), Left(3)]),
        ];
        for (other, expected) in cases {
            for (a, b) in [(1, 9), (2, 3)] {
                let (left, right) = (partition(&schema, &base, a), partition(&schema, other, b));
                let side = |partition| Side { schema: &schema, symbols: &[], partition };
                let found = differences(side(&left), side(&right), &[(0, 0), (1, 1)], true, 4);
                assert_eq!(found, expected);
                let loose = differences(side(&left), side(&right), &[(0, 0), (1, 1)], false, 4);
                assert_eq!(loose.is_empty(), matches!(expected, [] | [Order { .. }]));
            }
        }
        let (left, right) = (partition(&schema, &[(1, 0.0)], 1), partition(&schema, &[(1, -0.0)], 1));
        let side = |partition| Side { schema: &schema, symbols: &[], partition };
        assert_eq!(differences(side(&left), side(&right), &[(1, 1)], true, 9).len(), 1);
    }
}
