//! A table as Arrow record batches.
