use super::*;
use crate::ledger::{Boundary, ClusterId, Head, Pack, Sum, Term, WriterId};
use std::collections::BTreeMap;

fn dir(term: u64) -> Dir {
    Dir { term: Term(term), writer: WriterId(term.into()) }
}

fn cluster() -> Cluster {
    Cluster::new(ClusterId(1), dir(1))
}

/// A history in a bucket: `p` is a pack, `s` a seal.
fn history(kinds: &str) -> (BTreeMap<Key, bytes::Bytes>, Point) {
    let (mut bucket, mut point) = (BTreeMap::new(), Point::start(&cluster()));
    for kind in kinds.chars() {
        let Point { cluster, next, before, .. } = point;
        let head = Head { cluster, place: next, committed_us: 0, before, kind: Kind::Pack };
        let after = dir(next.dir.term.0 + 1);
        let object = match kind {
            'p' => Pack::default().encode(head, None).unwrap(),
            _ => Object::bare(Head { kind: Kind::Seal { next: after }, ..head }, None),
        };
        bucket.insert(next.key(), object.bytes().clone());
        match kind {
            'p' => point.pass(object.sum()),
            _ => point.follow(after, object.sum()),
        }
    }
    (bucket, point)
}

fn answer(bucket: &BTreeMap<Key, bytes::Bytes>, reader: &Reader) -> GetAnswer {
    let Some(Action::Get { key }) = reader.next() else { panic!("nothing is asked for") };
    bucket.get(&key).cloned().map_or(GetAnswer::NotFound, GetAnswer::Found)
}

/// Reads until something is missing, or it stops.
fn read(reader: &mut Reader, bucket: &BTreeMap<Key, bytes::Bytes>) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        let Some(event) = reader.got(&answer(bucket, reader)) else { continue };
        if let Event::Load(_) = event {
            reader.loaded(Loaded::Done);
        }
        let last = matches!(event, Event::Missing | Event::Stopped(_));
        events.push(event);
        if last {
            return events;
        }
    }
}

#[test]
fn r1_a_missing_number_is_not_passed_over() {
    let (mut bucket, _) = history("pppp");
    let gone = Place { dir: dir(1), n: 1 }.key();
    let bytes = bucket.remove(&gone).unwrap();
    let mut reader = Reader::of(&cluster());
    assert_eq!(read(&mut reader, &bucket).len(), 2);
    assert_eq!(reader.point().next.n, 1);
    assert_eq!(reader.next(), Some(Action::Later { key: gone, pause: Pause::Poll }));
    bucket.insert(gone, bytes);
    reader.waited();
    assert_eq!(read(&mut reader, &bucket).len(), 4);
}

#[test]
fn r3_an_object_that_does_not_follow_stops_the_reader() {
    let (mut bucket, end) = history("pp");
    let head = Head {
        cluster: ClusterId(1),
        place: end.next,
        committed_us: 0,
        before: Sum::of(b"another"),
        kind: Kind::Pack,
    };
    for head in [head, Head { before: end.before, cluster: ClusterId(2), ..head }] {
        bucket.insert(end.next.key(), Object::bare(head, None).bytes().clone());
        let mut reader = Reader::of(&cluster());
        let events = read(&mut reader, &bucket);
        assert!(matches!(events.last(), Some(Event::Stopped(Error::Foreign { .. }))), "{events:?}");
        assert_eq!(reader.next(), None);
    }
    bucket.insert(end.next.key(), bytes::Bytes::from_static(b"damaged"));
    let mut reader = Reader::of(&cluster());
    assert!(matches!(read(&mut reader, &bucket).last(), Some(Event::Stopped(Error::Damaged { .. }))));
    bucket.remove(&end.next.key());
    reader.retry();
    assert_eq!(read(&mut reader, &bucket), [Event::Missing]);
}

#[test]
fn r4_the_boundary_is_looked_at_after_a_seal_was_read() {
    let (bucket, end) = history("psp");
    let mut reader = Reader::of(&cluster());
    let mut asked = Vec::new();
    while reader.point().next != end.next {
        let Some(Action::Get { key }) = reader.next() else { panic!("nothing is asked for") };
        asked.push(key);
        reader.got(&answer(&bucket, &reader));
    }
    let at = |term, n| Place { dir: dir(term), n }.key();
    assert_eq!(asked, [Key::Clean(0), at(1, 0), at(1, 1), Key::Clean(0), at(2, 2)]);
    assert_eq!(reader.point(), &end);
}

#[test]
fn r5_behind_the_boundary_a_snapshot_is_loaded() {
    let (mut bucket, end) = history("psp");
    let manifest = end.manifest(Vec::new(), None).unwrap();
    bucket.retain(|key, _| !matches!(key, Key::Object(place) if place.n == 0));
    let record = Boundary::new(ClusterId(1), 3, 2);
    bucket.insert(Key::Clean(0), record.to_bytes().unwrap());
    let mut reader = Reader::of(&cluster());
    // The record is there before its snapshot can be seen, or the snapshot is too old already: again from the record.
    for _ in 0..4 {
        assert_eq!(reader.got(&answer(&bucket, &reader)), None);
    }
    bucket.insert(Key::Snapshot(2), manifest.to_bytes().unwrap());
    let events = read(&mut reader, &bucket);
    assert_eq!(events, [Event::Load(Box::new(manifest)), Event::Missing]);
    assert_eq!(reader.point(), &end);
    assert_eq!(reader.boundary(), Some(0));
}

#[test]
fn r5_a_snapshot_that_does_not_reach_the_boundary_is_damage() {
    let (mut bucket, end) = history("p");
    bucket.insert(Key::Clean(0), Boundary::new(ClusterId(1), 2, 0).to_bytes().unwrap());
    bucket.insert(Key::Snapshot(0), end.manifest(Vec::new(), None).unwrap().to_bytes().unwrap());
    let mut reader = Reader::of(&cluster());
    assert!(matches!(read(&mut reader, &bucket)[..], [Event::Stopped(Error::Damaged { .. })]));
}

#[test]
fn a_reader_behind_a_snapshot_goes_on_where_it_ends() {
    let (bucket, _) = history("pspsp");
    let (_, half) = history("psp");
    let manifest = half.manifest(Vec::new(), Some(3)).unwrap();
    let mut reader = Reader::new(Point::behind(&manifest));
    assert_eq!(read(&mut reader, &bucket).len(), 3);
    assert_eq!(reader.point().terms.len(), 3);
    assert_eq!(reader.point().last(), Some(Place { dir: dir(3), n: 4 }));
}
