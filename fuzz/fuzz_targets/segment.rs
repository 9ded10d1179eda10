//! A segment's columns: one commit of a few rows over one column of every stored type.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use understudy::wal::{
    ColumnType, DataEvent, MemoryFiles, MetaColumn, SequencerMeta, SymbolDiff, TxnKind, TxnRecord,
    read_commit,
};
use understudy_fuzz::within_memory;

/// A DOUBLE[][] (two dimensions), beside the types whose code is their tag.
const ARRAY: i32 = 27 | 10 << 8 | 1 << 14;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[code, rows, flags], rest)) = bytes.split_first_chunk::<3>() else { return };
    let code = if code == 27 { ARRAY } else { i32::from(code) };
    let Some(ty) = ColumnType::from_code(code) else { return };
    let rows = u64::from(rows % 8) + 1;
    let row_lo = u64::from(flags >> 4);

    let column = |name: &str, ty| MetaColumn { name: name.into(), ty, dropped: false };
    let meta = SequencerMeta {
        structure_version: 0,
        columns: vec![column("ts", ColumnType::TIMESTAMP), column("c", ty)],
        timestamp: Some(0),
        table_id: 1,
        read_order: None,
    };

    let stamps = |row: u64| 1_000_000 + row as i64;
    let mut ts = vec![0u8; row_lo as usize * 16];
    for row in row_lo..row_lo + rows {
        ts.extend(stamps(row).to_le_bytes());
        ts.extend((row as i64).to_le_bytes());
    }
    let split = rest.len().min((rows + row_lo + 1) as usize * 16);
    let (aux, data) = rest.split_at(split);
    let mut files = MemoryFiles::default();
    files.insert("t~1/wal1/0/ts.d", ts);
    files.insert("t~1/wal1/0/c.i", Bytes::copy_from_slice(aux));
    files.insert(
        "t~1/wal1/0/c.d",
        Bytes::copy_from_slice(if ty.fixed_size().is_some() { rest } else { data }),
    );
    let symbols = if ty.is_symbol() {
        vec![SymbolDiff {
            column: 1,
            has_null: flags & 1 != 0,
            clean: 2,
            entries: vec!["a".into(), "b".into()],
        }]
    } else {
        Vec::new()
    };
    let record = TxnRecord {
        seq_txn: 1,
        structure_version: 0,
        kind: TxnKind::Wal { wal: 1, segment: 0, segment_txn: 0 },
        commit_ts: 0,
        extent: None,
    };
    let event = DataEvent {
        row_lo,
        row_hi: row_lo + rows,
        min_ts: stamps(row_lo),
        max_ts: stamps(row_lo + rows - 1),
        out_of_order: flags & 2 != 0,
        symbols,
        dedup_mode: 0,
        replace: None,
        mat_view: None,
    };
    let _ = within_memory(bytes.len(), || read_commit(&files, "t~1", &record, &event, &meta));
});
