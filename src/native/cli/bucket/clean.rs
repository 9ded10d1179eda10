//! `understudy clean STORE`: deletes packs that nobody needs any more.

use super::{size, with_cluster};
use crate::native::cli::args::Clean;
use crate::native::cli::out::Out;
use crate::native::cli::progress::grouped;
use crate::native::cluster::{Plan, Retention, clean, plan_cleaning};
use crate::native::outcome::{Exit, Result};
use serde_json::json;

pub(in crate::native::cli) fn run(out: &Out, args: &Clean) -> Result<Exit> {
    with_cluster(&args.store, async |bucket, cluster| {
        let retention = Retention {
            // A number says by itself what shall go.
            age: if args.before.is_some() { std::time::Duration::ZERO } else { args.keep },
            snapshots: 1,
            before: args.before,
            gone_after: args.gone_after,
        };
        let cleaning = match plan_cleaning(&bucket, &cluster, retention).await? {
            Plan::Clean(cleaning) => cleaning,
            Plan::Nothing(why) => {
                out.text(format!("nothing can go: {why}\n"))?;
                out.json(&json!({ "packs": 0, "bytes": 0, "deleted": false, "why": why }))?;
                return Ok(Exit::Ok);
            }
        };
        let what = format!(
            "{} packs below number {}, {}; a new reader begins with snapshot {}",
            grouped(cleaning.packs),
            grouped(cleaning.to),
            size(cleaning.bytes),
            grouped(cleaning.snapshot())
        );
        if args.yes {
            clean(&bucket, &cleaning, || {}).await?;
            out.text(format!("deleted {what}\n"))?;
        } else {
            out.text(format!("can go: {what}\n"))?;
            if !args.dry_run {
                out.note("nothing was deleted: --yes does it");
            }
        }
        out.json(&json!({
            "packs": cleaning.packs, "bytes": cleaning.bytes, "from": cleaning.from, "to": cleaning.to,
            "snapshot": cleaning.snapshot(), "deleted": args.yes,
        }))?;
        Ok(Exit::Ok)
    })
}
