use super::*;
use crate::ledger::{ClusterId, Dir, Sum, Term, Unsettled, WriterId};

fn dir(term: u64) -> Dir {
    Dir { term: Term(term), writer: WriterId(term.into()) }
}

/// Numbers 0 to 2 in term 1, its seal at 3, and 4 to 6 in term 2.
fn manifest() -> Manifest {
    Manifest {
        format: Manifest::FORMAT,
        cluster: ClusterId(1),
        n: 6,
        directory: dir(2),
        sum: Sum::ZERO,
        next: dir(2),
        boundary: None,
        terms: vec![
            Span { directory: dir(1), first: 0, seal: Some(3) },
            Span { directory: dir(2), first: 4, seal: None },
        ],
        parts: Vec::new(),
        requests: 0,
    }
}

fn record(cleaner: &Cleaner) -> (u64, Bytes) {
    match cleaner.next() {
        Some(Action::Put { key: Key::Clean(k), bytes, condition: Condition::IfAbsent }) => (k, bytes),
        other => panic!("{other:?}"),
    }
}

/// What it deletes from here on: term and number.
fn deletes(cleaner: &mut Cleaner) -> Vec<(u64, u64)> {
    let mut deleted = Vec::new();
    while let Some(Action::Delete { key: Key::Object(place) }) = cleaner.next() {
        deleted.push((place.dir.term.0, place.n));
        cleaner.deleted();
    }
    assert_eq!(cleaner.next(), None);
    deleted
}

fn recorded(to: u64, from: u64, stragglers: u64) -> Cleaner {
    let mut cleaner = Cleaner::new(&manifest(), to, from, stragglers).unwrap();
    cleaner.got(&GetAnswer::NotFound).unwrap();
    assert_eq!(record(&cleaner).0, 0);
    cleaner.put_answered(PutAnswer::Stored);
    cleaner
}

#[test]
fn c1_the_boundary_is_within_the_snapshot() {
    let error = Cleaner::new(&manifest(), 8, 0, 0).unwrap_err();
    assert!(matches!(error, Error::Rule { rule: "C1", .. }));
    assert!(Cleaner::new(&manifest(), 7, 0, 0).is_ok());
}

#[test]
fn c2_the_record_is_settled_before_anything_is_deleted() {
    let mut cleaner = Cleaner::new(&manifest(), 2, 0, 0).unwrap();
    cleaner.got(&GetAnswer::NotFound).unwrap();
    let (_, bytes) = record(&cleaner);
    cleaner.put_answered(PutAnswer::Unsettled(Unsettled::Unknown));
    assert_eq!(record(&cleaner).1, bytes);
    cleaner.put_answered(PutAnswer::Taken);
    cleaner.got(&GetAnswer::NotFound).unwrap();
    assert_eq!(record(&cleaner).1, bytes);
    // Another's record is there: start over, behind it.
    let other = Boundary::new(ClusterId(1), 1, 6).to_bytes().unwrap();
    cleaner.put_answered(PutAnswer::Taken);
    cleaner.got(&GetAnswer::Found(other.clone())).unwrap();
    cleaner.got(&GetAnswer::Found(other)).unwrap();
    cleaner.got(&GetAnswer::NotFound).unwrap();
    assert_eq!(record(&cleaner), (1, bytes.clone()));
    cleaner.put_answered(PutAnswer::Taken);
    cleaner.got(&GetAnswer::Found(bytes)).unwrap();
    assert_eq!(deletes(&mut cleaner), [(1, 0), (1, 1)]);
}

#[test]
fn c2_a_boundary_that_is_high_enough_is_left_alone() {
    let mut cleaner = Cleaner::new(&manifest(), 2, 0, 0).unwrap();
    let other = Boundary::new(ClusterId(1), 5, 6).to_bytes().unwrap();
    cleaner.got(&GetAnswer::Found(other)).unwrap();
    cleaner.got(&GetAnswer::NotFound).unwrap();
    assert_eq!(deletes(&mut cleaner), [(1, 0), (1, 1)]);
}

#[test]
fn c3_seals_stay_and_stragglers_go() {
    assert_eq!(deletes(&mut recorded(7, 0, 0)), [(1, 0), (1, 1), (1, 2), (2, 4), (2, 5), (2, 6)]);
    assert_eq!(deletes(&mut recorded(4, 0, 3)), [(1, 0), (1, 1), (1, 2)]);
    let all = [(1, 0), (1, 1), (1, 2), (1, 4), (1, 5), (2, 4), (2, 5), (2, 6)];
    assert_eq!(deletes(&mut recorded(7, 0, 2)), all);
    assert_eq!(deletes(&mut recorded(7, 5, 0)), [(2, 5), (2, 6)]);
}

#[test]
fn a_damaged_record_ends_the_round() {
    let mut cleaner = Cleaner::new(&manifest(), 2, 0, 0).unwrap();
    assert!(cleaner.got(&GetAnswer::Found("damaged".into())).is_err());
    assert_eq!(cleaner.next(), None);
}
