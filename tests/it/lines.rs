//! Lines that become rows: what the pure writer lays out replays as what was sent, from files and from packs.

use crate::common::csv;
use bytes::Bytes;
use std::collections::BTreeMap;
use understudy::ilp::{Parser, Status, Unit};
use understudy::ledger::{Codec, Key, Mirror, Pack};
use understudy::node::write::{Options, Refused, Tables, Write, Written};
use understudy::replay::{History, Player};
use understudy::table::files::check_database;
use understudy::wal::{Files, MemoryFiles, Registry, TableKind};

/// A node's writing side on a map instead of a disk, and a replica that gets its packs.
struct Bench {
    tables: Tables,
    files: BTreeMap<String, Vec<u8>>,
    mirror: Mirror,
    now: i64,
}

impl Bench {
    fn new(options: Options) -> Self {
        Self { tables: Tables::new(options), files: BTreeMap::new(), mirror: Mirror::default(), now: 1_000 }
    }

    fn send(&mut self, body: impl AsRef<[u8]>) -> Result<Written, Refused> {
        self.now += 1;
        let sent = self.tables.commit(body.as_ref().to_vec(), Unit::Nanos, self.now);
        match &sent {
            Ok(written) => self.keep(written),
            Err(refused) => self.keep(&refused.made),
        }
        sent
    }

    fn put(&mut self, writes: &[Write]) {
        for write in writes {
            let content = self.files.entry(write.path()).or_default();
            let (begin, end) = (write.offset as usize, write.offset as usize + write.bytes.len());
            if content.len() < end {
                content.resize(end, 0);
            }
            content[begin..end].copy_from_slice(&write.bytes);
        }
    }

    fn keep(&mut self, written: &Written) {
        self.put(&written.writes);
        let pack = Pack { tables: written.entries(Codec::Lz4).unwrap(), ..Pack::default() };
        self.mirror.take(Key::Head, &pack, &BTreeMap::new()).unwrap();
    }

    fn disk(&self) -> MemoryFiles {
        let mut disk = MemoryFiles::default();
        for (path, content) in &self.files {
            disk.insert(path.clone(), Bytes::copy_from_slice(content));
        }
        disk
    }

    /// The table's rows, which are the same from the files and from the packs.
    fn rows(&self, name: &str) -> String {
        let local = rows(&self.disk(), name);
        assert_eq!(local, rows(self.mirror.files(), name), "from the packs");
        local
    }
}

fn rows(files: &dyn Files, name: &str) -> String {
    let registry = Registry::read(files).unwrap();
    let history = History::read(files, registry.find(name).unwrap()).unwrap();
    let end = history.txn_count();
    let mut player = Player::new(history).unwrap();
    player.seek(files, end).unwrap();
    String::from_utf8(csv(player.table())).unwrap().replace("\r\n", "\n")
}

#[test]
fn rows_of_all_types_replay_as_they_were_sent() {
    let mut bench = Bench::new(Options::default());
    bench.send("t,s=a b=t,i=1i,f=1.5,v=\"x\",l=0x1fi,m=5t,n=7n 1000\n").unwrap();
    bench
        .send("t,s=b v=\"longer than nine bytes\" 3000\nt,s=a i=2i 2000\nt,u=c i=-3i,S=\"x\" 4000\n")
        .unwrap();
    let expected = "\"s\",\"b\",\"i\",\"f\",\"v\",\"l\",\"m\",\"n\",\"timestamp\",\"u\"\n\
        \"a\",true,1,1.5,\"x\",0x1f,\"1970-01-01T00:00:00.000005Z\",\"1970-01-01T00:00:00.000000007Z\",\"1970-01-01T00:00:00.000001Z\",\n\
        \"a\",false,2,,,,,,\"1970-01-01T00:00:00.000002Z\",\n\
        \"b\",false,,,\"longer than nine bytes\",,,,\"1970-01-01T00:00:00.000003Z\",\n\
        \"x\",false,-3,,,,,,\"1970-01-01T00:00:00.000004Z\",\"c\"\n";
    assert_eq!(bench.rows("t"), expected);
}

#[test]
fn a_refused_request_leaves_no_rows_but_what_it_made() {
    let mut bench = Bench::new(Options::default());
    let refused = bench.send("t a=1 1000\nt b=2i 2000\nt a=\"x\" 3000\nt a=4 4000\n").unwrap_err();
    assert_eq!((refused.error.status, refused.error.line), (Status::Invalid, Some(3)));
    let message = "\nerror in line 3: table: t, column: a; cast error from protocol type: STRING to column type: DOUBLE";
    assert_eq!(refused.error.message, message);
    assert_eq!(bench.rows("t"), "\"a\",\"timestamp\",\"b\"\n");
    let written = bench.send("t a=1,c=2 5000\n").unwrap();
    assert_eq!((written.commits[0].seq_txn, written.commits[0].rows), (3, 1));
    assert_eq!(
        bench.rows("t"),
        "\"a\",\"timestamp\",\"b\",\"c\"\n1.0,\"1970-01-01T00:00:00.000005Z\",,2.0\n"
    );
}

#[test]
fn segments_roll_where_they_are_full_and_where_the_columns_change() {
    let mut bench = Bench::new(Options { segment_rows: 2, ..Options::default() });
    for at in 1..=7 {
        bench.send(format!("t,s=k{} v=\"{}\" {at}000\n", at % 3, "y".repeat(at * 4))).unwrap();
    }
    bench.send("t w=1i 8000\n").unwrap();
    assert!(bench.files.contains_key("t~1/wal1/4/w.d"), "{:?}", bench.files.keys());
    assert_eq!(bench.rows("t").lines().count(), 9);
    let findings = check_database(&bench.disk());
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn a_directory_is_taken_up_where_it_was_left() {
    let mut bench = Bench::new(Options::default());
    bench.send("t,s=a x=1 1000\nu y=1i 1000\n").unwrap();
    bench.send("t z=2 2000\n").unwrap();
    bench.tables = Tables::open(&bench.disk(), Options::default()).unwrap();
    let known: Vec<_> = bench.tables.tables().map(|(token, last)| (token.dir.clone(), last)).collect();
    assert_eq!(known, [("t~1".to_owned(), 3), ("u~2".to_owned(), 1)]);
    bench.send("T,s=b x=3,more=t 3000\nnew v=1 1\n").unwrap();
    assert!(bench.files.contains_key("t~1/wal2/0/more.d") && bench.files.contains_key("new~3/_txn"));
    let last = bench.rows("t").lines().last().unwrap().to_owned();
    assert_eq!(last, "\"b\",3.0,\"1970-01-01T00:00:00.000003Z\",,true");
}

/// Whatever of the writes reached the disk before the process ended, the directory is taken up and goes on.
#[test]
fn any_front_of_the_writes_can_be_taken_up() {
    let bodies = ["t,s=a x=1 1000\n", "t y=2i 2000\nt,s=b x=2 1500\n", "u a=1 1\nt z=\"w\" 3000\n"];
    let mut all = Vec::new();
    let mut tables = Tables::new(Options::default());
    for body in bodies {
        all.extend(tables.commit(body.into(), Unit::Nanos, 5).unwrap().writes);
    }
    for cut in 0..=all.len() {
        let mut bench = Bench::new(Options::default());
        bench.put(&all[..cut]);
        bench.tables = Tables::open(&bench.disk(), Options::default())
            .unwrap_or_else(|error| panic!("after {cut} of {} writes: {error}", all.len()));
        let known = Registry::read(&bench.disk());
        let before = known.is_ok_and(|known| known.find("t").is_some_and(|t| t.kind == TableKind::Wal));
        let count = if before { rows(&bench.disk(), "t").lines().count() } else { 1 };
        let sent = bench.tables.commit("t x=9,q=1i 9000\n".into(), Unit::Nanos, 6).unwrap();
        bench.put(&sent.writes);
        assert_eq!(rows(&bench.disk(), "t").lines().count(), count + 1, "after {cut} writes");
    }
}

#[test]
fn names_that_no_table_or_column_may_have_are_refused_in_the_servers_words() {
    let mut bench = Bench::new(Options::default());
    for (body, message) in [
        ("t? a=1\n", "\nerror in line 1: table: t?; invalid table name"),
        ("t a?b=1\n", "\nerror in line 1: table: t; invalid column name: a?b"),
        ("t a= 1\n", "\nerror in line 1: table: t; invalid column type: a"),
        ("t a=1d 1\n", "\nerror in line 1: table: t; decimal columns must be created manually: a"),
        (
            "t a=x 1\n",
            "\nerror in line 1: Could not parse entire line, field value is invalid. Field: a; value: x",
        ),
        (
            "t a=1 -5\n",
            "\nerror in line 1: table: t, timestamp: -5; designated timestamp before 1970-01-01 is not allowed",
        ),
        ("t b= 6\n", "write error: t, errno: -1, error: invalid column type: 0"),
        ("t timestamp=5.5 7\n", "write error: t, error: java.lang.UnsupportedOperationException"),
        ("a=b 1\n", "\nerror in line 1: NO_FIELDS"),
    ] {
        let refused = bench.send(body).unwrap_err();
        if body != "a=b 1\n" {
            assert_eq!(refused.error.message, message, "{body}");
        }
    }
}

#[test]
fn what_ends_inside_a_value_is_passed_over_as_the_server_does() {
    for body in [&b"t a==\x10\0\0\0"[..], b"t a=1 5\nt a==\x0e\x0a\x01\x05\0\0\0", b"\n\n", b""] {
        let mut parser = Parser::new(body.to_vec());
        let mut lines = 0;
        while let Some(line) = parser.next() {
            line.unwrap();
            lines += 1;
        }
        assert!(lines <= 1, "{body:?}");
    }
}
