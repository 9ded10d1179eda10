//! `understudy index`

use super::args::Index;
use super::out::Out;
use crate::native::index;
use crate::native::outcome::{Exit, Result};

pub(super) fn run(out: &Out, args: &Index) -> Result<Exit> {
    let written = index::write(&args.dir)?;
    for entry in &written.skipped {
        out.warn(format!("not listed: {entry}"));
    }
    out.json(&written)?;
    out.text(format!("{}: {} files, {} bytes\n", written.path.display(), written.files, written.bytes))?;
    Ok(Exit::Ok)
}
