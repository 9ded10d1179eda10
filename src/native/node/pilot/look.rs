//! Now and then: what people want, and how the node stands.

use super::super::orders::{self, NodeStatus, PromoteOrder};
use super::super::wishes::{self, Wish};
use super::{Order, Pilot};
use crate::native::cluster::now_us;
use crate::node::{Event, Reason};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often a request in the bucket is looked for.
const WISHES_EVERY: Duration = Duration::from_secs(5);
/// How long a primary that is told to stop may take to upload what it has.
const STOP_WITHIN: Duration = Duration::from_secs(35);
/// How often how it stands is told, whether it has changed or not.
const TELL_EVERY_US: i64 = 1_000_000;

impl Pilot {
    /// Now and then: what people want, and how it stands.
    pub(super) fn look(&mut self) {
        if let Some(order) = orders::take_promote_order(self.means.keeper.folder()) {
            self.promote(order);
        }
        if self.stopping.is_some_and(|stopping| stopping.elapsed() >= STOP_WITHIN) && !self.over {
            self.order(Order::Warn(
                "the bucket did not take all in time; the rest is uploaded at the next start".into(),
            ));
            self.order(Order::Exit(Reason::Stopped));
            self.over = true;
        }
        self.look_for_wishes();
        self.tell();
    }

    fn promote(&mut self, PromoteOrder { planned }: PromoteOrder) {
        if planned {
            // The primary is asked through the bucket; what it hands over is likely to come soon.
            self.on(Event::Brisk);
        } else {
            self.order(Order::Note("told to become the primary".into()));
            self.on(Event::Promote);
        }
    }

    /// A replica looks for wishes that concern it; a primary's shipper answers them.
    fn look_for_wishes(&mut self) {
        let due = self.wished.is_none_or(|wished| wished.elapsed() >= WISHES_EVERY);
        let Some(cluster) = self.kept.cluster.filter(|_| due && !self.kept.wrote) else { return };
        self.wished = Some(Instant::now());
        let (bucket, wish, name) = (self.means.bucket.clone(), self.wish.clone(), self.name.clone());
        let k = wish.fetch_max(self.requests, Ordering::Relaxed).max(self.requests);
        let orders = self.means.orders.clone();
        let folder = self.means.keeper.folder().to_owned();
        // What is found is passed on as if it had been left in the directory.
        tokio::spawn(async move {
            let found = wishes::look(&bucket, cluster, k, &name).await;
            if found.is_some() {
                wish.fetch_max(k + 1, Ordering::Relaxed);
            }
            match found {
                Some(Wish::Promote(order)) => {
                    let note = format!("request {k} in the bucket: this node is to be the primary");
                    let _ = orders.send(Order::Note(note));
                    wishes::pass_on(&folder, order);
                }
                Some(Wish::Late) => {
                    let note = format!("request {k} to promote this node is too old to be followed");
                    let _ = orders.send(Order::Warn(note));
                }
                Some(Wish::Other) | None => {}
            }
        });
    }

    pub(super) fn tell(&mut self) {
        let told = self.machine.told(self.now());
        let status = NodeStatus {
            pid: std::process::id(),
            name: self.name.clone(),
            role: told.role.to_string(),
            term: told.term.map(|term| term.0),
            next: told.next.map(|next| next.n),
            confirmed: told.confirmed,
            refuses: told.refuses.map(|why| super::super::why_refused(why).to_owned()),
            level: told.level,
            promotions: told.promotions,
            fenced: told.fenced,
            self_stops: told.self_stops,
            written_us: self.told.written_us,
        };
        let old = now_us() - status.written_us > TELL_EVERY_US;
        if status != self.told {
            self.order(Order::Status(Box::new(status.clone())));
        }
        if status != self.told || old {
            self.told = NodeStatus { written_us: now_us(), ..status };
            orders::tell(self.means.keeper.folder(), &self.told);
        }
    }
}
