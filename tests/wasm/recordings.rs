//! Every recording of a real QuestDB replays to that server's own answers, here as well.
//!
//! A native test (`tests/it/recordings.rs`) sees to it that none is forgotten here.

use crate::common::Recording;
use wasm_bindgen_test::wasm_bindgen_test;

macro_rules! recordings {
    ($($name:ident)*) => {$(
        #[wasm_bindgen_test]
        fn $name() {
            let archive = include_bytes!(concat!("../data/", stringify!($name), ".tar.gz"));
            let (compared, wrong) = Recording::unpack(archive).check();
            assert!(wrong.is_empty(), "{} tables differ:\n{}", wrong.len(), wrong.join("\n"));
            assert!(compared > 0, "nothing was compared");
        }
    )*};
}

recordings! {
    alltypes
    capacity
    column_tops
    conversions
    dedup_keys
    dedup_ts
    drop_partition
    evolution
    live
    matview
    ns
    ooo
    partitions_by
    questdb_8_2_0
    questdb_9_0_3
    rename_drop
    rollover
    suspended
    symbols
    trading_day
    truncate
    ttl
    unlogged
    update
    v2log
    writers
}
