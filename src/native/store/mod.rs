//! The durable store: a directory of tables in QuestDB's own format.
//!
//! | room | what happens there |
//! |---|---|
//! | [`lock`] | one writer at a time, be it QuestDB or us |

pub mod lock;
