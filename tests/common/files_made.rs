//! What the encoder makes of the bundled day's partitions: the same natively and as WebAssembly, so both hold it against one list.
//!
//! Without compression: the library for LZ4 hashes by the width of the machine's words, and finds other repetitions in 32 bits.

use super::Recording;
use bytes::Bytes;
use std::fmt::Write as _;
use understudy::apply::file_rows;
use understudy::columnar::parquet::{Codec, Options};
use understudy::lab::encode_partition;
use understudy::replay::{History, Player, tables};
use understudy::table::Table;

/// A line for each partition: table, partition, bytes, a hash of them.
pub fn files_made(recording: &Recording) -> String {
    let mut list = String::new();
    let options = Options { codec: Codec::Uncompressed, ..Options::default() };
    for token in tables(&recording.files).expect("tables") {
        let mut player =
            Player::new(History::read(&recording.files, &token).expect("a log")).expect("a table");
        player.seek(&recording.files, u64::MAX).expect("it can be applied");
        let table = player.table();
        for (floor, partition) in &table.partitions {
            let bytes = encode_partition(table, partition, options.clone()).expect("a file");
            let name = table.calendar().name(*floor);
            writeln!(list, "{} {name} {} {:016x}", token.name, bytes.len(), fnv(&bytes))
                .expect("a text grows");
        }
    }
    list
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Files of one partition by writers with other codecs than this build may have, by codec.
pub const BY_CODEC: [(Codec, &[u8]); 2] = [
    (Codec::Zstd, include_bytes!("../data/parquet_zstd.parquet")),
    (Codec::Gzip, include_bytes!("../data/parquet_gzip.parquet")),
];

/// Of which partition they are: its table at the end of the log, and its floor.
pub fn partition_by_codec(recording: &Recording) -> (Table, i64) {
    let tokens = tables(&recording.files).expect("tables");
    let token = tokens.iter().find(|token| token.name == "trades").expect("it is there");
    let mut player = Player::new(History::read(&recording.files, token).expect("a log")).expect("a table");
    player.seek(&recording.files, u64::MAX).expect("it can be applied");
    let floor = player.table().partitions.keys().nth(1).copied().expect("a partition");
    (player.table().clone(), floor)
}

/// They are read, and hold the partition's rows.
pub fn read_by_codec(recording: &Recording) {
    let (table, floor) = partition_by_codec(recording);
    let partition = table.partitions.get(&floor).expect("the partition");
    for (codec, bytes) in BY_CODEC {
        let (bytes, rows) = (Bytes::from_static(bytes), partition.rows as u64);
        let back = file_rows("f", bytes, rows, &mut table.clone(), floor).expect("its rows");
        assert_eq!(table.partition_digest(&back), table.partition_digest(partition), "{codec:?}");
    }
}
