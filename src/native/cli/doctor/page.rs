//! What is asked without the store's client: its clock, and whether a page may read it.

use super::{Checks, State};
use crate::native::bucket::Connection;
use crate::native::outcome::Result;
use reqwest::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, DATE, HeaderMap, ORIGIN};
use reqwest::{Client, Response};
use std::time::{Duration, SystemTime};

/// Clocks that differ by more are told.
const APART: Duration = Duration::from_secs(30);
/// Some stores refuse requests signed by a clock that is further off.
const REFUSED: Duration = Duration::from_secs(15 * 60);
const PATIENCE: Duration = Duration::from_secs(10);
/// Some page's origin.
const PAGE: &str = "https://understudy.example";

/// Compares this machine's clock with the store's.
pub(super) async fn clock(checks: &mut Checks, connection: &Connection) -> Result<()> {
    let Some(url) = url(connection) else {
        return checks.say("clock", State::Skip, "this store has none to compare with", "");
    };
    let there = match ask(&url).await {
        Ok(answer) => date(answer.headers()),
        Err(why) => return checks.say("clock", State::Skip, format!("can't be compared: {why}"), ""),
    };
    let Some(there) = there else {
        return checks.say("clock", State::Skip, "the store tells no time", "");
    };
    let here = SystemTime::now();
    let (apart, word) = match here.duration_since(there) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let what = format!("this machine is {} s {word} the store", apart.as_secs());
    if apart > REFUSED {
        checks.say(
            "clock",
            State::Fail,
            what,
            "set the clock (NTP): stores refuse requests signed at such a time",
        )
    } else if apart > APART {
        checks.say(
            "clock",
            State::Warn,
            what,
            "set the clock (NTP): lags and times in journals are wrong by as much",
        )
    } else {
        // The store tells whole seconds.
        checks.ok("clock", format!("within {} s of the store's", apart.as_secs() + 1))
    }
}

/// Looks whether a page of another origin could read the bucket as anybody.
pub(super) async fn cors(checks: &mut Checks, connection: &Connection) -> Result<()> {
    let Some(url) = url(connection) else {
        return checks.say(
            "page",
            State::Skip,
            "a page reads over HTTP; `understudy serve` shows it a directory",
            "",
        );
    };
    let answer = match ask(&url).await {
        Ok(answer) => answer,
        Err(why) => return checks.say("page", State::Skip, format!("can't be asked: {why}"), ""),
    };
    let status = answer.status().as_u16();
    let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let allowed = header(ACCESS_CONTROL_ALLOW_ORIGIN);
    let exposed = header(ACCESS_CONTROL_EXPOSE_HEADERS).unwrap_or_default().to_ascii_lowercase();
    let readable = matches!(status, 200 | 206 | 404);
    let what = match (readable, allowed) {
        (true, Some(_)) if exposed.contains("content-range") || exposed.contains('*') => {
            return checks.ok("page", "pages of any origin may read the bucket, and see ranges");
        }
        (true, Some(_)) => "pages may read the bucket and not see ranges",
        (true, None) => "anybody may read the bucket, pages of other origins not",
        (false, _) => "only who signs may read the bucket (as it should be, unless a page is to read it)",
    };
    let advice = "for a page: `understudy generate cors` and `understudy generate iam --role page`";
    checks.say("page", State::Note, format!("{what} (HTTP {status})"), advice)
}

/// Asks for `cluster.json` as a page would. Nothing of the answer's body is read.
async fn ask(url: &str) -> std::result::Result<Response, String> {
    let client = Client::builder().timeout(PATIENCE).build().map_err(|_error| "no HTTP client".to_owned())?;
    // The error's own words may hold more of the URL than should be told.
    client
        .get(url)
        .header(ORIGIN, PAGE)
        .send()
        .await
        .map_err(|error| if error.is_timeout() { "no answer in time".into() } else { "no connection".into() })
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

/// Where `cluster.json` is for who doesn't sign; no secret is in it.
fn url(connection: &Connection) -> Option<String> {
    let (base, root) = match connection {
        Connection::S3(s3) => {
            let region = s3.region.as_deref().unwrap_or("us-east-1");
            let base = match s3.endpoint.as_deref() {
                None => format!("https://{}.s3.{region}.amazonaws.com", s3.bucket),
                Some(endpoint) if s3.virtual_host_style => endpoint.to_owned(),
                Some(endpoint) => format!("{endpoint}/{}", s3.bucket),
            };
            (base, &s3.root)
        }
        Connection::Azure(azure) => {
            let of_account = || format!("https://{}.blob.core.windows.net", azure.account_name);
            let endpoint = azure.endpoint.clone().unwrap_or_else(of_account);
            (format!("{endpoint}/{}", azure.container), &azure.root)
        }
        Connection::Gcs(gcs) => {
            let endpoint = gcs.endpoint.as_deref().unwrap_or("https://storage.googleapis.com");
            (format!("{endpoint}/{}", gcs.bucket), &gcs.root)
        }
        Connection::Fs(_) | Connection::Hdfs(_) => return None,
    };
    let root = if root.is_empty() { String::new() } else { format!("{root}/") };
    Some(format!("{base}/{root}cluster.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_without_credentials_is_at_the_right_place() {
        for (text, wanted) in [
            (
                "s3::bucket=b;root=a/b;region=eu-west-1;",
                "https://b.s3.eu-west-1.amazonaws.com/a/b/cluster.json",
            ),
            ("s3::bucket=b;endpoint=http://127.0.0.1:1;", "http://127.0.0.1:1/b/cluster.json"),
            (
                "azblob::container=c;account_name=a;root=r;sas_token=sig=HUSH;",
                "https://a.blob.core.windows.net/c/r/cluster.json",
            ),
            ("gcs::bucket=b;root=/;token=HUSH;", "https://storage.googleapis.com/b/cluster.json"),
        ] {
            assert_eq!(url(&text.parse().unwrap()).as_deref(), Some(wanted));
        }
        assert_eq!(url(&"fs::root=/a;".parse().unwrap()), None);
    }
}
