use super::*;
use crate::ledger::Sum;
use crate::ledger::{Cluster, ClusterId, Dir, Pack, Term, WriterId};
use bytes::Bytes;

fn dir(term: u64) -> Dir {
    Dir { term: Term(term), writer: WriterId(term.into()) }
}

fn writer(window: usize) -> Writer {
    Writer::new(Point::start(&Cluster::new(ClusterId(1), dir(1))), window)
}

/// Offers the next pack and sends it.
fn send(writer: &mut Writer) -> Object {
    let head = writer.slot().expect("the window has room");
    let pack = Pack::default().encode(Head { committed_us: 7, ..head }, None).unwrap();
    writer.offer(pack.clone()).unwrap();
    assert!(matches!(writer.poll(), Some(Action::Put { bytes, .. }) if bytes == *pack.bytes()));
    pack
}

fn key(object: &Object) -> Key {
    object.head().place.key()
}

/// Has the put taken, and answers the get that follows.
fn taken(writer: &mut Writer, key: Key, found: GetAnswer) {
    writer.put_answered(key, PutAnswer::Taken);
    assert_eq!(writer.acknowledged(), 0, "W4: taken proves nothing");
    assert_eq!(writer.poll(), Some(Action::Get { key }));
    writer.get_answered(key, &found);
}

#[test]
fn w1_numbers_come_in_order_and_name_the_one_before() {
    let mut writer = writer(4);
    let first = send(&mut writer);
    let head = writer.slot().unwrap();
    assert_eq!((head.place.n, head.before), (1, first.sum()));
    let wrong = [
        Head { place: head.place.next(), ..head },
        Head { before: Sum::ZERO, ..head },
        Head { cluster: ClusterId(2), ..head },
        Head { kind: Kind::Seal { next: dir(2) }, ..head },
    ];
    for head in wrong {
        let error = writer.offer(Object::bare(head, None)).unwrap_err();
        assert!(matches!(error, Error::Rule { rule: "W1", .. }), "{error}");
    }
}

#[test]
fn w2_the_window_bounds_what_is_in_flight() {
    let mut writer = writer(2);
    let first = send(&mut writer);
    send(&mut writer);
    assert_eq!(writer.slot(), None);
    writer.put_answered(key(&first), PutAnswer::Stored);
    assert_eq!(writer.slot().map(|head| head.place.n), Some(2));
}

#[test]
fn w3_every_try_sends_the_same_bytes() {
    let mut writer = writer(1);
    let pack = send(&mut writer);
    let refusals = [
        (PutAnswer::Unsettled(Unsettled::Unknown), Pause::Retry),
        (PutAnswer::Unsettled(Unsettled::SlowDown), Pause::SlowDown),
        (PutAnswer::Refused(Refused::Denied), Pause::Refused),
        (PutAnswer::Refused(Refused::Full), Pause::Refused),
    ];
    for (answer, pause) in refusals {
        writer.put_answered(key(&pack), answer);
        assert_eq!(writer.poll(), Some(Action::Later { key: key(&pack), pause }));
        assert_eq!(writer.poll(), None);
        writer.waited(key(&pack));
        assert!(matches!(writer.poll(), Some(Action::Put { bytes, .. }) if bytes == *pack.bytes()));
    }
}

#[test]
fn w4_own_bytes_confirm_and_nothing_there_settles_nothing() {
    let mut writer = writer(1);
    let pack = send(&mut writer);
    for answer in [GetAnswer::NotFound, GetAnswer::Failed, GetAnswer::Found(Bytes::from_static(b"damaged"))] {
        taken(&mut writer, key(&pack), answer);
        assert_eq!(writer.status(), &Status::Running);
        assert_eq!(writer.poll(), Some(Action::Later { key: key(&pack), pause: Pause::Retry }));
        writer.waited(key(&pack));
        assert!(matches!(writer.poll(), Some(Action::Put { bytes, .. }) if bytes == *pack.bytes()));
    }
    taken(&mut writer, key(&pack), GetAnswer::Found(pack.bytes().clone()));
    assert_eq!(writer.acknowledged(), 1);
}

#[test]
fn w4_other_bytes_of_the_same_writer_stop_it() {
    let mut writer = writer(1);
    let pack = send(&mut writer);
    for head in [Head { committed_us: 8, ..*pack.head() }, Head { cluster: ClusterId(2), ..*pack.head() }] {
        let mut writer = writer.clone();
        let other = Object::bare(head, None);
        taken(&mut writer, key(&pack), GetAnswer::Found(other.bytes().clone()));
        assert!(matches!(writer.status(), Status::Stopped(Error::Foreign { .. })), "{:?}", writer.status());
        assert_eq!((writer.poll(), writer.slot()), (None, None));
    }
}

#[test]
fn w5_confirmations_count_in_order() {
    let mut writer = writer(3);
    let packs = [send(&mut writer), send(&mut writer), send(&mut writer)];
    writer.put_answered(key(&packs[2]), PutAnswer::Stored);
    writer.put_answered(key(&packs[1]), PutAnswer::Stored);
    assert_eq!(writer.acknowledged(), 0);
    // A late answer to a try that was given up counts too.
    writer.put_answered(key(&packs[0]), PutAnswer::Unsettled(Unsettled::Unknown));
    writer.put_answered(key(&packs[0]), PutAnswer::Stored);
    assert_eq!(writer.acknowledged(), 3);
    assert!(writer.is_acknowledged(2) && !writer.is_acknowledged(3));
}

#[test]
fn w6_a_seal_fences_at_once() {
    let mut writer = writer(2);
    let packs = [send(&mut writer), send(&mut writer)];
    let kind = Kind::Seal { next: dir(2) };
    let seal = Object::bare(Head { kind, ..*packs[0].head() }, None);
    taken(&mut writer, key(&packs[0]), GetAnswer::Found(seal.bytes().clone()));
    assert_eq!(writer.status(), &Status::Fenced(packs[0].head().place));
    writer.put_answered(key(&packs[0]), PutAnswer::Stored);
    writer.put_answered(key(&packs[1]), PutAnswer::Stored);
    assert_eq!((writer.acknowledged(), writer.poll(), writer.slot()), (0, None, None));
    assert_eq!(writer.unacknowledged().count(), 2, "for the report of what diverged");
}

#[test]
fn s1_a_snapshot_stands_on_confirmed_numbers() {
    let mut writer = writer(2);
    let pack = send(&mut writer);
    assert!(matches!(writer.point(), Err(Error::Rule { rule: "S1", .. })));
    writer.put_answered(key(&pack), PutAnswer::Stored);
    let manifest = writer.point().unwrap().manifest(Vec::new(), None).unwrap();
    assert_eq!((manifest.n, manifest.sum, manifest.next), (0, pack.sum(), dir(1)));
}

#[test]
fn a_bucket_that_is_not_there_stops_it() {
    let mut writer = writer(1);
    let pack = send(&mut writer);
    writer.put_answered(key(&pack), PutAnswer::Refused(Refused::NoBucket));
    assert!(matches!(writer.status(), Status::Stopped(_)));
}
