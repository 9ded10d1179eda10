//! The cache of one file's parts.

use bytes::Bytes;
use understudy::web::extents::Extents;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn parts_are_joined_and_gaps_are_told() {
    let file: Bytes = (0..100u8).collect();
    let mut extents = Extents::default();
    extents.insert(10, &file.slice(10..30), 1);
    extents.insert(50, &file.slice(50..60), 1);
    assert_eq!(extents.missing(0..100), [0..10, 30..50, 60..100]);
    assert_eq!(extents.read(12..20, 2), Some(file.slice(12..20)));
    assert_eq!(extents.read(20..55, 2), None);
    // What is here already stays; only the gaps are filled.
    assert_eq!(extents.insert(0, &file, 2), 70);
    assert_eq!(extents.read(5..95, 3), Some(file.slice(5..95)));
    assert_eq!(extents.read(40..40, 3), Some(Bytes::new()));
}

#[wasm_bindgen_test]
fn a_part_remembers_who_used_it_last() {
    let mut extents = Extents::default();
    extents.insert(0, &Bytes::from_static(b"abc"), 1);
    extents.insert(3, &Bytes::from_static(b"def"), 1);
    assert!(extents.read(4..5, 7).is_some());
    assert_eq!(extents.parts().collect::<Vec<_>>(), [(0, 1, 3), (3, 7, 3)]);
    assert_eq!(extents.remove(0), 3);
    assert_eq!(extents.missing(0..6), [0..3]);
}
