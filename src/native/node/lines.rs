//! Lines for a node of a cluster: its machine decides whether they are taken.

use super::gate::Gate;
use super::standalone::Standalone;
use crate::ilp::{LineError, Status, Unit};
use crate::native::line_http::Writes;
use crate::node::{Refusal, Role};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// How long a request with `durable=1` waits for the bucket.
const PATIENCE: Duration = Duration::from_secs(30);

/// Takes lines while this node is the primary.
#[derive(Debug)]
pub(super) struct Lines {
    gate: Arc<Gate>,
    primary: RwLock<Option<Arc<Standalone>>>,
}

impl Lines {
    pub(super) fn new(gate: Arc<Gate>) -> Self {
        Self { gate, primary: RwLock::default() }
    }

    /// Lines go there, or nowhere.
    pub(super) fn set(&self, primary: Option<Arc<Standalone>>) {
        *self.primary.write().unwrap_or_else(PoisonError::into_inner) = primary;
    }

    fn primary(&self) -> Option<Arc<Standalone>> {
        self.primary.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Writes for Lines {
    fn refuses(&self) -> Option<&'static str> {
        let role = self.gate.role();
        let refusal = self.gate.refusal().or(self.primary().is_none().then_some(Refusal::Opening))?;
        Some(match (refusal, role) {
            (Refusal::Replica | Refusal::Fenced | Refusal::Over, _) | (_, Role::Replica) => {
                Role::Replica.header()
            }
            // It is, or was a moment ago, the primary: what is sent to it may be taken soon.
            _ => Role::PrimaryCatchupUploads.header(),
        })
    }

    async fn write(
        &self,
        body: Vec<u8>,
        precision: Unit,
        durable: bool,
    ) -> std::result::Result<(), LineError> {
        let refused =
            |why: Refusal| LineError::of_request(Status::NotAcceptingWrites, super::why_refused(why));
        let losses = self.gate.losses();
        let pass = self.gate.enter().await.map_err(refused)?;
        let primary = self.primary().ok_or_else(|| refused(Refusal::Opening))?;
        let written = tokio::task::spawn_blocking(move || {
            let written = primary.commit(body, precision);
            // Whoever shuts the gate waits for this write, whether its client still does or not.
            drop(pass);
            written
        });
        let written = written.await.map_err(|error| {
            LineError::of_request(Status::Internal, format!("the request could not be written: {error}"))
        })?;
        let commits = written.map_err(|error| error.told())?;
        if !durable {
            return Ok(());
        }
        let commits: Vec<_> = commits.into_iter().map(|commit| (commit.token.dir, commit.seq_txn)).collect();
        if self.gate.wait_durable(&commits, losses, PATIENCE).await {
            return Ok(());
        }
        let what = "committed here, but not durable: the bucket did not confirm it in time, or another node is the primary now. \
                    Sent again, rows may be there twice unless the table has dedup keys";
        Err(LineError::of_request(Status::Retry, what))
    }
}
