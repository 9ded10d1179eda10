//! What the lab has from the engine.

use super::{Engine, Outcome, unknown_table};
use crate::replay::History;
use crate::web::files::WebFiles;

impl Engine {
    /// The log of a table.
    pub(in crate::web) fn history(&self, dir: &str) -> Outcome<History> {
        let slots = self.slots.borrow();
        Ok(slots.get(dir).ok_or_else(|| unknown_table(dir))?.history.clone())
    }

    /// A handle on the files.
    pub(in crate::web) fn files(&self) -> WebFiles {
        self.files.clone()
    }
}
