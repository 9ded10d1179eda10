//! Bytes that are named by their own hash.

use super::{Patience, log_failure, trouble_failure};
use crate::ledger::{Document, Key, Pause, Sum};
use crate::native::bucket::{Bucket, GetAnswer, PutAnswer, Trouble, TroubleKind};
use crate::native::outcome::{Exit, Failure};
use bytes::Bytes;

/// Puts a blob; answers whether it was not there before. Waits until the store has said so.
///
/// # Errors
/// When the store refuses.
pub async fn put_blob(bucket: &Bucket, sum: Sum, bytes: Bytes) -> Result<bool, Trouble> {
    let key = Key::Blob(sum).to_string();
    let mut patience = Patience::default();
    loop {
        match bucket.put_if_absent(&key, bytes.clone()).await {
            PutAnswer::Stored => return Ok(true),
            // Nothing else can have this name. That it is there is seen, as a conflict says "taken", too.
            PutAnswer::Taken => match bucket.head(&key).await {
                GetAnswer::Found(_) => return Ok(false),
                GetAnswer::NotFound | GetAnswer::Failed(_) => patience.wait(Pause::Retry).await,
            },
            PutAnswer::Refused(trouble) => return Err(trouble),
            PutAnswer::SlowDown(_) => patience.wait(Pause::SlowDown).await,
            PutAnswer::Unsettled(_) => patience.wait(Pause::Retry).await,
        }
    }
}

/// Gets a blob. Waits while the store doesn't answer.
///
/// # Errors
/// When it is not there, or not what it is named after.
pub async fn get_blob(bucket: &Bucket, sum: Sum) -> Result<Bytes, Failure> {
    let key = Key::Blob(sum).to_string();
    let bytes = get_patiently(bucket, &key).await?.ok_or_else(|| {
        Failure::new(Exit::Purged, format!("{key} is not in the bucket")).advise(
            "was something deleted from `blob/`? Have the tables sent anew: `understudy ship --rebase TABLE`",
        )
    })?;
    let found = Sum::of(&bytes);
    if found == sum {
        return Ok(bytes);
    }
    Err(Failure::new(Exit::Damaged, format!("{key}: its bytes have the hash {found}")))
}

/// Gets a JSON object; `None` if it is not there.
///
/// # Errors
/// When it can't be read.
pub async fn get_document<T: Document>(bucket: &Bucket, key: Key) -> Result<Option<T>, Failure> {
    let Some(bytes) = get_patiently(bucket, &key.to_string()).await? else { return Ok(None) };
    T::read(key, &bytes).map(Some).map_err(|error| log_failure(&error))
}

async fn get_patiently(bucket: &Bucket, key: &str) -> Result<Option<Bytes>, Failure> {
    let mut patience = Patience::default();
    loop {
        match bucket.get(key).await {
            GetAnswer::Found(bytes) => return Ok(Some(bytes)),
            GetAnswer::NotFound => return Ok(None),
            GetAnswer::Failed(trouble) if trouble.kind == TroubleKind::Refused || patience.tries >= 5 => {
                return Err(trouble_failure(&trouble));
            }
            GetAnswer::Failed(_) => patience.wait(Pause::Retry).await,
        }
    }
}
