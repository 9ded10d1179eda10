//! What the encoder makes of the bundled day's partitions: the same natively and as WebAssembly, so both hold it against one list.

use super::Recording;
use std::fmt::Write as _;
use understudy::columnar::parquet::Options;
use understudy::lab::encode_partition;
use understudy::replay::{History, Player, tables};

/// A line for each partition: table, partition, bytes, a hash of them.
pub fn files_made(recording: &Recording) -> String {
    let mut list = String::new();
    for token in tables(&recording.files).expect("tables") {
        let mut player =
            Player::new(History::read(&recording.files, &token).expect("a log")).expect("a table");
        player.seek(&recording.files, u64::MAX).expect("it can be applied");
        let table = player.table();
        for (floor, partition) in &table.partitions {
            let bytes = encode_partition(table, partition, Options::default()).expect("a file");
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
