//! Puts the built page into the program, so that `understudy serve` needs no other file.
//!
//! Only into what is shipped (profile `release`): others read the page from `dist` when asked for it, and
//! a change of the page rebuilds nothing here.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::disallowed_macros)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    // PROFILE says `release` for every profile that inherits from it; the path has the profile's own name:
    // .../release/build/understudy-0123/out.
    let shipped = out.ancestors().nth(3).is_some_and(|profile| profile.ends_with("release"));
    let wanted = shipped && env::var_os("CARGO_FEATURE_NATIVE").is_some();
    let mut files = Vec::new();
    println!("cargo::rerun-if-changed=build.rs");
    if wanted {
        let dist = Path::new("dist");
        println!("cargo::rerun-if-changed=dist");
        if dist.join("index.html").exists() {
            collect(&fs::canonicalize(dist)?, "", &mut files)?;
        }
    }
    files.sort();
    let mut code = String::from("pub(super) static FILES: &[(&str, &[u8])] = &[\n");
    for (name, path) in &files {
        let _ = writeln!(code, "    ({name:?}, include_bytes!({path:?})),");
    }
    code.push_str("];\n");
    fs::write(out.join("page.rs"), code)
}

fn collect(dir: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}
