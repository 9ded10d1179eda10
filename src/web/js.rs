//! The few things of JavaScript's global scope that are needed. They are there in a window, in a
//! worker and in node alike.

use js_sys::{Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = fetch)]
    fn global_fetch(url: &str, init: &web_sys::RequestInit) -> Promise;
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(call: &Function, milliseconds: f64) -> JsValue;
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
    #[wasm_bindgen(js_namespace = JSON, js_name = parse, catch)]
    fn json_parse(text: &str) -> Result<JsValue, JsValue>;
}

/// Milliseconds on a clock that never goes back.
pub(super) fn now() -> f64 {
    performance_now()
}

/// Waits.
pub(super) async fn sleep(milliseconds: f64) {
    let waited = Promise::new(&mut |resolve, _| {
        set_timeout(&resolve, milliseconds);
    });
    // A timer does not fail.
    let _ = JsFuture::from(waited).await;
}

/// `fetch`.
pub(super) async fn fetch(url: &str, init: &web_sys::RequestInit) -> Result<web_sys::Response, JsValue> {
    JsFuture::from(global_fetch(url, init)).await?.dyn_into()
}

/// A JSON text as plain data.
pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    let parsed = json_parse(text).map_err(|error| describe(&error))?;
    serde_wasm_bindgen::from_value(parsed).map_err(|error| error.to_string())
}

/// What a thrown value says.
pub(super) fn describe(thrown: &JsValue) -> String {
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => String::from(error.message()),
        None => format!("{thrown:?}"),
    }
}
