//! What the machine does, for the journal and for people.

use crate::ledger::Note;
use crate::policy::{Happening, PolicyStatus, Transition};

/// Something to be told.
#[derive(Debug)]
pub(in crate::native::replica) enum Told {
    /// For the journal.
    Note(Note),
    /// To be read now: something does not go on.
    Warning(String),
    /// To be read now: something has been done.
    News(String),
}

/// A transition as the journal has it; `partition` is its name.
pub(super) fn note(transition: &Transition, partition: Option<String>) -> Note {
    let (step, task, text) = words(&transition.what);
    Note::PolicyStep {
        table: transition.table.clone(),
        partition,
        step: step.to_owned(),
        task,
        text: text.filter(|text| !text.is_empty()),
    }
}

fn words(what: &Happening) -> (&'static str, Option<String>, Option<String>) {
    let kind = |kind: &crate::policy::TaskKind| Some(kind.to_string());
    match what {
        Happening::Defined { stages, status } => {
            let standing = standing(*status);
            let text = stages.as_ref().map_or(standing.to_owned(), |stages| format!("{stages}; {standing}"));
            ("defined", None, Some(text))
        }
        Happening::Status { status } => ("status", None, Some(standing(*status).to_owned())),
        Happening::Wished { parquet, waits } => {
            let form = if *parquet { "TO PARQUET" } else { "TO NATIVE" };
            let text =
                if *waits { format!("{form}, once it is not the last partition") } else { form.to_owned() };
            ("wished", None, Some(text))
        }
        Happening::Queued { kind: of } => ("queued", kind(of), None),
        Happening::Started { kind: of, attempt, .. } => {
            ("started", kind(of), (*attempt > 1).then(|| format!("try {attempt}")))
        }
        Happening::Done { kind: of, .. } => ("done", kind(of), None),
        Happening::Stale { kind: of, .. } => ("stale", kind(of), None),
        Happening::Cancelled { kind: of, .. } => ("cancelled", kind(of), None),
        Happening::Failed { kind: of, reason, attempt, .. } => {
            ("failed", kind(of), Some(format!("try {attempt}: {reason}")))
        }
        Happening::GivenUp { kind: of, reason } => ("given_up", kind(of), Some(reason.clone())),
    }
}

/// What becomes of a policy on this instance.
pub(super) fn standing(status: PolicyStatus) -> &'static str {
    match status {
        PolicyStatus::None => "none",
        PolicyStatus::Active => "active",
        PolicyStatus::Disabled => "disabled",
        PolicyStatus::SuspendedByTtl => "suspended by the table's TTL",
        PolicyStatus::Off => "off: storage.policy.worker.count is 0 here",
    }
}
