use super::{ConfError, Durability, FirstConnect, Login, Policy, Scheme, Settings, Target};

fn refused(conf: &str) -> String {
    Settings::parse(conf).expect_err(conf).to_string()
}

#[test]
fn documented_defaults() {
    let settings = Settings::parse("http::addr=localhost;").expect("the shortest one");
    assert_eq!(settings, Settings::new(["localhost:9000"]));
    assert_eq!(settings.limits().total_bytes, 128 << 20, "memory mode");
    let slot = Settings::parse("http::addr=a;sf_dir=/x;").expect("a slot");
    assert_eq!((slot.limits().total_bytes, slot.limits().segment_bytes), (10 << 30, 4 << 20));
    assert_eq!(&*slot.sender_id, "default");
}

#[test]
fn both_forms_of_a_list_of_hosts() {
    let one = Settings::parse("http::addr=a:1,b:2,[::1]:3;").expect("a list");
    let two = Settings::parse("http::addr=a:1;addr=b:2;addr=[::1]:3").expect("repeated");
    assert_eq!(one, two);
    assert_eq!(one.addrs, ["a:1".into(), "b:2".into(), "[::1]:3".into()] as [Box<str>; 3]);
}

#[test]
fn empty_and_duplicate_hosts_are_refused() {
    for conf in ["http::addr=a,,b;", "http::addr=,a;", "http::addr=;", "http::addr=a:x;", "http::addr=::1;"] {
        assert!(refused(conf).starts_with("addr takes host:port"), "{conf}");
    }
    assert_eq!(refused("http::addr=a:9000,a;"), "duplicate addr entry: a:9000");
    assert!(refused("http::zone=z;").starts_with("addr is missing"));
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    assert_eq!(
        refused("http::addr=a;reconnect_max_backof_millis=1;"),
        "unknown key reconnect_max_backof_millis; did you mean reconnect_max_backoff_millis?"
    );
    assert_eq!(refused("http::addr=a;adr=b;"), "unknown key adr; did you mean addr?");
    assert_eq!(refused("http::addr=a;bogus=x"), "unknown key bogus");
    assert_eq!(refused("http::ADDR=a"), "unknown key ADDR", "keys are case-sensitive");
}

#[test]
fn a_doubled_semicolon_is_one_in_a_value() {
    let settings = Settings::parse("http::addr=a;username=u;password=p;;ssw;;rd;").expect("escaped");
    let Login::Basic { password, .. } = &settings.login else { panic!("a login") };
    assert_eq!(password.reveal(), "p;ssw;rd");
    let trailing = Settings::parse("http::addr=a;token=t;;").expect("a semicolon at the end");
    assert!(matches!(&trailing.login, Login::Bearer(token) if token.reveal() == "t;"));
}

#[test]
fn secrets_are_never_shown() {
    let settings = Settings::parse("http::addr=a;user=me;pass=geheim;").expect("aliases");
    assert!(!format!("{settings:?}").contains("geheim"));
    for conf in ["http::addr=a;token=geheim;token=geheim;", "http::addr=a;target=geheim;", "geheim"] {
        assert!(!refused(conf).contains("geheim"), "{conf}");
    }
}

#[test]
fn an_explicit_reconnect_key_turns_the_first_retry_on() {
    let parsed = |conf: &str| Settings::parse(conf).expect(conf).initial_connect_retry;
    assert_eq!(parsed("http::addr=a;"), FirstConnect::Off);
    assert_eq!(parsed("http::addr=a;reconnect_max_duration_millis=1000;"), FirstConnect::On);
    assert_eq!(
        parsed("http::addr=a;reconnect_initial_backoff_millis=1;initial_connect_retry=off;"),
        FirstConnect::Off
    );
    for (word, mode) in
        [("sync", FirstConnect::On), ("true", FirstConnect::On), ("async", FirstConnect::Async)]
    {
        assert_eq!(parsed(&format!("http::addr=a;initial_connect_retry={word};")), mode);
    }
}

#[test]
fn values_are_read() {
    let settings = Settings::parse(
        "https::addr=a;target=primary;zone=z;sf_dir=/d;sf_durability=periodic;sf_sync_interval_millis=7;\
         sf_max_segment_bytes=64k;sf_max_total_bytes=1g;request_durable_ack=on;auto_flush_rows=10;auto_flush_interval=off;\
         close_flush_timeout_millis=-1;on_write_error=retriable_other;on_server_error=auto;drain_orphans=on;",
    )
    .expect("all good");
    assert_eq!(settings.scheme, Scheme::Https);
    assert_eq!((settings.target, settings.zone.as_deref()), (Target::Primary, Some("z")));
    assert_eq!((settings.sf_durability, settings.sf_sync_interval_ms), (Durability::Periodic, 7));
    assert_eq!((settings.sf_max_segment_bytes, settings.sf_max_total_bytes), (65_536, Some(1 << 30)));
    assert!(settings.request_durable_ack && settings.drain_orphans);
    assert_eq!((settings.auto_flush_rows, settings.auto_flush_interval_ms), (Some(10), None));
    assert_eq!(settings.close_flush_timeout_ms, 0);
    assert_eq!((settings.policies.write, settings.policies.server), (Some(Policy::RetriableOther), None));
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (conf, words) in [
        ("token=t;username=u;password=p;", "either token"),
        ("username=u;", "go together"),
        ("tls_verify=unsafe_off;tls_roots=/x;", "cannot be combined"),
        ("sf_durability=periodic;", "needs sf_dir"),
        ("sf_dir=/x;sf_sync_interval_millis=5;", "needs sf_durability=periodic"),
        ("drain_orphans=on;", "needs sf_dir"),
        ("sf_max_total_bytes=4m;", "at least twice"),
        ("sf_durability=flush;", "reserved"),
        ("sender_id=a/b;", "letters, digits"),
        ("sender_id=;", "letters, digits"),
        ("error_inbox_capacity=15;", "at least 16"),
        ("retry_timeout=5;", "no effect here"),
        ("zone=z;zone=z;", "given twice"),
        ("auto_flush_rows=0;", "a number of rows"),
    ] {
        let told = refused(&format!("http::addr=a;{conf}"));
        assert!(told.contains(words), "{conf}: {told}");
    }
}

#[test]
fn syntax() {
    assert_eq!(Settings::parse("tcp::addr=a;"), Err(ConfError::Scheme));
    assert_eq!(Settings::parse("http:addr=a;"), Err(ConfError::Scheme));
    assert_eq!(Settings::parse("http::addr=a;zone;"), Err(ConfError::Syntax { at: 13 }));
    assert_eq!(Settings::parse("http::addr=a;=b;"), Err(ConfError::Syntax { at: 13 }));
    assert!(refused("http::addr=a;zone=\u{7};").contains("control character"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*", keys in proptest::collection::vec("[a-z_]{1,12}=[^;]{0,9};", 0..6)) {
        let _ = Settings::parse(&text);
        let _ = Settings::parse(&format!("http::{}{text}", keys.concat()));
    }
}
