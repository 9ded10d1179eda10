//! Building a part while its rows are still being read: rows that are a little late need little memory.

use super::build::Rows;
use super::plan::{Run, Sequence};

/// A sequence on its way, as far as the rows that it needs are there.
pub struct Flow<'a> {
    sequence: &'a Sequence,
    /// Rows, or runs, that are done.
    at: usize,
    /// New rows of the run at `at` that are done.
    within: u32,
    /// The smallest number of a new row from each [`STEP`]-th place on.
    lows: Vec<u32>,
    order: Vec<u32>,
    runs: Vec<Run>,
}

const STEP: usize = 1024;

impl<'a> Flow<'a> {
    /// From the front of a sequence.
    pub fn new(sequence: &'a Sequence) -> Self {
        let mut lows: Vec<u32> = match sequence {
            Sequence::AsTheyCame(_) => Vec::new(),
            Sequence::Sorted(order) => order.chunks(STEP).map(|some| lowest(some.iter().copied())).collect(),
            Sequence::Woven(runs) => runs.chunks(STEP).map(|some| lowest(new_starts(some))).collect(),
        };
        let mut low = u32::MAX;
        for place in lows.iter_mut().rev() {
            low = low.min(*place);
            *place = low;
        }
        Self { sequence, at: 0, within: 0, lows, order: Vec::new(), runs: Vec::new() }
    }

    /// The next rows, as many as need no new row from number `have` on; in the answer new rows count from `base`.
    pub fn next(&mut self, have: usize, base: usize) -> Rows<'_> {
        let (have, base) = (have as u32, base as u32);
        match self.sequence {
            Sequence::AsTheyCame(rows) => {
                let from = self.at;
                self.at = (*rows).min(have) as usize;
                let base = base as usize;
                Rows::Range(from.saturating_sub(base)..self.at.saturating_sub(base))
            }
            Sequence::Sorted(order) => {
                let rest = order.get(self.at..).unwrap_or_default();
                let ready = rest.iter().take_while(|row| **row < have);
                self.order.clear();
                self.order.extend(ready.map(|row| row.wrapping_sub(base)));
                self.at += self.order.len();
                Rows::Sorted(&self.order)
            }
            Sequence::Woven(runs) => {
                self.runs.clear();
                for run in runs.get(self.at..).unwrap_or_default() {
                    if run.is_old() {
                        self.runs.push(*run);
                        self.at += 1;
                        continue;
                    }
                    let (start, end) = (run.start() as u32 + self.within, (run.start() + run.len()) as u32);
                    let ready = end.min(have);
                    if ready > start {
                        self.runs.push(Run::new_rows(start.wrapping_sub(base), ready - start));
                    }
                    if ready < end {
                        self.within += ready.saturating_sub(start);
                        break;
                    }
                    self.at += 1;
                    self.within = 0;
                }
                Rows::Woven(&self.runs)
            }
        }
    }

    /// Whether all rows are done.
    pub fn is_done(&self) -> bool {
        match self.sequence {
            Sequence::AsTheyCame(rows) => self.at >= *rows as usize,
            Sequence::Sorted(order) => self.at >= order.len(),
            Sequence::Woven(runs) => self.at >= runs.len(),
        }
    }

    /// Number of the first new row that is still needed.
    pub fn lowest(&self) -> usize {
        let next_step = (self.at / STEP + 1) * STEP;
        let here = match self.sequence {
            Sequence::AsTheyCame(_) => return self.at,
            Sequence::Sorted(order) => {
                let rest = order.get(self.at..order.len().min(next_step));
                lowest(rest.unwrap_or_default().iter().copied())
            }
            Sequence::Woven(runs) => {
                // The run under way counts as a whole, unless it is the lowest: then it counts from where it stands.
                let rest = runs.get(self.at..runs.len().min(next_step)).unwrap_or_default();
                let (first, others) = rest.split_at(rest.len().min(1));
                lowest(new_starts(first).map(|start| start + self.within).chain(new_starts(others)))
            }
        };
        here.min(self.lows.get(next_step / STEP).copied().unwrap_or(u32::MAX)) as usize
    }
}

fn lowest(rows: impl Iterator<Item = u32>) -> u32 {
    rows.min().unwrap_or(u32::MAX)
}

fn new_starts(runs: &[Run]) -> impl Iterator<Item = u32> + '_ {
    runs.iter().filter(|run| !run.is_old()).map(|run| run.start() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sequences() -> impl Strategy<Value = Sequence> {
        let order = Just((0..3000u32).collect::<Vec<_>>()).prop_shuffle();
        // Rows that are a little late.
        let late = prop::collection::vec(0..200u32, 3000).prop_map(|late| {
            let mut order: Vec<u32> = (0..3000).collect();
            order.sort_by_key(|&row| row as i64 - i64::from(late[row as usize] % 50 / 40 * 200));
            order
        });
        let runs = prop::collection::vec((any::<bool>(), 0..2900u32, 1..100u32), 0..2500);
        prop_oneof![
            (0..3000u32).prop_map(Sequence::AsTheyCame),
            order.prop_map(Sequence::Sorted),
            late.prop_map(Sequence::Sorted),
            runs.prop_map(|runs| Sequence::Woven(
                runs.into_iter()
                    .map(|(old, start, len)| match old {
                        true => Run::old_rows(start, len),
                        false => Run::new_rows(start, len),
                    })
                    .collect()
            )),
        ]
    }

    /// Rows one by one, existing ones below zero.
    fn flat(rows: &Rows<'_>, base: i64) -> Vec<i64> {
        match rows {
            Rows::Range(range) => range.clone().map(|row| row as i64 + base).collect(),
            Rows::Sorted(order) => order.iter().map(|&row| i64::from(row) + base).collect(),
            Rows::Woven(runs) => {
                let each = |run: &Run| {
                    let old = run.is_old();
                    (run.start()..run.start() + run.len()).map(move |row| match old {
                        true => -1 - row as i64,
                        false => row as i64 + base,
                    })
                };
                runs.iter().flat_map(each).collect()
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_sequence_flows_whole_and_looks_back_no_further_than_it_says(
            sequence in sequences(),
            step in 1..900usize,
        ) {
            let whole = match &sequence {
                Sequence::AsTheyCame(rows) => flat(&Rows::Range(0..*rows as usize), 0),
                Sequence::Sorted(order) => flat(&Rows::Sorted(order), 0),
                Sequence::Woven(runs) => flat(&Rows::Woven(runs), 0),
            };
            let mut flow = Flow::new(&sequence);
            let (mut have, mut base) = (0, 0);
            let mut done: Vec<i64> = Vec::new();
            while have < 3000 {
                have += step;
                done.extend(flat(&flow.next(have, base), base as i64));
                prop_assert!(whole.starts_with(&done));
                let left = whole.get(done.len()..).unwrap_or_default();
                let low = left.iter().filter(|row| **row >= 0).min().map_or(usize::MAX, |low| *low as usize);
                prop_assert!(flow.lowest() <= low);
                base = base.max(flow.lowest().min(have));
            }
            prop_assert_eq!(done, whole);
            prop_assert!(flow.is_done());
        }
    }
}
