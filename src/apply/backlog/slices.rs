//! A part whose new rows don't fit into memory at once is built piece by piece.

use super::plan::{Run, Sequence};
use super::share::Members;
use std::borrow::Cow;

/// Neighbouring rows of a part, and the new rows that they need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<'a> {
    /// Positions in the share of the new rows; `None` for all of them.
    pub members: Option<Members>,
    /// The rows, new ones by their positions in `members`.
    pub sequence: Cow<'a, Sequence>,
}

/// Cuts the sequence of a part that gets `rows` new rows, so that no slice needs more than `most` of them.
pub fn slices(sequence: &Sequence, rows: usize, most: usize) -> Vec<Slice<'_>> {
    let most = most.max(1);
    if rows <= most {
        return vec![Slice { members: None, sequence: Cow::Borrowed(sequence) }];
    }
    let mut ranks = vec![0u32; rows];
    match sequence {
        Sequence::AsTheyCame(rows) => (0..*rows)
            .step_by(most)
            .map(|from| {
                let to = rows.min(&(from.saturating_add(most as u32))).to_owned();
                Slice {
                    members: Some(Members::Range(from..to)),
                    sequence: Cow::Owned(Sequence::AsTheyCame(to - from)),
                }
            })
            .collect(),
        Sequence::Sorted(order) => order
            .chunks(most)
            .map(|some| {
                let members = ranked(some.to_vec(), &mut ranks);
                let rank = |row: &u32| ranks.get(*row as usize).copied().unwrap_or(0);
                let sequence = Sequence::Sorted(some.iter().map(rank).collect());
                Slice { members: Some(members), sequence: Cow::Owned(sequence) }
            })
            .collect(),
        Sequence::Woven(runs) => {
            let woven = |runs: Vec<Run>| {
                let new = runs.iter().filter(|run| !run.is_old());
                let rows = new.flat_map(|run| run.start() as u32..(run.start() + run.len()) as u32).collect();
                let members = ranked(rows, &mut ranks);
                let renumbered = runs.iter().map(|run| match run.is_old() {
                    true => *run,
                    // Neighbours stay neighbours: all of them are members.
                    false => Run::new_rows(ranks.get(run.start()).copied().unwrap_or(0), run.len() as u32),
                });
                let sequence = Cow::Owned(Sequence::Woven(renumbered.collect()));
                Slice { members: Some(members), sequence }
            };
            cut_runs(runs, most).into_iter().map(woven).collect()
        }
    }
}

/// The rows in order, and in `ranks` the position of each.
fn ranked(mut rows: Vec<u32>, ranks: &mut [u32]) -> Members {
    rows.sort_unstable();
    rows.dedup();
    for (rank, &row) in (0..).zip(&rows) {
        if let Some(place) = ranks.get_mut(row as usize) {
            *place = rank;
        }
    }
    Members::List(rows)
}

/// Cuts runs so that no piece has more than `most` new rows.
fn cut_runs(runs: &[Run], most: usize) -> Vec<Vec<Run>> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    let mut left = most;
    for run in runs {
        if run.is_old() {
            piece.push(*run);
            continue;
        }
        let (mut start, mut len) = (run.start(), run.len());
        while len > 0 {
            if left == 0 {
                pieces.push(std::mem::take(&mut piece));
                left = most;
            }
            let now = len.min(left);
            piece.push(Run::new_rows(start as u32, now as u32));
            (start, len, left) = (start + now, len - now, left - now);
        }
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a sequence is by the numbers of rows in the share; existing ones are negative.
    fn flat(sequence: &Sequence, members: Option<&Members>) -> Vec<i64> {
        let of = |row: usize| match members {
            Some(members) => i64::from(members.get(row).unwrap()),
            None => row as i64,
        };
        match sequence {
            Sequence::AsTheyCame(rows) => (0..*rows as usize).map(of).collect(),
            Sequence::Sorted(order) => order.iter().map(|&row| of(row as usize)).collect(),
            Sequence::Woven(runs) => {
                let each = |run: &Run| (run.start()..run.start() + run.len()).collect::<Vec<_>>();
                let all = runs.iter().map(|run| (run.is_old(), each(run)));
                all.flat_map(|(old, rows)| {
                    rows.into_iter().map(move |row| if old { -1 - row as i64 } else { of(row) })
                })
                .collect()
            }
        }
    }

    proptest! {
        #[test]
        fn slices_are_the_whole(
            order in Just((0..40u32).collect::<Vec<_>>()).prop_shuffle(),
            runs in prop::collection::vec((any::<bool>(), 0..38u32, 1..3u32), 0..30),
            kind in 0..3,
            most in 1..50usize,
        ) {
            let sequence = match kind {
                0 => Sequence::AsTheyCame(40),
                1 => Sequence::Sorted(order),
                _ => Sequence::Woven(runs.into_iter().map(|(old, start, len)| match old {
                    true => Run::old_rows(start, len),
                    false => Run::new_rows(start, len),
                }).collect()),
            };
            let all = slices(&sequence, 40, most);
            let whole: Vec<i64> =
                all.iter().flat_map(|slice| flat(&slice.sequence, slice.members.as_ref())).collect();
            prop_assert_eq!(whole, flat(&sequence, None));
            for slice in &all {
                prop_assert!(slice.members.as_ref().is_none_or(|members| members.len() <= most));
            }
        }
    }
}
