//! The rules of the state machine as switches, so that a test can leave one out and see what it is for.

use crate::rules::rules;

rules! {
    /// The last partition is never touched.
    active,
    /// What was made of an older version of a partition is not published.
    version,
    /// What is not wanted any more is not published.
    wanted,
    /// With TO REMOTE, nothing is dropped before the upload is confirmed.
    upload_first,
    /// The upload must be of the present version.
    merged,
    /// A TTL suspends the policy.
    ttl,
    /// The clock caps the newest timestamp.
    cap,
    /// A partition that lies beyond the reference time is not old, whatever its distance in months.
    future,
    /// A clock that goes back brings the schedule back.
    clamp,
    /// After so many tries a step is given up.
    give_up,
    /// A step that was given up is taken up again when the partition or the policy changes.
    reset,
    /// A restart forgets what was running.
    restart,
    /// A conversion that a statement asked for is done again when late rows undo it.
    wish,
}

impl Default for Rules {
    fn default() -> Self {
        Self::ALL
    }
}
