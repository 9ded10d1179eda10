//! Bugs that are put in on purpose, to see that the checks find them. Only with the feature `planted-bugs`, which no release
//! can be built with.

use crate::client;
use crate::ledger;

/// What a run leaves out or does wrong. Nothing, but in tests of the simulator itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bugs {
    /// Rules of the log.
    pub rules: ledger::Rules,
    /// Rules of clients.
    pub client: client::Rules,
    /// A claimant takes its seal as put without putting it.
    pub no_fence: bool,
    /// What is durable is told when a pack is sent.
    pub early_ack: bool,
    /// What is durable is told when its own pack is in, whatever is missing before that.
    pub gap_ack: bool,
    /// A primary copies what is not confirmed.
    pub unconfirmed_snapshot: bool,
    /// A former primary goes on with what the history does not hold.
    pub no_rewind: bool,
    /// Upsert keys are not looked at.
    pub without_dedup: bool,
    /// Some packs are not applied.
    pub drops_a_pack: bool,
}

impl Bugs {
    /// None.
    pub(super) const NONE: Self = Self {
        rules: ledger::Rules::ALL,
        client: client::Rules::ALL,
        no_fence: false,
        early_ack: false,
        gap_ack: false,
        unconfirmed_snapshot: false,
        no_rewind: false,
        without_dedup: false,
        drops_a_pack: false,
    };
}

#[cfg(all(feature = "planted-bugs", not(debug_assertions)))]
compile_error!("the feature planted-bugs is for tests: a release must not have it");

/// A bug that can be put in.
#[cfg(feature = "planted-bugs")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// A claimant takes its seal as put without putting it.
    NoFence,
    /// What is durable is told when the pack is sent, before it is put.
    AckBeforePut,
    /// A client that asked for durable acknowledgement lets go on OK.
    TrimOnOk,
    /// "Taken" is success (rule W4).
    LostPrecondition,
    /// After a reconnect a client sends frames in another order.
    ReplayOutOfOrder,
    /// A reader passes over a missing number (rule R1).
    SkipMissing,
    /// A claimant seals above a hole (rule P2).
    SealAboveHole,
    /// A pack is acknowledged while one before it is not confirmed (rule W5).
    AckWithGap,
    /// A primary copies tables that hold what is not confirmed (rule S1).
    UnconfirmedSnapshot,
    /// Packs are deleted before the boundary says so (rule C2).
    DeleteBeforeBoundary,
    /// A fenced primary does not take its tables back (rule W6).
    RewindForgotten,
    /// Upsert keys are not looked at when packs are applied.
    DedupIgnored,
    /// A replica drops a pack now and then.
    PackDropped,
    /// A claimant does not look at the boundary after its seal (rule P4).
    NoLookAfterSeal,
    /// A claimant serves before its seal is settled (rule P3).
    SealUnsettled,
}

#[cfg(feature = "planted-bugs")]
impl Bug {
    /// All that every seed's luck can meet within reach of a test.
    pub const ALL: &[Self] = &[
        Self::NoFence,
        Self::AckBeforePut,
        Self::TrimOnOk,
        Self::LostPrecondition,
        Self::ReplayOutOfOrder,
        Self::SkipMissing,
        Self::SealAboveHole,
        Self::AckWithGap,
        Self::UnconfirmedSnapshot,
        Self::DeleteBeforeBoundary,
        Self::RewindForgotten,
        Self::DedupIgnored,
        Self::PackDropped,
        Self::SealUnsettled,
    ];

    pub(super) fn bugs(self) -> Bugs {
        let mut bugs = Bugs::NONE;
        let mut without = |name| bugs.rules = ledger::Rules::without(name).unwrap_or(bugs.rules);
        match self {
            Self::LostPrecondition => without("w4"),
            Self::SkipMissing => without("r1"),
            Self::SealAboveHole => without("p2"),
            Self::AckWithGap => bugs.gap_ack = true,
            Self::DeleteBeforeBoundary => without("c2"),
            Self::NoLookAfterSeal => without("p4"),
            Self::SealUnsettled => without("p3"),
            Self::TrimOnOk => bugs.client.durable_trim = false,
            Self::ReplayOutOfOrder => bugs.client.replay_order = false,
            Self::NoFence => bugs.no_fence = true,
            Self::AckBeforePut => bugs.early_ack = true,
            Self::UnconfirmedSnapshot => bugs.unconfirmed_snapshot = true,
            Self::RewindForgotten => bugs.no_rewind = true,
            Self::DedupIgnored => bugs.without_dedup = true,
            Self::PackDropped => bugs.drops_a_pack = true,
        }
        bugs
    }
}
