//! A server that writes on while its database is watched.

use super::{Engine, JsOutcome};
use crate::replay;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
impl Engine {
    /// Reads the list of tables and their logs again; what was applied stays.
    ///
    /// # Errors
    /// An `Error` with the fields of [`Failure`](crate::web::Failure).
    pub async fn refresh(&self) -> JsOutcome {
        self.files.renew().await?;
        let tokens = self.drive(|files| replay::tables(files)).await?;
        self.phase.set("log");
        let listed = self.list(tokens).await?;
        self.listed.replace(listed);
        self.overview()
    }
}
