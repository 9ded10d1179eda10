//! A recorded database with some of its bytes damaged, read whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use understudy::wal::{
    Files, Layout, LayoutOptions, MemoryFiles, Registry, SequencerLog, SequencerMeta, Survey, TableMeta,
    read_transaction,
};
use understudy_fuzz::{damaged, recorded, size, within_memory};

static EVOLUTION: LazyLock<MemoryFiles> =
    LazyLock::new(|| recorded(include_bytes!("../../tests/data/evolution.tar.gz")));

fuzz_target!(|bytes: &[u8]| {
    let files = damaged(&EVOLUTION, bytes);
    within_memory(size(&files), || read_all(&files));
});

fn read_all(files: &dyn Files) {
    let Ok(registry) = Registry::read(files) else { return };
    for table in &registry.tables {
        let _ = TableMeta::at_creation(files, &table.dir);
        let _ = SequencerMeta::of_table(files, &table.dir);
        let Ok(log) = SequencerLog::open(files, &table.dir) else { continue };
        let _ = Survey::read(files, &log);
        let Ok(records) = log.records(files, 1..=log.max_txn.min(10_000)) else { continue };
        for record in &records {
            let _ = read_transaction(files, &table.dir, record);
            let options = LayoutOptions { items: 16, text: &|_, _| String::new() };
            let _ = Layout::read(files, &log, record, &options);
        }
    }
}
