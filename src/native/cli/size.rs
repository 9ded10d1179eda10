//! Sizes on the command line: `1GiB`, `512MiB`, `64m`, `1000000`.

pub(super) use crate::native::config::value::size as parse;
