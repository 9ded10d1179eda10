//! Operators' wishes in the bucket that concern a replica: that it be the primary. All others are the primary's.

use super::orders::{PromoteOrder, put_promote_order};
use crate::ledger::{ClusterId, Document, Key, PromoteRequest, Request};
use crate::native::bucket::{Bucket, GetAnswer};
use crate::native::cluster::now_us;
use std::path::Path;

/// A wish that is older than this is not followed: the cluster is another one by now. Microseconds.
const LATE_US: i64 = 600_000_000;

/// What a request is to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// It shall be the primary.
    Promote(PromoteOrder),
    /// It should have been, long ago.
    Late,
    /// Not its matter.
    Other,
}

/// Looks at request `k`; `None` if it is not there.
pub(super) async fn look(bucket: &Bucket, cluster: ClusterId, k: u64, name: &str) -> Option<Wish> {
    let key = Key::Request(k);
    let GetAnswer::Found(bytes) = bucket.get(&key.to_string()).await else { return None };
    let request = Request::read(key, &bytes).ok().filter(|request| request.cluster == cluster);
    Some(request.map_or(Wish::Other, |request| of(&request, name, now_us())))
}

fn of(request: &Request, name: &str, now_us: i64) -> Wish {
    match PromoteRequest::of(request) {
        Ok(Some(wish)) if wish.node == name && now_us.saturating_sub(request.at_us) > LATE_US => Wish::Late,
        Ok(Some(wish)) if wish.node == name => Wish::Promote(PromoteOrder { planned: wish.planned }),
        _ => Wish::Other,
    }
}

/// As if somebody had left the order in the node's directory, which is where `folder` is.
pub(super) fn pass_on(folder: &Path, order: PromoteOrder) {
    let Some(dir) = folder.parent() else { return };
    if let Err(failure) = put_promote_order(dir, order) {
        tracing::warn!("{}", failure.message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{PolicyChange, PolicyRequest};

    #[test]
    fn only_fresh_wishes_about_this_node_are_followed() {
        let wish = |node: &str, planned| {
            Request::promote(ClusterId(1), "ops", 5, &PromoteRequest { node: node.into(), planned })
        };
        assert_eq!(of(&wish("b", true), "b", 6), Wish::Promote(PromoteOrder { planned: true }));
        assert_eq!(of(&wish("b", false), "b", LATE_US), Wish::Promote(PromoteOrder { planned: false }));
        assert_eq!(of(&wish("b", false), "b", LATE_US + 6), Wish::Late);
        assert_eq!(of(&wish("c", false), "b", 6), Wish::Other);
        let policy = PolicyRequest { table: "t".into(), change: PolicyChange::Drop };
        assert_eq!(of(&Request::policy(ClusterId(1), "ops", 5, &policy), "b", 6), Wish::Other);
    }
}
