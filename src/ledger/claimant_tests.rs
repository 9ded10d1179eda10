use super::*;
use crate::ledger::{Boundary, Cluster, ClusterId, Document, Term, Unsettled};

const UNKNOWN: PutAnswer = PutAnswer::Unsettled(Unsettled::Unknown);

fn dir(term: u64) -> Dir {
    Dir { term: Term(term), writer: WriterId(term.into()) }
}

fn get(claimant: &Claimant) -> Key {
    match claimant.next() {
        Some(Action::Get { key }) => key,
        other => panic!("{other:?}"),
    }
}

fn put(claimant: &Claimant) -> Object {
    match claimant.next() {
        Some(Action::Put { key: Key::Object(place), bytes, .. }) => Object::read(place, bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A claimant that has found the log empty and wants to seal number 0.
fn at_the_end() -> Claimant {
    let reader = Reader::of(&Cluster::new(ClusterId(1), dir(1)));
    let mut claimant = Claimant::new(reader, WriterId(9), 5);
    assert_eq!(get(&claimant), Key::Clean(0));
    assert_eq!(claimant.got(&GetAnswer::NotFound), None);
    assert!(matches!(get(&claimant), Key::Object(_)));
    assert_eq!(claimant.got(&GetAnswer::NotFound), None);
    claimant
}

fn boundary(n: u64) -> GetAnswer {
    GetAnswer::Found(Boundary::new(ClusterId(1), n, 0).to_bytes().unwrap())
}

/// What a primary wrote at number 0.
fn pack(seal: &Object) -> Object {
    Object::bare(Head { kind: Kind::Pack, ..*seal.head() }, None)
}

#[test]
fn p2_p4_the_lowest_missing_number_is_sealed_and_the_boundary_looked_at() {
    let mut claimant = at_the_end();
    let seal = put(&claimant);
    let next = Dir { term: Term(2), writer: WriterId(9) };
    assert_eq!((seal.head().place.n, seal.head().kind), (0, Kind::Seal { next }));
    assert_eq!(claimant.put_answered(PutAnswer::Stored), None);
    assert_eq!(get(&claimant), Key::Clean(0));
    let Some(Progress::Won(point)) = claimant.got(&GetAnswer::NotFound) else { panic!("it has won") };
    assert_eq!((point.next.dir, point.next.n, point.before), (next, 1, seal.sum()));
    assert_eq!(point.terms.len(), 2);
    assert_eq!(claimant.next(), None);
}

#[test]
fn p3_until_settled_the_same_seal_is_put_and_nothing_else() {
    let mut claimant = at_the_end();
    let seal = put(&claimant);
    for answer in [UNKNOWN, PutAnswer::Refused(Refused::Denied), UNKNOWN] {
        assert_eq!(claimant.put_answered(answer), None);
        assert_eq!(put(&claimant).bytes(), seal.bytes());
    }
    assert_eq!(claimant.put_answered(PutAnswer::Taken), None);
    assert_eq!(claimant.got(&GetAnswer::Failed), None);
    assert_eq!(claimant.got(&GetAnswer::Found(seal.bytes().clone())), None);
    assert!(matches!(claimant.got(&GetAnswer::NotFound), Some(Progress::Won(_))));
}

#[test]
fn p4_a_seal_on_a_deleted_number_is_given_up() {
    let mut claimant = at_the_end();
    claimant.put_answered(PutAnswer::Stored);
    assert_eq!(claimant.got(&boundary(1)), None);
    assert_eq!(claimant.got(&GetAnswer::NotFound), Some(Progress::GaveUp));
    assert_eq!(claimant.next(), None);
    assert_eq!(claimant.into_reader().point().next.n, 0);
}

#[test]
fn a_taken_number_with_nothing_there_is_looked_into() {
    for (record, gives_up) in [(None, false), (Some(boundary(0)), false), (Some(boundary(1)), true)] {
        let mut claimant = at_the_end();
        let seal = put(&claimant);
        claimant.put_answered(PutAnswer::Taken);
        assert_eq!(claimant.got(&GetAnswer::NotFound), None);
        assert_eq!(get(&claimant), Key::Clean(0));
        record.iter().for_each(|record| assert_eq!(claimant.got(record), None));
        let progress = claimant.got(&GetAnswer::NotFound);
        assert_eq!(progress.is_some(), gives_up);
        if !gives_up {
            assert_eq!(put(&claimant).bytes(), seal.bytes());
        }
    }
}

#[test]
fn p5_what_came_first_is_read_and_the_next_number_sealed() {
    let mut claimant = at_the_end();
    let pack = pack(&put(&claimant));
    claimant.put_answered(PutAnswer::Taken);
    let progress = claimant.got(&GetAnswer::Found(pack.bytes().clone()));
    assert_eq!(progress, Some(Progress::Read(Event::Pack(pack.clone()))));
    assert_eq!(claimant.got(&GetAnswer::NotFound), None);
    let seal = put(&claimant);
    assert_eq!((seal.head().place.n, seal.head().before), (1, pack.sum()));
}

#[test]
fn losers_follow_the_winner_and_stand_down() {
    let mut claimant = at_the_end();
    let kind = Kind::Seal { next: Dir { term: Term(2), writer: WriterId(8) } };
    let other = Object::bare(Head { kind, ..*put(&claimant).head() }, None);
    claimant.put_answered(PutAnswer::Taken);
    assert_eq!(claimant.got(&GetAnswer::Found(other.bytes().clone())), None);
    assert_eq!(get(&claimant), Key::Clean(0));
    assert_eq!(claimant.got(&GetAnswer::NotFound), Some(Progress::StoodDown));
    assert_eq!(claimant.point().next.dir.writer, WriterId(8));
}

#[test]
fn damage_and_a_missing_bucket_end_the_attempt() {
    let mut claimant = at_the_end();
    claimant.put_answered(PutAnswer::Taken);
    let progress = claimant.got(&GetAnswer::Found("damaged".into()));
    assert!(matches!(progress, Some(Progress::Stopped(Error::Damaged { .. }))));
    let mut claimant = at_the_end();
    let progress = claimant.put_answered(PutAnswer::Refused(Refused::NoBucket));
    assert!(matches!(progress, Some(Progress::Stopped(_))));
    assert_eq!(claimant.next(), None);
}
