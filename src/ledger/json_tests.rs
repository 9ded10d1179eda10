use super::*;
use crate::ledger::{Key, Request, Term};

fn dir(term: u64) -> Dir {
    Dir { term: Term(term), writer: WriterId(term.into()) }
}

fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        cluster: ClusterId(1),
        n: 7,
        directory: dir(1),
        sum: Sum::of(b"seven"),
        next: dir(2),
        boundary: None,
        terms: vec![
            Span { directory: dir(1), first: 0, seal: Some(7) },
            Span { directory: dir(2), first: 8, seal: None },
        ],
        parts: vec![Part { name: "trades~1/_meta".into(), sum: Sum::of(b"m"), bytes: 3 }],
        requests: 2,
    }
}

fn reads_back<T: Document + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = value.to_bytes().unwrap();
    assert_eq!(&T::read("k", &bytes).unwrap(), value);
    // A later minor change may add fields.
    let text = serde_json::to_string(value).unwrap().replacen('{', "{\"later\":[1],", 1);
    assert_eq!(&T::read("k", text.as_bytes()).unwrap(), value);
    let other = text.replacen("\"format\":1", "\"format\":2", 1);
    assert!(matches!(T::read("k", other.as_bytes()), Err(Error::Unsupported { .. })));
    for len in 0..bytes.len() {
        assert!(matches!(T::read("k", &bytes[..len]), Err(Error::Damaged { .. })));
    }
    // Of a damaged one nothing wrong is believed.
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1;
        assert!(T::read("k", &changed).map_or(true, |read| read == *value), "byte {at}");
    }
}

#[test]
fn documents_read_back_and_bear_unknown_fields() {
    let cluster = ClusterId(1);
    reads_back(&Cluster::new(cluster, dir(1)));
    reads_back(&Boundary::new(cluster, 8, 7));
    reads_back(&manifest());
    let entry = IndexEntry { directory: dir(1), committed_us: 5, bytes: 160, tables: vec!["t~1".into()] };
    reads_back(&IndexBlock { format: 1, cluster, k: 0, objects: vec![entry], snapshot: Some(7) });
    reads_back(&HeadHint { format: 1, cluster, directory: dir(1), n: 9, boundary: Some(1), snapshot: None });
    reads_back(&Node { format: 1, cluster, name: "a".into(), kind: "replica".into() });
    let arguments = serde_json::Map::from_iter([("to".to_owned(), "b".into())]);
    reads_back(&Request {
        format: 1,
        cluster,
        kind: "handover".into(),
        by: "ops".into(),
        at_us: 3,
        arguments,
    });
}

#[test]
fn terms_of_a_manifest_must_follow_each_other() {
    let wrong: [fn(&mut Manifest); 7] = [
        |m| m.terms.clear(),
        |m| m.next = dir(3),
        |m| m.terms[0].seal = Some(8),
        |m| m.terms[0].seal = None,
        |m| m.terms[1].seal = Some(9),
        |m| m.terms[0].first = 1,
        |m| m.directory = dir(2),
    ];
    for change in wrong {
        let mut manifest = manifest();
        change(&mut manifest);
        assert!(manifest.to_bytes().is_err(), "{manifest:?}");
        let bytes = serde_json::to_vec(&manifest).unwrap();
        assert!(Manifest::read(Key::Snapshot(7), &bytes).is_err());
    }
}

#[test]
fn errors_say_where_and_limits_hold() {
    let error = Boundary::read(Key::Clean(0), b"{\"format\":1,\n \"cluster\":7}").unwrap_err();
    assert!(matches!(error, Error::Damaged { offset: 24, .. }), "{error:?}");
    let long = vec![b' '; 5000];
    assert!(matches!(Boundary::read(Key::Clean(0), &long), Err(Error::TooLarge { .. })));
}
