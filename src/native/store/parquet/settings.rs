//! How Parquet files are written: QuestDB's `cairo.partition.encoder.parquet.*`.

use crate::columnar::parquet::{Codec, Options};
use crate::native::config::properties;
use std::path::Path;
use std::str::FromStr;

const PREFIX: &str = "cairo.partition.encoder.parquet.";
/// Row groups of fewer rows are refused, as by QuestDB.
const ROWS_MIN: usize = 4;

/// The settings of the `server.conf` of a QuestDB root, or QuestDB's defaults where there is none.
///
/// # Errors
/// For people: the key whose value can't be taken, or why the file can't be read.
pub fn encoder_options(root: &Path) -> Result<Options, String> {
    let path = root.join("conf/server.conf");
    match std::fs::read(&path) {
        Ok(bytes) => parse(&bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Options::default()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn parse(bytes: &[u8]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut level = None;
    for property in properties::parse(bytes).0 {
        let Some(name) = property.key.strip_prefix(PREFIX) else { continue };
        let value = &*property.value;
        let refused = |what: &str| format!("{PREFIX}{name}={value} in line {}: {what}", property.line);
        let count = || number::<usize>(value).ok_or_else(|| refused("not a number"));
        match name {
            "compression.codec" => {
                options.codec = Codec::named(value).ok_or_else(|| refused("no such codec"))?;
            }
            "compression.level" => level = Some(number::<i32>(value).ok_or_else(|| refused("not a number"))?),
            "row.group.size" => options.row_group_rows = count()?,
            "data.page.size" => options.page_bytes = count()?,
            "min.compression.ratio" => {
                options.min_ratio = number::<f64>(value).ok_or_else(|| refused("not a number"))?;
            }
            "statistics.enabled" => options.statistics = !value.eq_ignore_ascii_case("false"),
            "version" => options.version = if value == "2" { 2 } else { 1 },
            _ => {}
        }
        if options.row_group_rows < ROWS_MIN {
            return Err(refused("fewer rows than a row group can have"));
        }
    }
    options.level = level.unwrap_or_else(|| options.codec.default_level());
    Ok(options)
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.replace('_', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_questdbs_names() {
        let text = b"cairo.partition.encoder.parquet.compression.codec=ZSTD\n\
                     cairo.partition.encoder.parquet.row.group.size=5_000\ncairo.other=1\n";
        let options = parse(text).unwrap();
        assert_eq!((options.codec, options.level, options.row_group_rows), (Codec::Zstd, 9, 5_000));
        let refused = parse(b"\ncairo.partition.encoder.parquet.compression.codec=lzo\n").unwrap_err();
        assert!(refused.contains("line 2") && refused.contains("lzo"), "{refused}");
        assert!(parse(b"cairo.partition.encoder.parquet.row.group.size=1").is_err());
        assert_eq!(parse(b"").unwrap(), Options::default());
    }
}
