//! What a node's machine decides, in words for people.

use crate::node::{Reason, Refusal};

/// Why a node takes no writes.
pub fn why_refused(why: Refusal) -> &'static str {
    match why {
        Refusal::Replica => "this node is a replica and takes no writes",
        Refusal::Opening => "this node is about to be the primary and takes no writes yet",
        Refusal::Leaving => {
            "this node takes no more writes: what it has is uploaded, then another one is the primary"
        }
        Refusal::SelfStop => {
            "this node takes no writes: its packs are not confirmed, so another one may be the primary soon"
        }
        Refusal::Fenced => "FENCED: another process continues the history; this node takes no writes",
        Refusal::Over => "this node takes no more writes: it ends",
    }
}

/// Why something happened to a node's role.
pub(super) fn why(why: &Reason) -> String {
    match why {
        Reason::Configured => "it begins as that".into(),
        Reason::Founded => "it founded the cluster".into(),
        Reason::Restarted => "it was it before it was started again".into(),
        Reason::Ordered => "an operator asked for it".into(),
        Reason::HandedOver => "the primary handed over to it".into(),
        Reason::HandOver => "handing over".into(),
        Reason::Silence => "the primary was silent for too long".into(),
        Reason::Fenced => "another process continues the history".into(),
        Reason::CaughtUp => "all is uploaded".into(),
        Reason::Stopped => "told to stop".into(),
        Reason::Refused(what) => (*what).into(),
        Reason::Failed(error) => error.to_string(),
    }
}
