//! The rules as switches, so that a test can leave one out and see what it is for.

/// Which rules are kept. In production all are: only tests make another one.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rules {
    /// Where durable acknowledgement was asked for, nothing less lets a frame go.
    pub durable_trim: bool,
    /// After a reconnect, frames are sent from the oldest one that is not acknowledged, in order.
    pub replay_order: bool,
}

impl Rules {
    /// All rules.
    pub const ALL: Self = Self { durable_trim: true, replay_order: true };

    /// All rules but the named one; `None` if there is no such switch.
    pub fn without(name: &str) -> Option<Self> {
        match name {
            "durable_trim" => Some(Self { durable_trim: false, ..Self::ALL }),
            "replay_order" => Some(Self { replay_order: false, ..Self::ALL }),
            _ => None,
        }
    }
}
