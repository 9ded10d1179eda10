//! Finding where a row of numbered objects ends.

use crate::native::outcome::Failure;
use std::future::Future;

/// The first number from `from` on of which nothing is there: gallops, then bisects. The numbers are written in order, and none
/// of them is deleted.
///
/// # Errors
/// What `there` answers.
pub async fn first_missing<F>(from: u64, there: impl Fn(u64) -> F) -> Result<u64, Failure>
where
    F: Future<Output = Result<bool, Failure>>,
{
    let (mut low, mut step) = (from, 1);
    let mut high = loop {
        let probe = low + step - 1;
        if !there(probe).await? {
            break probe;
        }
        low = probe + 1;
        step *= 2;
    };
    while low < high {
        let middle = low + (high - low) / 2;
        if there(middle).await? { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}
