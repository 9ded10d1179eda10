//! What every store has to do, whatever it is.

use bytes::Bytes;
use std::time::Instant;
use tokio::task::JoinSet;
use understudy::native::bucket::{self, Bucket, GetAnswer, PutAnswer, TroubleKind};

/// The whole contract.
pub(crate) async fn all(bucket: &Bucket) {
    puts(bucket).await;
    timed("race", race(bucket)).await;
    timed("missing", missing(bucket)).await;
    timed("ranges", ranges(bucket)).await;
    timed("delete", delete_then_put(bucket)).await;
    timed("overwrite", overwrite(bucket)).await;
    timed("sizes", sizes(bucket)).await;
    timed("keys", keys(bucket)).await;
    timed("concurrent gets", concurrent_gets(bucket)).await;
    timed("probe", async { bucket::probe(bucket).await.expect("the store is fit to be written to") }).await;
}

/// Put-if-absent, one after another.
pub(crate) async fn puts(bucket: &Bucket) {
    timed("puts", async {
        let key = key("puts");
        assert_eq!(bucket.put_if_absent(&key, "first".into()).await, PutAnswer::Stored);
        assert_eq!(read(bucket, &key).await, "first");
        assert_eq!(bucket.put_if_absent(&key, "second, longer".into()).await, PutAnswer::Taken);
        // The same bytes are no exception: the store does not look at them.
        assert_eq!(bucket.put_if_absent(&key, "first".into()).await, PutAnswer::Taken);
        assert_eq!(read(bucket, &key).await, "first");
        assert_eq!(bucket.head(&key).await, GetAnswer::Found(5));
    })
    .await;
}

/// Of 16 writers one wins, five times.
async fn race(bucket: &Bucket) {
    for round in 0..5 {
        let key = key(&format!("race-{round}"));
        let mut writers = JoinSet::new();
        for writer in 0..16_u8 {
            let (bucket, key) = (bucket.clone(), key.clone());
            writers.spawn(async move { (writer, bucket.put_if_absent(&key, body(writer)).await) });
        }
        let answers = writers.join_all().await;
        let winners: Vec<u8> = answers
            .iter()
            .filter(|(_, answer)| *answer == PutAnswer::Stored)
            .map(|(writer, _)| *writer)
            .collect();
        let others = answers.iter().filter(|(_, answer)| *answer == PutAnswer::Taken).count();
        assert_eq!((winners.len(), others), (1, 15), "round {round}: {answers:?}");
        assert_eq!(read(bucket, &key).await, body(winners[0]), "round {round}");
    }
}

/// 10,000 bytes that tell whose they are, wherever one looks.
fn body(writer: u8) -> Bytes {
    vec![writer; 10_000].into()
}

async fn missing(bucket: &Bucket) {
    let key = key("missing");
    assert_eq!(bucket.get(&key).await, GetAnswer::NotFound);
    assert_eq!(bucket.get_range(&key, 0..10).await, GetAnswer::NotFound);
    assert_eq!(bucket.get_range(&key, 3..3).await, GetAnswer::NotFound);
    assert_eq!(bucket.head(&key).await, GetAnswer::NotFound);
    assert_eq!(bucket.delete(&key).await, Ok(()));
}

async fn ranges(bucket: &Bucket) {
    let key = key("ranges");
    let bytes: Bytes = (0..=255).collect::<Vec<u8>>().into();
    assert_eq!(bucket.put_if_absent(&key, bytes.clone()).await, PutAnswer::Stored);
    for (range, wanted) in [
        (0..256, 0..256),
        (0..1, 0..1),
        (10..20, 10..20),
        (255..256, 255..256),
        (250..1000, 250..256),
        (7..7, 7..7),
        (256..300, 256..256),
        (5000..6000, 256..256),
    ] {
        let answer = bucket.get_range(&key, range.clone()).await;
        assert_eq!(answer, GetAnswer::Found(bytes.slice(wanted)), "{range:?}");
    }
}

async fn delete_then_put(bucket: &Bucket) {
    let key = key("delete");
    assert_eq!(bucket.put_if_absent(&key, "first".into()).await, PutAnswer::Stored);
    assert_eq!(bucket.delete(&key).await, Ok(()));
    assert_eq!(bucket.get(&key).await, GetAnswer::NotFound);
    assert_eq!(bucket.put_if_absent(&key, "second".into()).await, PutAnswer::Stored);
    assert_eq!(read(bucket, &key).await, "second");
}

async fn overwrite(bucket: &Bucket) {
    let key = key("overwrite");
    for text in ["first", "second, longer", "3rd"] {
        assert_eq!(bucket.put(&key, text.into()).await, Ok(()));
        assert_eq!(read(bucket, &key).await, text);
    }
    assert_eq!(bucket.put_if_absent(&key, "4th".into()).await, PutAnswer::Taken);
}

async fn sizes(bucket: &Bucket) {
    for size in [0, 1, 5 << 20, 20 << 20] {
        let key = key(&format!("size-{size}"));
        let bytes: Bytes = (0..size).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        assert_eq!(bucket.put_if_absent(&key, bytes.clone()).await, PutAnswer::Stored, "{size} bytes");
        assert_eq!(bucket.head(&key).await, GetAnswer::Found(u64::from(size)));
        assert!(read(bucket, &key).await == bytes, "{size} bytes came back changed");
    }
}

async fn keys(bucket: &Bucket) {
    let folder = key("keys");
    let long = "x".repeat(bucket::store::KEY_PART_BYTES_MAX);
    let good = ["a=b_c-d.e", "0001/00000001.pack", "Case", "case", "a..b", "-", "1/2/3/4/5/6/7/8", &long];
    for (n, name) in good.iter().enumerate() {
        let key = format!("{folder}/{name}");
        assert_eq!(bucket.put_if_absent(&key, n.to_string().into()).await, PutAnswer::Stored, "{name}");
    }
    for (n, name) in good.iter().enumerate() {
        assert_eq!(read(bucket, &format!("{folder}/{name}")).await, n.to_string(), "{name}");
    }
    for name in
        ["..", ".", ".hidden", "a b", "ä", "a%20b", "a?b", "a#b", "a\\b", "a:b", "a//b", "a/", "a\nb", "a;b"]
    {
        let answer = bucket.put_if_absent(&format!("{folder}/{name}"), "x".into()).await;
        let kind = answer.trouble().map(|trouble| trouble.kind);
        assert_eq!(kind, Some(TroubleKind::Refused), "{name:?}: {answer:?}");
    }
}

async fn concurrent_gets(bucket: &Bucket) {
    let key = key("gets");
    let bytes: Bytes = vec![7; 1 << 20].into();
    assert_eq!(bucket.put_if_absent(&key, bytes.clone()).await, PutAnswer::Stored);
    let mut readers = JoinSet::new();
    for _ in 0..32 {
        let (bucket, key) = (bucket.clone(), key.clone());
        readers.spawn(async move { bucket.get(&key).await });
    }
    for answer in readers.join_all().await {
        assert!(answer == GetAnswer::Found(bytes.clone()));
    }
}

/// What is there, which something is.
pub(crate) async fn read(bucket: &Bucket, key: &str) -> Bytes {
    match bucket.get(key).await {
        GetAnswer::Found(bytes) => bytes,
        other => panic!("{key}: {other:?}"),
    }
}

/// A key that no other run has used.
pub(crate) fn key(name: &str) -> String {
    format!("contract/{:016x}/{name}", fastrand::u64(..))
}

async fn timed<T>(what: &str, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let result = work.await;
    println!("  {what}: {:.2} s", begun.elapsed().as_secs_f64());
    result
}
