//! A lab of storage policies for JavaScript: the third module, on the files of its own engine.

use super::engine::Engine;
use super::failure::{Failure, FailureKind};
use super::files::WebFiles;
use super::{dto, js, state};
use crate::lab::{Lab, LabSettings};
use crate::policy::parse_list;
use crate::replay::PlayerOptions;
use crate::wal::{Error, Result};
use serde_json::json;
use wasm_bindgen::prelude::*;

/// Things that were told to have happened, at most.
const HAPPENED_MAX: usize = 300;

type JsOutcome<T> = std::result::Result<T, JsValue>;

/// Instances of one table on a clock. What is more than numbers goes over as JSON.
#[wasm_bindgen(js_name = Lab)]
pub struct WebLab {
    files: WebFiles,
    lab: Lab,
}

#[wasm_bindgen]
impl Engine {
    /// A lab of a table, which begins after a transaction. About `memory` bytes are for its rows.
    ///
    /// # Errors
    /// If there is no such table.
    pub fn lab(&self, dir: &str, from: f64, memory: f64) -> JsOutcome<WebLab> {
        let history = self.history(dir)?;
        let options = PlayerOptions { memory: memory as usize, clock: js::now, ..PlayerOptions::default() };
        let lab = Lab::new(history, from.max(0.0) as u64, options).map_err(Failure::from)?;
        Ok(WebLab { files: self.files(), lab })
    }
}

#[wasm_bindgen(js_class = Lab)]
impl WebLab {
    /// Takes other settings, and goes back to the beginning.
    ///
    /// # Errors
    /// What are no settings.
    pub fn set(&mut self, settings: &str) -> JsOutcome<()> {
        let settings: LabSettings = serde_json::from_str(settings).map_err(|error| {
            Failure::new(FailureKind::Usage, format!("not the settings of a lab: {error}"))
        })?;
        self.lab.set(settings);
        Ok(())
    }

    /// Lets time pass, or so many things happen; true once that time is reached.
    ///
    /// # Errors
    /// An `Error` with the fields of [`Failure`].
    pub async fn run(&mut self, until_us: f64, steps: u32) -> JsOutcome<bool> {
        let until = until_us as i64;
        let lab = &mut self.lab;
        Ok(drive(&self.files, |files| lab.run(files, until, steps as usize)).await?)
    }

    /// How it stands, and what happened last.
    pub fn told(&mut self) -> String {
        let told = self.lab.told();
        let mut json = json!(told);
        if let Some(fields) = json.as_object_mut() {
            fields.insert("events".to_owned(), json!(self.lab.happened(HAPPENED_MAX)));
        }
        json.to_string()
    }

    /// Why a partition is as it is on an instance; `null` if it never had it.
    pub fn why(&self, instance: usize, partition: &str) -> String {
        json!(self.lab.why(instance, partition)).to_string()
    }

    /// A window of the rows of a partition as an instance reads them, as text.
    ///
    /// # Errors
    /// If it has none.
    pub fn rows(&mut self, instance: usize, partition: &str, first: f64, count: f64) -> JsOutcome<JsValue> {
        let failed = |message: String| Failure::new(FailureKind::Missing, message);
        let table = self.lab.rows(instance, partition).map_err(failed)?;
        Ok(dto::to_js(&state::rows_text(&table, first as usize, count as usize, None))?)
    }

    /// Whether a list of stages fits the table: `{stages}`, or `{error, position}` in UTF-16 units.
    pub fn check(&self, text: &str) -> String {
        let policy = parse_list(text).and_then(|stages| stages.policy(&self.lab.facts()));
        match policy {
            Ok(policy) => json!({ "stages": policy.list() }).to_string(),
            Err(error) => json!({ "error": &*error.message, "position": error.position }).to_string(),
        }
    }
}

async fn drive<T>(
    files: &WebFiles,
    mut attempt: impl FnMut(&WebFiles) -> Result<T>,
) -> std::result::Result<T, Failure> {
    files.forget_failures();
    loop {
        files.begin_attempt();
        match attempt(files) {
            Err(Error::Pending) => {}
            Ok(value) => return Ok(value),
            Err(error) => return Err(files.failure_of(error)),
        }
        if !files.fetch_wanted(None).await {
            let message = "the lab waits for bytes that it did not ask for";
            return Err(Failure::new(FailureKind::Usage, message));
        }
    }
}
