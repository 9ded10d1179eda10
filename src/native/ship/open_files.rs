//! How many logs may be kept open.

/// Files that the rest of the process may need.
const OTHERS: u64 = 4096;
/// More than this is not asked for.
const WANTED: u64 = 64 * 1024;
/// Logs that are kept open where the system's limit is not known.
#[cfg(not(unix))]
const UNKNOWN: usize = 512;

/// Asks for as many open files as this process may have, and answers how many of them may be logs: what the rest needs, or half of
/// them, is left.
#[cfg(unix)]
pub(super) fn open_max() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let (soft, hard) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    let wanted = WANTED.min(hard).max(soft);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    left_of(if raised.is_ok() { wanted } else { soft })
}

/// Answers how many logs may be open.
#[cfg(not(unix))]
pub(super) fn open_max() -> usize {
    UNKNOWN
}

#[cfg(unix)]
fn left_of(limit: u64) -> usize {
    let limit = limit.min(WANTED);
    usize::try_from(limit - OTHERS.min(limit / 2)).unwrap_or(usize::MAX)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn leaves_files_for_the_rest() {
        assert_eq!(left_of(1024), 512);
        assert_eq!(left_of(20_000), 15_904);
        assert_eq!(left_of(u64::MAX), 61_440);
        let open_max = open_max() as u64;
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert!(limit.current.is_none_or(|soft| open_max < soft), "{open_max} of {limit:?}");
        assert!(
            limit.maximum.is_some_and(|hard| hard < WANTED)
                || limit.current.is_none_or(|soft| soft >= WANTED)
        );
    }
}
