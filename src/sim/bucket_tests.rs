use super::*;
use crate::sim::Trouble;

fn weather(fault: Fault, strength: u64) -> Weather {
    let mut weather = Weather::default();
    let ends = End::Bucket.into();
    weather.begins(Trouble { fault, ends, from_us: 0, until_us: 1, strength });
    weather
}

fn put(bytes: &'static str) -> Ask {
    Ask::Put { key: Key::Clean(1), bytes: bytes.into(), condition: Condition::IfAbsent }
}

const GET: Ask = Ask::Get { key: Key::Clean(1) };
const CLEAR: Weather = Weather::CLEAR;

fn reply(bucket: &mut Bucket, weather: &Weather, ask: Ask) -> Option<Reply> {
    bucket.serve(weather, ask).reply.map(|(_, reply)| reply)
}

fn found(bytes: &'static str) -> Option<Reply> {
    Some(Reply::Get(GetAnswer::Found(bytes.into())))
}

#[test]
fn of_two_puts_the_first_is_kept_in_every_store() {
    for kind in StoreKind::ALL {
        let mut bucket = Bucket::new(1, *kind);
        assert_eq!(reply(&mut bucket, &CLEAR, GET), Some(Reply::Get(GetAnswer::NotFound)));
        assert_eq!(reply(&mut bucket, &CLEAR, put("a")), Some(Reply::Put(PutAnswer::Stored)));
        assert_eq!(reply(&mut bucket, &CLEAR, put("b")), Some(Reply::Put(PutAnswer::Taken)));
        assert_eq!(reply(&mut bucket, &CLEAR, GET), found("a"));
        let served = bucket.serve(&CLEAR, Ask::Delete { key: Key::Clean(1) });
        assert_eq!(served.removed, Some(Key::Clean(1)));
        assert_eq!(reply(&mut bucket, &CLEAR, put("c")), Some(Reply::Put(PutAnswer::Stored)));
        let Requests { puts, gets, deletes, .. } = bucket.requests();
        assert_eq!((puts, gets, deletes), (3, 2, 1));
    }
}

#[test]
fn what_is_turned_away_is_not_done() {
    let unknown = PutAnswer::Unsettled(Unsettled::Unknown);
    for (fault, answer) in [
        (Fault::SlowDown, Some(PutAnswer::Unsettled(Unsettled::SlowDown))),
        (Fault::ServerError, Some(unknown)),
        (Fault::TimeoutBefore, None),
        (Fault::Denied, Some(PutAnswer::Refused(Refused::Denied))),
        (Fault::BucketFull, Some(PutAnswer::Refused(Refused::Full))),
        (Fault::Conflict, Some(PutAnswer::Taken)),
    ] {
        let mut bucket = Bucket::new(1, StoreKind::S3);
        let served = bucket.serve(&weather(fault, 1_000), put("a"));
        assert_eq!(served.reply.map(|(_, reply)| reply), answer.map(Reply::Put), "{fault}");
        assert!(bucket.objects().is_empty() && served.landed.is_none(), "{fault}");
    }
}

#[test]
fn what_is_done_may_be_answered_as_if_it_were_not() {
    let unknown = PutAnswer::Unsettled(Unsettled::Unknown);
    for (fault, answer) in [
        (Fault::TimeoutAfter, None),
        (Fault::ErrorAfterSuccess, Some(unknown)),
        (Fault::OwnTaken, Some(PutAnswer::Taken)),
    ] {
        let mut bucket = Bucket::new(1, StoreKind::Directory);
        let served = bucket.serve(&weather(fault, 1_000), put("a"));
        assert_eq!(served.reply.map(|(_, reply)| reply), answer.map(Reply::Put), "{fault}");
        assert_eq!(served.landed, Some(Key::Clean(1)), "{fault}");
    }
}

#[test]
fn a_late_put_takes_effect_when_its_time_comes_and_only_if_nothing_is_there() {
    let weather = weather(Fault::LatePut, 8_000_000);
    let mut bucket = Bucket::new(1, StoreKind::S3);
    let late = (0..100).find_map(|_| {
        let served = bucket.serve(&weather, put("late"));
        bucket.serve(&CLEAR, Ask::Delete { key: Key::Clean(1) });
        served.later
    });
    let (after, ask) = late.expect("three of ten are late");
    assert!((2_000_000..=8_000_000).contains(&after));
    let served = bucket.take_late(&CLEAR, ask.clone());
    assert_eq!((served.landed, served.reply), (Some(Key::Clean(1)), None));
    assert_eq!(bucket.take_late(&CLEAR, ask).landed, None);
    assert_eq!(reply(&mut bucket, &CLEAR, GET), found("late"));
}

#[test]
fn bodies_are_cut_damaged_and_slow() {
    let mut bucket = Bucket::new(1, StoreKind::S3);
    bucket.serve(&CLEAR, put("the body"));
    let cut = reply(&mut bucket, &weather(Fault::CutBody, 1_000), GET);
    assert_eq!(cut, Some(Reply::Get(GetAnswer::Failed)));
    let damaged = reply(&mut bucket, &weather(Fault::DamagedBody, 1_000), GET);
    let Some(Reply::Get(GetAnswer::Found(bytes))) = damaged else { panic!("{damaged:?}") };
    assert_eq!(bytes.iter().zip(b"the body").filter(|(a, b)| a != b).count(), 1);
    let slow = bucket.serve(&weather(Fault::SlowBody, 1_000), GET).reply.expect("it answers at last");
    assert!(slow.0 >= 10_000_000);
    let slow = bucket.serve(&weather(Fault::SlowBucket, 400_000), GET).reply.expect("it answers");
    assert!(slow.0 >= 400_000);
}

#[test]
fn a_stale_hint_is_an_old_one_and_other_objects_are_never_stale() {
    let mut bucket = Bucket::new(1, StoreKind::S3);
    for bytes in ["first", "second"] {
        bucket.serve(&CLEAR, Ask::Put { key: Key::Head, bytes: bytes.into(), condition: Condition::Always });
    }
    let stale = weather(Fault::StaleHint, 1_000);
    assert_eq!(reply(&mut bucket, &stale, Ask::Get { key: Key::Head }), found("first"));
    assert_eq!(reply(&mut bucket, &CLEAR, Ask::Get { key: Key::Head }), found("second"));
    bucket.serve(&CLEAR, put("a"));
    assert_eq!(reply(&mut bucket, &stale, GET), found("a"));
}

#[test]
fn an_ignored_condition_overwrites() {
    let ignored = weather(Fault::IgnoredCondition, 1_000);
    let mut bucket = Bucket::new(1, StoreKind::S3);
    bucket.serve(&CLEAR, put("a"));
    assert_eq!(reply(&mut bucket, &ignored, put("b")), Some(Reply::Put(PutAnswer::Stored)));
    assert_eq!(reply(&mut bucket, &CLEAR, GET), found("b"));
}
