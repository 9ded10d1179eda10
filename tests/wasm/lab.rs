//! The module with Parquet: the same bytes as natively, and a lab of storage policies.

use crate::common::{Recording, files_made, read_by_codec};
use js_sys::{Array, Map};
use understudy::apply::file_rows;
use understudy::columnar::parquet::Options;
use understudy::lab::encode_partition;
use understudy::replay::{History, Player, tables};
use understudy::web::Engine;
use wasm_bindgen_test::wasm_bindgen_test;

const DAY: &[u8] = include_bytes!("../data/trading_day.tar.gz");

#[wasm_bindgen_test]
fn partitions_become_the_same_bytes_as_natively() {
    let made = files_made(&Recording::unpack(DAY));
    assert_eq!(made, include_str!("../data/parquet_files.txt"));
}

/// With the default codec the bytes may differ from the native ones, the rows may not.
#[wasm_bindgen_test]
fn what_was_compressed_here_is_read_here() {
    let recording = Recording::unpack(DAY);
    let token = tables(&recording.files).expect("tables").remove(0);
    let mut player = Player::new(History::read(&recording.files, &token).expect("a log")).expect("a table");
    player.seek(&recording.files, u64::MAX).expect("it can be applied");
    let table = player.table();
    for (floor, partition) in &table.partitions {
        let bytes = encode_partition(table, partition, Options::default()).expect("a file").into();
        let rows = partition.rows as u64;
        let back = file_rows("f", bytes, rows, &mut table.clone(), *floor).expect("its rows");
        assert_eq!(table.partition_digest(&back), table.partition_digest(partition));
    }
    assert!(!table.partitions.is_empty());
}

#[wasm_bindgen_test]
async fn a_lab_runs_on_the_engines_files() {
    let recording = Recording::unpack(DAY);
    let files = Map::new();
    for (path, content) in recording.files.iter() {
        let parts = Array::of1(&js_sys::Uint8Array::from(&content[..]));
        files.set(&path.into(), &web_sys::Blob::new_with_u8_array_sequence(&parts).expect("a blob"));
    }
    let engine = Engine::open_files(files.into(), "a day".to_owned(), None, None).await.expect("it opens");
    let dir = recording.tables().iter().find(|table| table["name"] == "orders").expect("it is there");
    let mut lab = engine.lab(dir["dir"].as_str().expect("a name"), 0.0, 64e6).expect("a lab");
    lab.set(
        r#"{"policy":[{"atUs":0,"change":{"do":"set","stages":"to parquet 1h"}}],
            "instances":[{"name":"a","checkIntervalUs":300000000,"workers":2,"convertBytesPerS":50000000,
            "uploadBytesPerS":1000000,"skewUs":0,"pauses":[]}]}"#,
    )
    .expect("settings");
    let told = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    assert!(lab.run(0.0, 1000).await.expect("it runs"));
    let start = told(&lab.told())["startUs"].as_f64().expect("a time");
    while !lab.run(start + 16.0 * 3600e6, 1000).await.expect("it runs") {}
    let told = told(&lab.told());
    let bricks = told["instances"][0]["bricks"].as_array().expect("bricks");
    assert!(bricks.iter().filter(|brick| brick["form"] == "parquet").count() >= 7, "{told}");
    assert!(lab.why(0, "2025-06-20T08").contains("no stage is left for it"));
    assert!(lab.check("to parquet 1x").contains("\"position\":12"));
    assert!(lab.rows(0, "2025-06-20T08", 0.0, 5.0).is_ok());
}

#[wasm_bindgen_test]
fn files_of_other_codecs_are_read() {
    read_by_codec(&Recording::unpack(DAY));
}
