//! `understudy inspect STORE KEY`: one object of a bucket.

use super::{ls, open, size};
use crate::ledger::{FilePiece, Held, Key, Kind, Object, Run, What};
use crate::native::bucket::GetAnswer;
use crate::native::cli::out::Out;
use crate::native::cli::tables::clean;
use crate::native::outcome::{Exit, Failure, Result};
use serde_json::{Value, json};

pub(in crate::native::cli) fn run(out: &Out, store: &str, key: Option<&str>) -> Result<Exit> {
    let Some(key) = key else { return ls::run(out, store, None, 20) };
    let parsed: Key = key.parse().map_err(|error: crate::ledger::ParseError| {
        Failure::usage(error.to_string()).advise("`understudy ls STORE --json` lists the keys of the log")
    })?;
    let bucket = open(store)?;
    let bytes = super::block_on(async {
        match bucket.get(key).await {
            GetAnswer::Found(bytes) => Ok(bytes),
            GetAnswer::NotFound => Err(Failure::failed(format!("{key} is not in the bucket"))),
            GetAnswer::Failed(trouble) => Err(Failure::failed(trouble.to_string())),
        }
    })?;
    match parsed {
        Key::Object(place) => {
            let object = Object::read(place, bytes).map_err(damaged)?;
            tell(out, &object)
        }
        Key::Blob(sum) => {
            let found = crate::ledger::Sum::of(&bytes);
            if found != sum {
                return Err(Failure::new(Exit::Damaged, format!("{key}: its bytes have the hash {found}")));
            }
            out.text(format!("{key}: {}, its hash is right\n", size(bytes.len() as u64)))?;
            out.json(&json!({ "key": key, "bytes": bytes.len() }))?;
            Ok(Exit::Ok)
        }
        _ => {
            let value: Value = serde_json::from_slice(&bytes)
                .map_err(|error| Failure::new(Exit::Damaged, format!("{key}: {error}")))?;
            out.text(format!("{value:#}\n"))?;
            out.json(&value)?;
            Ok(Exit::Ok)
        }
    }
}

fn damaged(error: crate::ledger::Error) -> Failure {
    Failure::new(Exit::Damaged, error.to_string())
}

fn tell(out: &Out, object: &Object) -> Result<Exit> {
    let head = object.head();
    let kind = match head.kind {
        Kind::Pack => "pack".to_owned(),
        Kind::Seal { next } => format!("seal; the history goes on in {next}"),
    };
    let signed = if object.signature().is_some() { "signed" } else { "not signed" };
    out.text(format!(
        "{}: {kind}\n  {}, hash {}, {signed}\n  before it {}\n  committed {} us\n",
        head.place,
        size(object.bytes().len() as u64),
        object.sum(),
        head.before,
        head.committed_us
    ))?;
    let mut tables = Vec::new();
    let mut answers = Vec::new();
    if head.kind == Kind::Pack {
        let pack = object.pack().map_err(damaged)?;
        for answer in &pack.answers {
            let done = if answer.done { "accepted" } else { "refused" };
            out.text(format!("  request {} {done}: {}\n", answer.request, clean(&answer.text)))?;
            answers.push(json!({ "request": answer.request, "done": answer.done, "text": answer.text }));
        }
        for entry in pack.tables {
            out.text(format!("  {} ({}): {}\n", entry.token.name, entry.token.dir, ls::what(&entry.what)))?;
            let pieces: Vec<Value> = files(&entry.what).iter().map(piece).collect();
            for piece in files(&entry.what) {
                out.text(format!("    {}\n", line(piece)))?;
            }
            tables.push(json!({
                "table": entry.token.name, "directory": entry.token.dir, "what": ls::what(&entry.what), "pieces": pieces,
            }));
        }
    }
    out.json(&json!({
        "key": head.place.to_string(), "kind": kind, "bytes": object.bytes().len(), "sum": object.sum(),
        "before": head.before, "committedUs": head.committed_us, "signed": object.signature().is_some(),
        "tables": tables, "answers": answers,
    }))?;
    Ok(Exit::Ok)
}

fn files(what: &What) -> &[FilePiece] {
    match what {
        What::Transactions(Run { files, .. }) | What::Created { files } => files,
        _ => &[],
    }
}

fn line(piece: &FilePiece) -> String {
    let block = &piece.block;
    let held = match block.held {
        Held::Inline(_) => String::new(),
        Held::Blob(sum) => format!(" in {}", Key::Blob(sum)),
    };
    let codec = format!("{:?}", block.codec).to_lowercase();
    format!(
        "{} at {}: {} bytes, {} as {codec}{held}",
        piece.path, piece.offset, block.raw_len, block.stored_len
    )
}

fn piece(piece: &FilePiece) -> Value {
    let block = &piece.block;
    let blob = match block.held {
        Held::Inline(_) => None,
        Held::Blob(sum) => Some(sum),
    };
    json!({
        "path": piece.path, "offset": piece.offset, "bytes": block.raw_len, "stored": block.stored_len,
        "codec": format!("{:?}", block.codec).to_lowercase(), "blob": blob,
    })
}
