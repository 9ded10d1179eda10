//! Drivers for a machine.
