//! Comparing one table.

use super::half::Half;
use super::report::{PartitionReport, Report, Shown};
use super::schema;
use crate::native::cli::out::Out;
use crate::native::cli::progress::Progress;
use crate::native::outcome::exit_of;
use crate::native::source::Source;
use crate::table::{RowDifference, differences};
use crate::wal::{Result, TableToken};
use std::collections::BTreeMap;
use std::ops::Range;

/// Times that a table is compared anew because a server took its files away meanwhile.
const ATTEMPTS: u32 = 5;

type Parts = Option<Range<usize>>;

pub(super) fn compare(
    out: Out,
    a: (&Source, &TableToken),
    b: (&Source, &TableToken),
    limit: usize,
) -> Report {
    let mut attempt = 1;
    loop {
        match try_compare(out, a, b, limit, attempt < ATTEMPTS) {
            Ok(Some(report)) => return report,
            Ok(None) => attempt += 1,
            Err(error) => {
                let mut report = Report::of_one(a.1.name.clone(), Some(a.1), Some(b.1));
                report.error = Some((exit_of(&error), error.to_string()));
                return report;
            }
        }
    }
}

/// `None` if files went away under a table that has moved on.
fn try_compare(
    out: Out,
    a: (&Source, &TableToken),
    b: (&Source, &TableToken),
    limit: usize,
    again: bool,
) -> Result<Option<Report>> {
    let (mut left, mut right) = (Half::open(a.0, a.1)?, Half::open(b.0, b.1)?);
    let mut report = Report::of_one(left.table.name.clone(), Some(a.1), Some(b.1));
    let compared = Comparison { left: &mut left, right: &mut right, limit }.run(out, &mut report);
    match compared {
        Ok(()) => Ok(Some(report)),
        Err(_) if again && (left.moved()? || right.moved()?) => Ok(None),
        Err(error) => Err(error),
    }
}

struct Comparison<'a, 's> {
    left: &'a mut Half<'s>,
    right: &'a mut Half<'s>,
    limit: usize,
}

impl Comparison<'_, '_> {
    fn run(&mut self, out: Out, report: &mut Report) -> Result<()> {
        let (a, b) = (&self.left.applied.applied, &self.right.applied.applied);
        report.txns = [Some(a.seq_txn), Some(b.seq_txn)];
        report.rows = [self.left.rows(), self.right.rows()];
        let schemas = (&*self.left.table.schema, &*self.right.table.schema);
        report.schema = schema::differences(schemas.0, schemas.1);
        if !schema::comparable(schemas.0, schemas.1) {
            return Ok(());
        }
        let mut floors: BTreeMap<i64, (Parts, Parts)> = BTreeMap::new();
        for (floor, parts) in self.left.partitions() {
            floors.entry(floor).or_default().0 = parts;
        }
        for (floor, parts) in self.right.partitions() {
            floors.entry(floor).or_default().1 = parts;
        }
        let mut progress =
            Progress::new(out, format!("comparing {}", report.name), "rows", report.rows.iter().sum());
        let mut done = 0;
        for (floor, parts) in floors {
            done += self.partition(floor, parts, report)?;
            progress.set(done);
        }
        Ok(())
    }

    /// Answers the rows read.
    fn partition(&mut self, floor: i64, parts: (Parts, Parts), report: &mut Report) -> Result<u64> {
        let (left, right) = (self.left.read(floor, parts.0)?, self.right.read(floor, parts.1)?);
        let rows = (left.rows + right.rows) as u64;
        // The server makes a partition without rows while rows wait for it.
        if rows == 0 {
            return Ok(0);
        }
        report.partitions_compared += 1;
        let (a, b) = (&self.left.table, &self.right.table);
        let digests = schema::same_digest(&a.schema, &b.schema)
            .then(|| [a.partition_digest(&left), b.partition_digest(&right)]);
        let ordered = a.schema.extra_keys().is_empty() && b.schema.extra_keys().is_empty();
        if !ordered && digests.is_some_and(|[a, b]| a == b) {
            return Ok(rows);
        }
        let room = self.limit - report.differences.len().min(self.limit);
        let columns = schema::pairs(&a.schema, &b.schema);
        let sides = (self.left.side(&left), self.right.side(&right));
        let (missing, counts) = (left.rows == 0 || right.rows == 0, [left.rows as u64, right.rows as u64]);
        // Rows of a partition that one side doesn't have are not told one by one; one more than wanted tells
        // that there are more.
        let found =
            if missing { Vec::new() } else { differences(sides.0, sides.1, &columns, ordered, room + 1) };
        let differ = digests.is_some_and(|[a, b]| a != b);
        if missing || differ || !found.is_empty() {
            let partition = a.calendar().name(floor);
            report.partitions.push(PartitionReport { name: partition.clone(), rows: counts, digests });
            report.more |= found.len() > room;
            for difference in found.into_iter().take(room) {
                report.differences.push(Shown::new(&partition, &difference, sides, &columns));
            }
        }
        Ok(rows)
    }
}

/// A row of either side that tells the difference's time.
pub(super) fn rows_of(difference: &RowDifference) -> (Option<usize>, Option<usize>) {
    match difference {
        RowDifference::Left(left) | RowDifference::Order { left } => (Some(*left), None),
        RowDifference::Right(right) => (None, Some(*right)),
        RowDifference::Values { left, right, .. } => (Some(*left), Some(*right)),
    }
}
