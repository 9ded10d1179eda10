//! QuestDB's connection strings: `scheme::key=value;key=value;`.
//!
//! Keys that QuestDB documents are taken as it takes them. Some more are known that its documentation
//! does not name, for stores it does not reach or tests need; `docs/stores.md` lists all, and which are
//! which. There is no escape: a value can't hold a `;`.

pub use crate::secret::Secret;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use thiserror::Error;

/// A bucket and how to reach it. Neither `Debug` nor `Display` shows a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Connection {
    /// `s3::`: Amazon S3, and what speaks its protocol.
    S3(S3),
    /// `azblob::`: Azure Blob Storage.
    Azure(Azure),
    /// `gcs::`: Google Cloud Storage.
    Gcs(Gcs),
    /// `fs::`: a directory, on this machine or on NFS.
    Fs(Fs),
    /// `hdfs::`: Hadoop's file system (feature `hdfs`).
    Hdfs(Hdfs),
}

/// `s3::bucket=..;root=..;region=..;`. Without `access_key_id` the surroundings are asked: environment,
/// web identity (EKS), container (ECS, EKS Pod Identity), then the instance's role.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct S3 {
    /// `bucket`.
    pub bucket: String,
    /// `root`: the folder of this cluster, without slashes at its ends.
    pub root: String,
    /// `region`.
    pub region: Option<String>,
    /// `endpoint`: a URL with its scheme, for stores other than Amazon's.
    pub endpoint: Option<String>,
    /// `access_key_id`; comes with the next.
    pub access_key_id: Option<String>,
    /// `secret_access_key`.
    pub secret_access_key: Option<Secret>,
    /// `session_token`: of temporary keys.
    pub session_token: Option<Secret>,
    /// `enable_virtual_host_style`: the bucket goes into the host's name rather than the path.
    pub virtual_host_style: bool,
    /// `disable_config_load`: the environment's `AWS_*` variables are not read.
    pub ignore_environment: bool,
    /// `allow_anonymous`: requests are not signed, for reading a public bucket.
    pub anonymous: bool,
    /// `ca_cert_file`, `ca_builtin_roots`.
    pub trust: Trust,
}

/// `azblob::endpoint=..;container=..;root=..;`. Without a key or a token the surroundings are asked:
/// environment, workload identity (AKS), then the machine's managed identity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Azure {
    /// `endpoint`: `https://ACCOUNT.blob.core.windows.net`, and what stands in for it.
    pub endpoint: Option<String>,
    /// `container`.
    pub container: String,
    /// `root`: the folder of this cluster, without slashes at its ends.
    pub root: String,
    /// `account_name`; if it is left out, the first word of the endpoint's host.
    pub account_name: String,
    /// `account_key`, in base64.
    pub account_key: Option<Secret>,
    /// `sas_token`: the query string of a shared access signature.
    pub sas_token: Option<Secret>,
    /// `ca_cert_file`, `ca_builtin_roots`.
    pub trust: Trust,
}

/// `gcs::bucket=..;root=..;`. Without credentials the surroundings are asked: Application Default
/// Credentials, then the instance's service account (GKE Workload Identity included).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gcs {
    /// `bucket`.
    pub bucket: String,
    /// `root`: the folder of this cluster, without slashes at its ends.
    pub root: String,
    /// `credential`: a service account's JSON key, in base64.
    pub credential: Option<Secret>,
    /// `credential_path`: the same in a file, as Google gives it.
    pub credential_path: Option<PathBuf>,
    /// `token`: an OAuth token that was had elsewhere; it is not renewed.
    pub token: Option<Secret>,
    /// `endpoint`: another URL than Google's.
    pub endpoint: Option<String>,
    /// `allow_anonymous`: requests carry no credentials, for reading a public bucket.
    pub anonymous: bool,
    /// `ca_cert_file`, `ca_builtin_roots`.
    pub trust: Trust,
}

/// `fs::root=..;atomic_write_dir=..;`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fs {
    /// `root`: has to exist, so that a mount that is missing is noticed.
    pub root: PathBuf,
    /// `atomic_write_dir`: where files are written before they get their names; on the same file
    /// system as `root`. If it is left out, `.scratch` inside `root`.
    pub atomic_write_dir: Option<PathBuf>,
}

/// `hdfs::namenode=..;root=..;`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hdfs {
    /// `namenode`: `hdfs://HOST:PORT`, or the name of a nameservice in Hadoop's configuration.
    pub namenode: String,
    /// `root`: the folder of this cluster, without slashes at its ends.
    pub root: String,
}

/// Whom to trust over HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// `ca_cert_file`: PEM with one or more root certificates.
    pub ca_cert_file: Option<PathBuf>,
    /// `ca_builtin_roots`: the machine's root certificates are trusted too.
    pub builtin_roots: bool,
}

impl Default for Trust {
    fn default() -> Self {
        Self { ca_cert_file: None, builtin_roots: true }
    }
}

/// Why a connection string can't be taken. Values are never repeated: one may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("object store string, character {at}: {what}")]
pub struct Malformed {
    /// The character where the trouble begins, counted from 1.
    pub at: usize,
    /// What is wrong there.
    pub what: String,
}

impl FromStr for Connection {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let Some((scheme, rest)) = text.split_once("::") else {
            return Err(malformed(text, 0, format!("no scheme; it begins with one of {}", schemes())));
        };
        let Some((_, keys)) = SCHEMES.iter().find(|(name, _)| *name == scheme) else {
            return Err(malformed(
                text,
                0,
                format!("scheme '{scheme}' is not known; there are {}", schemes()),
            ));
        };
        let pairs = Pairs::read(text, text.len() - rest.len(), scheme, keys)?;
        let connection = match scheme {
            "s3" => Self::S3(s3(&pairs)?),
            "azblob" => Self::Azure(azure(&pairs)?),
            "gcs" => Self::Gcs(gcs(&pairs)?),
            "fs" => Self::Fs(Fs {
                root: pairs.needed("root")?.into(),
                atomic_write_dir: pairs.take("atomic_write_dir").map(PathBuf::from),
            }),
            _ => Self::Hdfs(Hdfs { namenode: pairs.needed("namenode")?, root: pairs.root() }),
        };
        Ok(connection)
    }
}

/// The place without credentials, for logs and messages: `s3://bucket/root`.
impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3(S3 { bucket, root, .. }) => write!(f, "s3://{bucket}/{root}"),
            Self::Azure(Azure { account_name, container, root, .. }) => {
                write!(f, "azblob://{account_name}/{container}/{root}")
            }
            Self::Gcs(Gcs { bucket, root, .. }) => write!(f, "gcs://{bucket}/{root}"),
            Self::Fs(Fs { root, .. }) => write!(f, "directory {}", root.display()),
            Self::Hdfs(Hdfs { namenode, root }) => {
                write!(f, "hdfs://{}/{root}", namenode.trim_start_matches("hdfs://"))
            }
        }
    }
}

fn s3(pairs: &Pairs<'_>) -> Result<S3, Malformed> {
    let known = S3 {
        bucket: pairs.needed("bucket")?,
        root: pairs.root(),
        region: pairs.take("region"),
        endpoint: pairs.url("endpoint")?,
        access_key_id: pairs.take("access_key_id"),
        secret_access_key: pairs.secret("secret_access_key"),
        session_token: pairs.secret("session_token"),
        virtual_host_style: pairs.flag("enable_virtual_host_style", false)?,
        ignore_environment: pairs.flag("disable_config_load", false)?,
        anonymous: pairs.flag("allow_anonymous", false)?,
        trust: pairs.trust()?,
    };
    if known.access_key_id.is_some() != known.secret_access_key.is_some() {
        return Err(pairs.whole("access_key_id and secret_access_key come together or not at all"));
    }
    if known.session_token.is_some() && known.access_key_id.is_none() {
        return Err(pairs.whole("session_token needs access_key_id and secret_access_key"));
    }
    Ok(known)
}

fn azure(pairs: &Pairs<'_>) -> Result<Azure, Malformed> {
    let endpoint = pairs.url("endpoint")?;
    let host = endpoint.as_deref().and_then(|url| url.split_once("://")).map(|(_, host)| host);
    let in_host = host.and_then(|host| host.split_once(".blob.")).map(|(account, _)| account.to_owned());
    let Some(account_name) = pairs.take("account_name").or(in_host) else {
        return Err(pairs.whole("account_name is missing, and the endpoint does not tell it"));
    };
    let known = Azure {
        endpoint,
        container: pairs.needed("container")?,
        root: pairs.root(),
        account_name,
        account_key: pairs.secret("account_key"),
        sas_token: pairs.secret("sas_token"),
        trust: pairs.trust()?,
    };
    if known.account_key.is_some() && known.sas_token.is_some() {
        return Err(pairs.whole("account_key and sas_token exclude each other"));
    }
    Ok(known)
}

fn gcs(pairs: &Pairs<'_>) -> Result<Gcs, Malformed> {
    let known = Gcs {
        bucket: pairs.needed("bucket")?,
        root: pairs.root(),
        credential: pairs.secret("credential"),
        credential_path: pairs.take("credential_path").map(PathBuf::from),
        token: pairs.secret("token"),
        endpoint: pairs.url("endpoint")?,
        anonymous: pairs.flag("allow_anonymous", false)?,
        trust: pairs.trust()?,
    };
    let ways =
        [known.credential.is_some(), known.credential_path.is_some(), known.token.is_some(), known.anonymous];
    if ways.iter().filter(|given| **given).count() > 1 {
        return Err(pairs.whole("credential, credential_path, token and allow_anonymous exclude each other"));
    }
    Ok(known)
}

/// The pairs of one string, each taken once.
struct Pairs<'a> {
    text: &'a str,
    scheme: &'a str,
    /// Key, value, and the byte at which the key stands.
    found: Vec<(&'a str, &'a str, usize)>,
}

impl<'a> Pairs<'a> {
    fn read(text: &'a str, from: usize, scheme: &'a str, keys: &[&str]) -> Result<Self, Malformed> {
        let mut pairs = Self { text, scheme, found: Vec::new() };
        let mut at = from;
        for part in text[from..].split(';') {
            let begin = at + (part.len() - part.trim_start().len());
            at += part.len() + 1;
            if part.trim().is_empty() {
                continue;
            }
            let Some((key, value)) = part.split_once('=') else {
                // Not repeated: it may be the rest of a secret with a `;` in it.
                return Err(malformed(text, begin, "no '=' here; a value can't hold a ';'"));
            };
            let (key, value) = (key.trim(), value.trim());
            if !keys.contains(&key) {
                return Err(malformed(text, begin, unknown(key, scheme, keys)));
            }
            if value.is_empty() {
                return Err(malformed(text, begin, format!("'{key}' has no value")));
            }
            if pairs.found.iter().any(|(other, ..)| *other == key) {
                return Err(malformed(text, begin, format!("'{key}' is given twice")));
            }
            pairs.found.push((key, value, begin));
        }
        Ok(pairs)
    }

    fn get(&self, key: &str) -> Option<(&'a str, usize)> {
        self.found.iter().find(|(name, ..)| *name == key).map(|(_, value, at)| (*value, *at))
    }

    fn take(&self, key: &str) -> Option<String> {
        self.get(key).map(|(value, _)| value.to_owned())
    }

    fn secret(&self, key: &str) -> Option<Secret> {
        self.get(key).map(|(value, _)| Secret::from(value))
    }

    fn needed(&self, key: &str) -> Result<String, Malformed> {
        self.take(key).ok_or_else(|| self.whole(&format!("{} needs '{key}'", self.scheme)))
    }

    /// QuestDB writes `/` for the whole bucket.
    fn root(&self) -> String {
        self.take("root").unwrap_or_default().trim_matches('/').to_owned()
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, Malformed> {
        match self.get(key) {
            None => Ok(default),
            Some(("true", _)) => Ok(true),
            Some(("false", _)) => Ok(false),
            Some((_, at)) => Err(malformed(self.text, at, format!("'{key}' is true or false"))),
        }
    }

    fn url(&self, key: &str) -> Result<Option<String>, Malformed> {
        match self.get(key) {
            Some((value, at)) if !value.starts_with("https://") && !value.starts_with("http://") => {
                Err(malformed(self.text, at, format!("'{key}' begins with https:// or http://")))
            }
            found => Ok(found.map(|(value, _)| value.trim_end_matches('/').to_owned())),
        }
    }

    fn trust(&self) -> Result<Trust, Malformed> {
        let trust = Trust {
            ca_cert_file: self.take("ca_cert_file").map(PathBuf::from),
            builtin_roots: self.flag("ca_builtin_roots", true)?,
        };
        if self.get("ca_builtin_roots").is_some() && trust.ca_cert_file.is_none() {
            return Err(self.whole("ca_builtin_roots needs ca_cert_file"));
        }
        Ok(trust)
    }

    /// Trouble with the string as a whole.
    fn whole(&self, what: &str) -> Malformed {
        malformed(self.text, 0, what)
    }
}

fn malformed(text: &str, byte: usize, what: impl Into<String>) -> Malformed {
    let before = text.get(..byte).unwrap_or(text);
    Malformed { at: before.chars().count() + 1, what: what.into() }
}

fn schemes() -> String {
    SCHEMES.iter().map(|(name, _)| format!("{name}::")).collect::<Vec<_>>().join(", ")
}

/// A key is repeated only if it looks like one: it may be the rest of a secret with a `;` in it.
fn unknown(key: &str, scheme: &str, keys: &[&str]) -> String {
    if key.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
        format!("'{key}' is not a key of {scheme}; the nearest is '{}'", nearest(key, keys))
    } else {
        format!("what stands here is not a key of {scheme}; there are {}", keys.join(", "))
    }
}

fn nearest<'k>(key: &str, keys: &[&'k str]) -> &'k str {
    keys.iter().copied().min_by_key(|known| strsim::levenshtein(key, known)).unwrap_or_default()
}

const SCHEMES: &[(&str, &[&str])] = &[
    (
        "s3",
        &[
            "bucket",
            "root",
            "region",
            "endpoint",
            "access_key_id",
            "secret_access_key",
            "session_token",
            "enable_virtual_host_style",
            "disable_config_load",
            "allow_anonymous",
            "ca_cert_file",
            "ca_builtin_roots",
        ],
    ),
    (
        "azblob",
        &[
            "endpoint",
            "container",
            "root",
            "account_name",
            "account_key",
            "sas_token",
            "ca_cert_file",
            "ca_builtin_roots",
        ],
    ),
    (
        "gcs",
        &[
            "bucket",
            "root",
            "credential",
            "credential_path",
            "token",
            "endpoint",
            "allow_anonymous",
            "ca_cert_file",
            "ca_builtin_roots",
        ],
    ),
    ("fs", &["root", "atomic_write_dir"]),
    ("hdfs", &["namenode", "root"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Connection {
        text.parse().expect("a connection string")
    }

    fn wrong(text: &str) -> String {
        text.parse::<Connection>().expect_err("not a connection string").to_string()
    }

    #[test]
    fn questdbs_own_examples_are_taken() {
        let text = "s3::bucket=b;root=node-1;region=eu-west-1;access_key_id=AK;secret_access_key=SK;";
        let Connection::S3(s3) = parsed(text) else { panic!("s3") };
        assert_eq!(
            (s3.bucket.as_str(), s3.root.as_str(), s3.region.as_deref()),
            ("b", "node-1", Some("eu-west-1"))
        );
        assert_eq!(s3.secret_access_key.as_ref().map(Secret::reveal), Some("SK"));

        let text = "azblob::endpoint=https://acc.blob.core.windows.net;container=c;root=r;account_name=acc;account_key=a2V5;";
        let Connection::Azure(azure) = parsed(text) else { panic!("azblob") };
        assert_eq!((azure.container.as_str(), azure.account_name.as_str()), ("c", "acc"));

        let Connection::Gcs(gcs) = parsed("gcs::bucket=b;root=/;credential=e30=;") else { panic!("gcs") };
        assert_eq!((gcs.root.as_str(), gcs.credential.as_ref().map(Secret::reveal)), ("", Some("e30=")));

        let text = "fs::root=/mnt/nfs_replication/final;atomic_write_dir=/mnt/nfs_replication/scratch;";
        let Connection::Fs(fs) = parsed(text) else { panic!("fs") };
        assert_eq!(fs.atomic_write_dir, Some("/mnt/nfs_replication/scratch".into()));

        let text =
            "s3::bucket=b;root=r;region=x;endpoint=https://minio.internal;ca_cert_file=/etc/ssl/ca.pem;";
        let Connection::S3(s3) = parsed(text) else { panic!("s3") };
        assert_eq!(s3.trust, Trust { ca_cert_file: Some("/etc/ssl/ca.pem".into()), builtin_roots: true });

        let Connection::Hdfs(hdfs) = parsed("hdfs::namenode=hdfs://nn:8020;root=/a/b/") else {
            panic!("hdfs")
        };
        assert_eq!((hdfs.namenode.as_str(), hdfs.root.as_str()), ("hdfs://nn:8020", "a/b"));
    }

    #[test]
    fn credentials_may_be_left_out() {
        let Connection::S3(s3) = parsed("s3::bucket=b;root=r;region=eu-west-1") else { panic!("s3") };
        assert_eq!((s3.access_key_id, s3.secret_access_key), (None, None));
        let text = "azblob::endpoint=https://acc.blob.core.windows.net;container=c;";
        let Connection::Azure(azure) = parsed(text) else { panic!("azblob") };
        assert_eq!((azure.account_name.as_str(), azure.account_key), ("acc", None));
        let Connection::Gcs(gcs) = parsed("gcs::bucket=b;root=/;") else { panic!("gcs") };
        assert_eq!((gcs.credential, gcs.token), (None, None));
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_and_its_place() {
        let text = "s3::bucket=b;acces_key_id=AKIA;secret_access_key=hidden;";
        let message = wrong(text);
        assert_eq!(
            message,
            "object store string, character 14: 'acces_key_id' is not a key of s3; the nearest is 'access_key_id'"
        );
        assert!(wrong("fs::root=/a;ca_cert_file=/b;").contains("'ca_cert_file' is not a key of fs"));
        assert!(wrong("gcs::bucket=ü;tokn=x;").starts_with("object store string, character 15: 'tokn'"));
    }

    #[test]
    fn what_is_missing_doubled_or_contrary_is_said() {
        for (text, said) in [
            ("bucket=b", "no scheme"),
            ("s4::bucket=b;", "scheme 's4' is not known; there are s3::"),
            ("s3::root=r;", "s3 needs 'bucket'"),
            ("s3::bucket=b;bucket=c;", "'bucket' is given twice"),
            ("s3::bucket=;", "'bucket' has no value"),
            ("s3::bucket=b;access_key_id=a;", "come together"),
            ("s3::bucket=b;session_token=a;", "session_token needs"),
            ("s3::bucket=b;endpoint=minio:9000;", "begins with https://"),
            ("s3::bucket=b;enable_virtual_host_style=yes;", "is true or false"),
            ("s3::bucket=b;ca_builtin_roots=false;", "ca_builtin_roots needs ca_cert_file"),
            ("azblob::container=c;", "account_name is missing"),
            ("azblob::container=c;account_name=a;account_key=k;sas_token=t;", "exclude each other"),
            ("gcs::bucket=b;token=t;credential=c;", "exclude each other"),
            ("fs::atomic_write_dir=/a;", "fs needs 'root'"),
            ("hdfs::root=/a;", "hdfs needs 'namenode'"),
        ] {
            let message = wrong(text);
            assert!(message.contains(said), "{text}: {message}");
        }
    }

    #[test]
    fn no_secret_is_ever_printed() {
        for text in [
            "s3::bucket=b;access_key_id=id;secret_access_key=HUSH;session_token=HUSH;",
            "azblob::container=c;account_name=a;account_key=HUSH;",
            "azblob::container=c;account_name=a;sas_token=sig=HUSH;",
            "gcs::bucket=b;token=HUSH;",
            "gcs::bucket=b;credential=HUSH;",
        ] {
            let connection = parsed(text);
            let shown = format!("{connection} {connection:?} {connection:#?}");
            assert!(!shown.contains("HUSH") && shown.contains("***"), "{shown}");
        }
        // A secret with a `;` in it is cut there; what follows has no `=`.
        assert!(!wrong("s3::bucket=b;access_key_id=i;secret_access_key=a;HUSH").contains("HUSH"));
        assert!(!wrong("s3::bucket=b;access_key_id=i;secret_access_key=a;HUSH=").contains("HUSH"));
    }
}
