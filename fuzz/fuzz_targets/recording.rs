//! A recorded database with some of its bytes damaged, read whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use understudy::wal::{
    Files, MemoryFiles, Registry, SequencerLog, SequencerMeta, Survey, TableMeta, read_transaction,
};
use understudy_fuzz::{recorded, within_memory};

static EVOLUTION: LazyLock<MemoryFiles> =
    LazyLock::new(|| recorded(include_bytes!("../../tests/data/evolution.tar.gz")));

/// Seven bytes damage one file: its number, an offset, what to do, a value.
const DAMAGE: usize = 7;

fuzz_target!(|bytes: &[u8]| {
    let mut files = EVOLUTION.clone();
    let names: Vec<String> = files.iter().map(|(path, _)| path.to_owned()).collect();
    for damage in bytes.chunks_exact(DAMAGE).take(16) {
        let &[file, file_high, low, mid, high, action, value] = damage else { continue };
        let name = &names[usize::from(u16::from_le_bytes([file, file_high])) % names.len()];
        let Some(content) = files.remove(name) else { continue };
        let mut content = content.to_vec();
        let at = u32::from_le_bytes([low, mid, high, 0]) as usize % content.len().max(1);
        match action % 4 {
            0 => content.truncate(at),
            1 => content.extend(std::iter::repeat_n(0, at)),
            2 => content.iter_mut().skip(at).take(8).for_each(|byte| *byte = value),
            _ => content.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= value),
        }
        files.insert(name.clone(), content);
    }
    let size = files.iter().map(|(path, content)| path.len() + content.len()).sum();
    within_memory(size, || read_all(&files));
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
        }
    }
}
