//! Sees each HTTP answer that `object_store` gets, before it is made into an error.
//!
//! The library tells a handful of errors apart; the protocol has to tell more: 503 from 500, and a
//! request that was sent from one that was not, say because no credentials could be had. Each request
//! carries a [`Sight`] along, and what was seen is written there.

use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::{ClientOptions, Extensions};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

/// What was seen of one request.
#[derive(Debug, Clone, Default)]
pub(super) struct Sight(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    sent: AtomicBool,
    /// 0 until there is one.
    status: AtomicU16,
}

impl Sight {
    /// Travels with the request.
    pub(super) fn extensions(&self) -> Extensions {
        let mut extensions = Extensions::default();
        extensions.insert(self.clone());
        extensions
    }

    /// False if it is sure that nothing went to the store.
    pub(super) fn sent(&self) -> bool {
        self.0.sent.load(Ordering::Acquire)
    }

    /// The status of the last answer.
    pub(super) fn status(&self) -> Option<u16> {
        Some(self.0.status.load(Ordering::Acquire)).filter(|status| *status != 0)
    }

    /// True if the last answer began as a success.
    pub(super) fn succeeded(&self) -> bool {
        self.status().is_some_and(|status| (200..300).contains(&status))
    }
}

/// Makes clients that see.
#[derive(Debug, Default)]
pub(super) struct Watching(ReqwestConnector);

impl HttpConnector for Watching {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Watched(self.0.connect(options)?)))
    }
}

#[derive(Debug)]
struct Watched(HttpClient);

impl HttpService for Watched {
    // As the trait's macro writes it.
    fn call<'life0, 'async_trait>(
        &'life0 self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let sight = request.extensions().get::<Sight>().cloned().unwrap_or_default();
            sight.0.sent.store(true, Ordering::Release);
            sight.0.status.store(0, Ordering::Release);
            let answer = self.0.execute(request).await;
            if let Ok(response) = &answer {
                sight.0.status.store(response.status().as_u16(), Ordering::Release);
            }
            answer
        })
    }
}
