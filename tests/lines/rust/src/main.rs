//! Rows by QuestDB's own client: `lines-by-questdb-rs PORT VERSION SEED`. Equal arguments make equal rows.

use questdb::ingress::{Buffer, Sender, TimestampMicros, TimestampNanos};
use std::error::Error;

const ROWS: u64 = 400;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, version, seed] = arguments.as_slice() else {
        return Err("usage: lines-by-questdb-rs PORT VERSION SEED".into());
    };
    let mut chance = Chance(seed.parse()?);
    let conf = format!("http::addr=127.0.0.1:{port};protocol_version={version};");
    let mut sender = Sender::from_conf(conf)?;
    let mut buffer = sender.new_buffer();
    for n in 0..ROWS {
        row(&mut buffer, version, n, &mut chance)?;
        if n % 50 == 49 {
            sender.flush(&mut buffer)?;
        }
    }
    sender.flush(&mut buffer)?;
    Ok(())
}

fn row(buffer: &mut Buffer, version: &str, n: u64, chance: &mut Chance) -> questdb::Result<()> {
    buffer.table(format!("rust{version}").as_str())?;
    buffer.symbol("side", if chance.below(2) == 0 { "buy" } else { "sell" })?;
    if n % 2 == 1 {
        buffer.symbol("venue = ñ", format!("v {}, =\n", chance.below(50)))?;
    }
    buffer.column_f64("price", chance.below(1 << 40) as f64 / 1e6)?;
    buffer.column_i64("size", chance.below(1 << 40) as i64 - (1 << 39))?;
    buffer.column_bool("ok", chance.below(2) == 0)?;
    buffer.column_ts("seen", TimestampMicros::new(chance.below(1 << 50) as i64))?;
    if n % 5 != 0 {
        buffer.column_str(
            "note",
            format!("ñ \"{}\" \\ {}", chance.below(1000), "語".repeat((n % 7) as usize)),
        )?;
    }
    if version != "1" && n % 3 == 0 {
        let book = vec![vec![chance.below(100) as f64, 2.5], vec![1.0, f64::NAN]];
        buffer.column_arr("book", &book)?;
    }
    let seconds = 1_650_000_000 + chance.below(5 * 86_400) as i64;
    let at = TimestampNanos::new(seconds * 1_000_000_000 + n as i64 * 1000);
    buffer.at(at)?;
    if version == "3" && n % 4 == 0 {
        // A column of decimals is never made by a line: this table has one.
        let value = format!("{}.{:03}", chance.below(1000), chance.below(1000));
        buffer.table("typed")?.column_dec("d32", value.as_str())?.at(at)?;
    }
    Ok(())
}

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound
    }
}
