//! The class that JavaScript sees, over files as a page drops them.

use crate::common::Recording;
use arrow::ipc::reader::StreamReader;
use js_sys::{Array, Map, Reflect, Uint8Array};
use understudy::replay::{History, Player, tables};
use understudy::wal::Files;
use understudy::web::Engine;
use understudy::web::crc32::crc32;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::Blob;

const OOO: &[u8] = include_bytes!("../data/ooo.tar.gz");
const SYMBOLS: &[u8] = include_bytes!("../data/symbols.tar.gz");

async fn open(recording: &Recording, memory: Option<f64>) -> Engine {
    let files = Map::new();
    for (path, content) in recording.files.iter() {
        let parts = Array::of1(&Uint8Array::from(&content[..]));
        files.set(&path.into(), &Blob::new_with_u8_array_sequence(&parts).expect("a blob"));
    }
    Engine::open_files(files.into(), "test".to_owned(), memory, None).await.expect("it opens")
}

/// Directory, digest at the end and number of transactions of each table, by the engine alone.
fn expected(recording: &Recording) -> Vec<(String, String, u64)> {
    let tokens = tables(&recording.files).expect("a registry");
    let played = tokens.iter().filter(|token| !token.is_system()).filter_map(|token| {
        let mut player = Player::new(History::read(&recording.files, token).ok()?).expect("a table");
        player.seek(&recording.files, u64::MAX).expect("it plays");
        Some((token.dir.clone(), player.table().digest().to_string(), player.history().txn_count()))
    });
    let played: Vec<_> = played.collect();
    assert!(!played.is_empty());
    played
}

fn text(object: &JsValue, name: &str) -> String {
    Reflect::get(object, &name.into()).expect("a field").as_string().expect("a string")
}

fn number(object: &JsValue, name: &str) -> f64 {
    Reflect::get(object, &name.into()).expect("a field").as_f64().expect("a number")
}

#[wasm_bindgen_test]
async fn dropped_files_replay_to_the_same_digests() {
    let recording = Recording::unpack(OOO);
    let engine = open(&recording, None).await;
    for (dir, digest, txns) in expected(&recording) {
        let end = engine.seek(dir.clone(), 1e9).await.expect("it moves");
        assert_eq!(text(&end, "digest"), digest);
        assert_eq!(number(&end, "seqTxn"), txns as f64);
        let timeline = engine.timeline(dir.clone()).await.expect("a timeline");
        let times = Reflect::get(&timeline, &"commitUs".into()).expect("times");
        assert_eq!(number(&times, "length"), txns as f64);
        // Back, and forth again: the state must not depend on the way.
        engine.seek(dir.clone(), 1.0).await.expect("it moves back");
        let again = engine.step(dir.clone(), 1e9).await.expect("it steps");
        assert_eq!(text(&again, "digest"), digest);
    }
}

#[wasm_bindgen_test]
async fn a_small_budget_gives_the_same_digests_and_is_kept() {
    let recording = Recording::unpack(SYMBOLS);
    let engine = open(&recording, Some(4e6)).await;
    for (dir, digest, _) in expected(&recording) {
        let end = engine.seek(dir, 1e9).await.expect("it moves");
        assert_eq!(text(&end, "digest"), digest);
    }
    let fetched = engine.fetched().expect("counts");
    assert!(number(&fetched, "bytes") > 1e6, "the recording is larger than the cache may be");
    assert_eq!(number(&fetched, "memoryLimit"), 4e6);
}

#[wasm_bindgen_test]
async fn each_file_that_was_read_has_its_checksum() {
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    let recording = Recording::unpack(OOO);
    let engine = open(&recording, None).await;
    let files: Array = engine.read_files().expect("files").into();
    let registry = files.iter().find(|file| text(file, "path") == "tables.d.0").expect("it was read");
    let content = recording.files.read_all("tables.d.0", 1 << 20).expect("it is there");
    assert_eq!(number(&registry, "bytes"), content.len() as f64);
    assert_eq!(text(&registry, "crc32"), format!("{:08x}", crc32(&content)));
}

#[wasm_bindgen_test]
async fn rows_come_as_an_arrow_stream_and_as_text() {
    let recording = Recording::unpack(OOO);
    let engine = open(&recording, None).await;
    let (dir, ..) = expected(&recording).remove(0);
    let state = engine.seek(dir.clone(), 1e9).await.expect("it moves");
    let total = number(&state, "rows") as usize;
    let bytes = engine.rows(dir.clone(), 5.0, 1e9).await.expect("rows").to_vec();
    let batches = StreamReader::try_new(&bytes[..], None).expect("a stream");
    let rows: usize = batches.map(|batch| batch.expect("a batch").num_rows()).sum();
    assert_eq!(rows, total - 5);
    let window = engine.rows_text(dir.clone(), 0.0, 10.0).await.expect("rows");
    assert_eq!(number(&window, "total"), total as f64);
    let shown = Reflect::get(&window, &"rows".into()).expect("rows");
    assert_eq!(number(&shown, "length"), 10.0);
}

#[wasm_bindgen_test]
async fn a_transaction_is_told_down_to_its_bytes() {
    let recording = Recording::unpack(OOO);
    let engine = open(&recording, None).await;
    let (dir, ..) = expected(&recording).remove(0);
    let view = engine.bytes(dir, 2.0).await.expect("bytes");
    let files: Array = Reflect::get(&view, &"files".into()).expect("files").into();
    let fields: Array = Reflect::get(&view, &"fields".into()).expect("fields").into();
    assert!(files.length() > 2 && fields.length() > 10);
    let path = text(&files.get(0), "path");
    let raw = engine.raw(path, 0.0, 76.0).await.expect("raw bytes");
    assert_eq!(raw.length(), 76);
}

#[wasm_bindgen_test]
async fn what_is_no_database_is_refused_in_words() {
    let refused = Engine::open_files(Map::new().into(), "empty".to_owned(), None, None).await;
    let Err(error) = refused else { panic!("an empty folder was opened") };
    assert_eq!(text(&error, "kind"), "missing");
    assert!(text(&error, "message").contains("tables.d.0"));
    let engine = open(&Recording::unpack(OOO), None).await;
    let error = engine.seek("nonsense".to_owned(), 1.0).await.expect_err("there is no such table");
    assert!(text(&error, "message").contains("nonsense"));
}
