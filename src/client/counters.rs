//! What a client counted, by the names of QuestDB's own clients.

use super::rejection::SenderError;

/// Since the client was made. `getTotalReconnectAttempts()` is `total_reconnect_attempts`, and so on.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counters {
    /// Attempts to connect, but for those up to the first connection.
    pub total_reconnect_attempts: u64,
    /// Those of them that were successful.
    pub total_reconnects_succeeded: u64,
    /// Frames that were sent again after a connection was lost.
    pub total_frames_replayed: u64,
    /// Errors that servers answered with.
    pub total_server_errors: u64,
    /// Errors that nobody took from the inbox before it was full.
    pub dropped_error_notifications: u64,
    /// Errors that were taken from the inbox.
    pub total_error_notifications_delivered: u64,
    /// Frames that had to wait for room.
    pub total_backpressure_stalls: u64,
    /// Why the client stopped.
    pub last_terminal_error: Option<SenderError>,
    /// Orphans' slots that are being drained right now.
    pub active_background_drainers: u64,
    /// Slots that were drained.
    pub total_background_drainers_succeeded: u64,
    /// Slots that were given up.
    pub total_background_drainers_failed: u64,
    /// Frames that were appended. This name and those below are ours.
    pub frames_appended: u64,
    /// Frames that were sent, each time counted.
    pub frames_sent: u64,
    /// Bytes of them.
    pub bytes_sent: u64,
    /// Frames that a server has in its log, as far as it said so.
    pub frames_ok: u64,
    /// Frames that were let go: on OK, or where durable acknowledgement was asked for, on that.
    pub frames_acknowledged: u64,
}
