//! Lost answers, late requests, busy servers, and stores that don't keep what they are told to keep.

use super::contract::{key, read};
use super::proxy::{Fault, Proxy};
use super::stand_in::{Manner, start};
use super::{open, open_with, run, started};
use std::net::TcpListener;
use std::time::{Duration, Instant};
use understudy::native::bucket::{
    self, GetAnswer, ProbeError, PutAnswer, RequestLimits, Trouble, TroubleKind,
};

const FAR: Duration = Duration::from_secs(60);

fn patient() -> RequestLimits {
    RequestLimits { base_timeout: FAR, retry_interval: Duration::from_millis(10), ..RequestLimits::default() }
}

/// One try, and its answer told.
fn at_once() -> RequestLimits {
    RequestLimits { retry_attempts: 0, ..patient() }
}

#[test]
fn stand_in() {
    let connection = start(Manner::Honest);
    let port = connection.split("127.0.0.1:").nth(1).and_then(|rest| rest.split(';').next());
    let port = port.and_then(|port| port.parse().ok()).expect("a port");
    run("faults before a stand-in", all(&connection, port));
}

#[test]
fn seaweedfs() {
    before("seaweedfs");
}

#[test]
fn azurite() {
    before("azurite");
}

#[test]
fn gcs() {
    before("gcs");
}

fn before(name: &str) {
    let Some(started) = started(name) else { return };
    run(&format!("faults before {name}"), all(&started.connection, started.port));
}

async fn all(connection: &str, port: u16) {
    let proxy = Proxy::before(port);
    let through = connection.replace(&format!(":{port}"), &format!(":{}", proxy.port));
    lost_answer(&through, &proxy).await;
    lost_request(&through, &proxy).await;
    late(&through, &proxy).await;
    busy(&through, &proxy).await;
    conflict(&through, &proxy).await;
    forbidden_after_a_loss(&through, &proxy).await;
    no_bucket(&through, &proxy).await;
    lost_while_reading(&through, &proxy).await;
}

/// The put is in, its answer lost. The second try finds the key taken, by ourselves.
async fn lost_answer(through: &str, proxy: &Proxy) {
    let (bucket, mine) = (open_with(through, patient()), key("lost-answer"));
    proxy.expect([Fault::CutAfter]);
    assert_eq!(bucket.put_if_absent(&mine, "mine".into()).await, PutAnswer::Taken);
    assert_eq!(read(&bucket, &mine).await, "mine");

    let (bucket, mine) = (open_with(through, at_once()), key("lost-answer"));
    proxy.expect([Fault::CutAfter]);
    let answer = bucket.put_if_absent(&mine, "mine".into()).await;
    assert!(matches!(answer, PutAnswer::Unsettled(Trouble { may_land: true, .. })), "{answer:?}");
    assert_eq!(read(&bucket, &mine).await, "mine");
}

async fn lost_request(through: &str, proxy: &Proxy) {
    let (bucket, mine) = (open_with(through, patient()), key("lost-request"));
    proxy.expect([Fault::CutBefore, Fault::CutBefore]);
    assert_eq!(bucket.put_if_absent(&mine, "mine".into()).await, PutAnswer::Stored);
    proxy.expect([Fault::CutBefore; 4]);
    let answer = bucket.put_if_absent(&mine, "mine".into()).await;
    assert!(matches!(answer, PutAnswer::Unsettled(Trouble { tries: 4, .. })), "{answer:?}");
}

/// Time runs out, the put lands afterwards.
async fn late(through: &str, proxy: &Proxy) {
    let hasty = RequestLimits { base_timeout: Duration::from_secs(1), ..at_once() };
    // On a busy machine the time may run out before the proxy has the request.
    let mut mine = None;
    for _ in 0..10 {
        let (bucket, key) = (open_with(through, hasty.clone()), key("late"));
        proxy.expect([Fault::Late(Duration::from_millis(2500))]);
        let answer = bucket.put_if_absent(&key, "mine".into()).await;
        let PutAnswer::Unsettled(trouble) = answer else { panic!("{answer:?}") };
        assert!(trouble.why.contains("no answer within 1.0 s") && trouble.may_land, "{trouble}");
        if proxy.is_through() {
            mine = Some(key);
            break;
        }
    }
    let mine = mine.expect("one of ten requests gets to the proxy within a second");

    let bucket = open_with(through, patient());
    let begun = Instant::now();
    while bucket.get(&mine).await == GetAnswer::NotFound {
        assert!(begun.elapsed() < FAR, "it never landed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(bucket.put_if_absent(&mine, "mine".into()).await, PutAnswer::Taken);
    assert_eq!(read(&bucket, &mine).await, "mine");
}

async fn busy(through: &str, proxy: &Proxy) {
    let (bucket, mine) = (open_with(through, patient()), key("busy"));
    for (status, code) in [(503, "SlowDown"), (429, "TooManyRequests")] {
        proxy.expect([Fault::Answer(status, code); 4]);
        let answer = bucket.put_if_absent(&mine, "mine".into()).await;
        let PutAnswer::SlowDown(trouble) = answer else { panic!("{answer:?}") };
        assert!(
            trouble.tries == 4 && trouble.why.contains(&format!("{status} {code}: by the test")),
            "{trouble}"
        );
    }
    for (status, code) in [(500, "InternalError"), (502, "BadGateway"), (504, "GatewayTimeout")] {
        proxy.expect([Fault::Answer(status, code); 4]);
        let answer = bucket.put_if_absent(&mine, "mine".into()).await;
        assert!(matches!(answer, PutAnswer::Unsettled(Trouble { tries: 4, .. })), "{answer:?}");
    }
    proxy.expect([Fault::Answer(503, "SlowDown"), Fault::Answer(500, "InternalError")]);
    assert_eq!(bucket.put_if_absent(&mine, "mine".into()).await, PutAnswer::Stored);
}

/// S3's 409 settles nothing: looked at, there is nothing, and the same put goes in.
async fn conflict(through: &str, proxy: &Proxy) {
    let (bucket, mine) = (open_with(through, patient()), key("conflict"));
    proxy.expect([Fault::Answer(409, "ConditionalRequestConflict")]);
    assert_eq!(bucket.put_if_absent(&mine, "mine".into()).await, PutAnswer::Taken);
    assert_eq!(bucket.get(&mine).await, GetAnswer::NotFound);
    assert_eq!(bucket.put_if_absent(&mine, "mine".into()).await, PutAnswer::Stored);
}

/// Refused at last, and yet the first try is in.
async fn forbidden_after_a_loss(through: &str, proxy: &Proxy) {
    let (bucket, mine) = (open_with(through, patient()), key("forbidden"));
    proxy.expect([Fault::CutAfter, Fault::Answer(403, "AccessDenied")]);
    let answer = bucket.put_if_absent(&mine, "mine".into()).await;
    let PutAnswer::Refused(trouble) = answer else { panic!("{answer:?}") };
    assert!(trouble.may_land && trouble.tries == 2, "{trouble}");
    assert_eq!(read(&bucket, &mine).await, "mine");
}

/// A bucket that is missing is no object that is missing.
async fn no_bucket(through: &str, proxy: &Proxy) {
    let (bucket, mine) = (open_with(through, patient()), key("no-bucket"));
    proxy.expect([Fault::Answer(404, "NoSuchBucket"), Fault::Answer(404, "NoSuchBucket")]);
    let put = bucket.put_if_absent(&mine, "mine".into()).await;
    assert!(matches!(put, PutAnswer::Refused(Trouble { may_land: false, tries: 1, .. })), "{put:?}");
    let GetAnswer::Failed(trouble) = bucket.get(&mine).await else { panic!("there is no bucket") };
    assert_eq!(trouble.kind, TroubleKind::Refused, "{trouble}");
    assert_eq!(bucket.get(&mine).await, GetAnswer::NotFound);
}

async fn lost_while_reading(through: &str, proxy: &Proxy) {
    let (bucket, mine) = (open_with(through, patient()), key("reading"));
    proxy.expect([]);
    assert_eq!(bucket.put_if_absent(&mine, "mine".into()).await, PutAnswer::Stored);
    proxy.expect([Fault::CutAfter, Fault::Answer(503, "SlowDown")]);
    assert_eq!(read(&bucket, &mine).await, "mine");
    proxy.expect([Fault::CutAfter; 4]);
    let GetAnswer::Failed(trouble) = bucket.get(&mine).await else { panic!("no answer ever came") };
    assert_eq!((trouble.kind, trouble.tries), (TroubleKind::Unsettled, 4));
}

#[test]
fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    for connection in unreachable(port) {
        let bucket = open_with(&connection, patient());
        let begun = Instant::now();
        let answer = run("nobody listens", bucket.put_if_absent("a", "x".into()));
        let PutAnswer::Unsettled(trouble) = answer else { panic!("{answer:?}") };
        println!("  {trouble}");
        assert!(trouble.tries == 4 && begun.elapsed() < FAR, "{trouble}");
    }
}

#[test]
fn nobody_answers() {
    // It listens, and that is all.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let limits = RequestLimits {
        base_timeout: Duration::from_millis(400),
        retry_attempts: 1,
        retry_interval: Duration::from_millis(10),
        ..RequestLimits::default()
    };
    for connection in unreachable(silent.local_addr().expect("an address").port()) {
        let bucket = open_with(&connection, limits.clone());
        let begun = Instant::now();
        let answer = run("nobody answers", bucket.put_if_absent("a", "x".into()));
        assert!(
            matches!(answer, PutAnswer::Unsettled(Trouble { may_land: true, tries: 2, .. })),
            "{answer:?}"
        );
        // Twice 0.4 s, and what a busy machine needs.
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    }
}

fn unreachable(port: u16) -> [String; 3] {
    [
        format!(
            "s3::bucket=b;region=x;endpoint=http://127.0.0.1:{port};access_key_id=i;secret_access_key=s;"
        ),
        format!("azblob::endpoint=http://127.0.0.1:{port}/a;container=c;account_name=a;account_key=a2V5;"),
        format!("gcs::bucket=b;endpoint=http://127.0.0.1:{port};token=t;"),
    ]
}

#[test]
fn a_store_that_does_not_keep_what_it_is_told_to_keep_is_refused() {
    let probed = |manner| {
        let bucket = open(&start(manner));
        run(&format!("probe of a store that is {manner:?}"), bucket::probe(&bucket))
    };
    assert_eq!(probed(Manner::Honest), Ok(()));
    for manner in [Manner::Blind, Manner::Racy, Manner::Liar] {
        let error = probed(manner).expect_err("not fit to be written to");
        println!("  {error}");
        assert!(matches!(error, ProbeError::Ignores { .. }), "{manner:?}: {error}");
    }
    let error = probed(Manner::Honestly501).expect_err("not fit to be written to");
    assert!(
        matches!(&error, ProbeError::Trouble(trouble) if trouble.kind == TroubleKind::Refused),
        "{error}"
    );
}
