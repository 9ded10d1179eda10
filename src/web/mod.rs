//! Drivers for a browser tab.
