//! Packs: the shipper hands in what goes into them, the machine says where each of them goes.

use super::Pilot;
use crate::ledger::{Head, Pack, Sign};
use crate::native::cluster::{Driven, HandedIn, Offer, log_failure, now_us};
use crate::node::{Event, reached};
use tokio::sync::oneshot;

/// The shipper of a term.
pub(super) struct Shipping {
    pub(super) driven: Driven,
    stop: Option<oneshot::Sender<()>>,
    offer: Option<Offer>,
    /// Nothing more will be handed in.
    done: bool,
}

impl Shipping {
    /// Has it hand in the rest, and end.
    pub(super) fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            // One that has ended needs no telling.
            let _ = stop.send(());
        }
    }
}

/// What the shipper hands in next, while nothing waits; `None` once it has ended.
pub(super) async fn next_offer(shipping: &mut Option<Shipping>) -> Option<Offer> {
    match shipping {
        Some(shipping) if shipping.offer.is_none() && !shipping.done => shipping.driven.offers.recv().await,
        _ => std::future::pending().await,
    }
}

impl Pilot {
    pub(super) fn ship(&mut self, driven: Driven, stop: oneshot::Sender<()>) {
        // Packs may have gone before it was there.
        if let Some(behind) = &self.behind {
            driven.passed(behind.clone());
        }
        driven.acknowledged(self.machine.told(self.now()).confirmed);
        let mut shipping = Shipping { driven, stop: Some(stop), offer: None, done: false };
        if self.leaving {
            shipping.end();
        }
        self.shipping = Some(shipping);
    }

    pub(super) fn offered(&mut self, offer: Option<Offer>) {
        let Some(shipping) = &mut self.shipping else { return };
        match offer {
            Some(offer) => {
                shipping.offer = Some(offer);
                self.on(Event::Commits);
            }
            None => shipping.done = true,
        }
        self.cut();
    }

    /// Makes the pack that is asked for, once it is known what goes into it.
    pub(super) fn cut(&mut self) {
        let Some((head, needed, handover)) = self.cutting.take() else { return };
        let offer = self.shipping.as_mut().and_then(|shipping| shipping.offer.take());
        let done = self.shipping.as_ref().is_some_and(|shipping| shipping.done);
        if offer.is_none() && !needed {
            if self.leaving && !done {
                // The shipper is still at it.
                self.cutting = Some((head, needed, handover));
            } else {
                self.on(Event::Nothing);
            }
            return;
        }
        let head = Head { committed_us: now_us(), ..head };
        let mut pack = Pack { handover, ..Pack::default() };
        if let Some(offer) = &offer {
            pack.tables.clone_from(&offer.pack.tables);
            pack.answers.clone_from(&offer.pack.answers);
        }
        let signer = self.means.signer.as_deref().map(|signer| signer as &dyn Sign);
        let encoded = tokio::task::block_in_place(|| pack.encode(head, signer));
        let object = match encoded {
            Ok(object) => object,
            Err(error) => {
                let failure = log_failure(&error);
                if let Some(offer) = offer {
                    offer.answer(Err(failure));
                }
                self.on(Event::Nothing);
                return;
            }
        };
        let (sum, bytes) = (object.sum(), object.bytes().len() as u64);
        let reached = reached(&pack);
        let more = self.leaving && !done;
        self.on(Event::Cut { object, reached, more });
        for answer in &pack.answers {
            self.requests = self.requests.max(answer.request.saturating_add(1));
        }
        let Some(behind) = &mut self.behind else { return };
        behind.pass(sum);
        let point = behind.clone();
        if let Some(shipping) = &self.shipping {
            shipping.driven.passed(point.clone());
        }
        if let Some(offer) = offer {
            let committed_us = head.committed_us;
            offer.answer(Ok(HandedIn { place: head.place, committed_us, bytes, point }));
        }
    }
}
