//! What a module does when it loads.

use wasm_bindgen::prelude::*;

/// Called once when a module has loaded: a panic then says where it happened, on the console and to the worker, which
/// finds the text in the global `understudyPanic` after the trap.
#[wasm_bindgen(start)]
pub(super) fn start() {
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        // Setting a property of the global scope does not fail.
        let _ = js_sys::Reflect::set(&js_sys::global(), &"understudyPanic".into(), &panic.to_string().into());
    }));
}
