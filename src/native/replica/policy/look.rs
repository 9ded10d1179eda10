//! What a table consists of on this instance, as the machine wants to know it.

use crate::native::store::{Away, Disk, DiskReader, Forms, stamp};
use crate::policy::{Form, PartitionSeen, TableSeen};
use crate::table::Calendar;
use crate::table::files::read::AppliedTable;
use crate::wal::{Result, TableToken};
use std::collections::BTreeMap;
use std::ops::Range;

/// A table when it was last looked at.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) seen: TableSeen,
    pub(super) forms: Forms,
    /// Partitions with files of their own here.
    pub(super) here: BTreeMap<i64, Here>,
}

/// A partition with files of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Here {
    /// Tells states of its files apart.
    pub(super) stamp: u64,
    /// The stamp that it had when its rows were last changed: a change of form leaves it.
    pub(super) version: u64,
    pub(super) parquet: bool,
}

/// That a partition has another form, and the same rows as before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Carried {
    pub(super) floor: i64,
    pub(super) version: u64,
}

impl Watched {
    /// Looks at a table that was like `before` when it was last looked at.
    pub(super) fn look(
        disk: &dyn Disk,
        token: &TableToken,
        before: Option<&Self>,
        carried: Option<Carried>,
    ) -> Result<Self> {
        let table = AppliedTable::read(&DiskReader(disk), token)?;
        let forms = Forms::read(disk, &token.dir, table.applied.txn)?;
        let mut here = BTreeMap::new();
        let mut partitions = Vec::new();
        for (floor, parts) in table.partitions() {
            let stamp = stamp(&table, parts.clone());
            let known = before.and_then(|before| before.here.get(&floor));
            let this = match known.filter(|known| known.stamp == stamp) {
                Some(known) => *known,
                None => Here {
                    stamp,
                    version: carried.filter(|carried| carried.floor == floor).map_or(stamp, |c| c.version),
                    parquet: parquet(&table, parts.clone()),
                },
            };
            here.insert(floor, this);
            partitions.push(this.seen(floor, rows(&table, parts), forms.away.get(&floor)));
        }
        let gone = forms.away.iter().filter(|(floor, away)| !here.contains_key(floor) && away.is_partial());
        partitions.extend(gone.map(|(floor, away)| seen_away(*floor, away)));
        partitions.sort_by_key(|partition| partition.floor);
        let schema = &table.schema;
        let newest = (table.applied.rows > 0).then_some(table.applied.max_ts);
        let seen = TableSeen {
            table: token.dir.clone(),
            partition_by: schema.partition_by,
            nanos: schema.nanos(),
            ttl: schema.ttl,
            newest,
            partitions,
        };
        Ok(Self { seen, forms, here })
    }

    /// The partition as QuestDB names it.
    pub(super) fn name(&self, floor: i64) -> String {
        Calendar::new(self.seen.partition_by, self.seen.nanos).name(floor)
    }
}

impl Here {
    fn seen(&self, floor: i64, rows: u64, away: Option<&Away>) -> PartitionSeen {
        let whole = away.and_then(|away| away.whole);
        let remote = whole.map(|whole| if whole.covers == self.stamp { self.version } else { !self.version });
        PartitionSeen {
            floor,
            rows,
            // What they are is told by the journal's note of partitions, and of no use to the machine.
            bytes: 0,
            form: if self.parquet { Form::Parquet } else { Form::Native },
            version: self.version,
            remote,
            partial: away.is_some_and(|away| away.under.is_some()),
        }
    }
}

fn seen_away(floor: i64, away: &Away) -> PartitionSeen {
    let version = away.under.map_or(0, |blob| {
        let (word, _) = blob.sum.0.split_first_chunk::<8>().map_or(([0; 8], &[][..]), |(w, r)| (*w, r));
        u64::from_le_bytes(word)
    });
    PartitionSeen {
        floor,
        rows: away.under.map_or(0, |blob| blob.rows),
        bytes: 0,
        form: if away.under.is_some() { Form::Remote } else { Form::Dropped },
        version,
        remote: away.under.map(|_| version),
        partial: false,
    }
}

fn rows(table: &AppliedTable, parts: Range<usize>) -> u64 {
    table.applied.partitions.get(parts).unwrap_or_default().iter().map(|part| part.rows).sum()
}

fn parquet(table: &AppliedTable, parts: Range<usize>) -> bool {
    table.applied.partitions.get(parts).unwrap_or_default().iter().any(|part| part.parquet)
}
