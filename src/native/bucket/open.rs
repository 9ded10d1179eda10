//! A connection string becomes a client.

use super::connection::{Azure, Connection, Gcs, Hdfs, S3, Trust};
use super::fs::Directory;
use super::limits::RequestLimits;
use super::remote::Remote;
use super::store::{Bucket, Store};
use super::watch::Watching;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};
use std::time::Duration;
use thiserror::Error;

/// Why a connection string that is well formed can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}: {why}")]
pub struct OpenError {
    /// Which bucket, without credentials.
    pub place: String,
    /// What is wrong; never a secret.
    pub why: String,
}

/// Makes a client for a bucket. Nothing is sent yet: [`probe`](super::probe()) does that.
///
/// # Errors
///
/// An [`OpenError`] for what can be seen without asking the store: a certificate or key that can't be
/// read, a directory that is not there, HDFS in a build without it.
pub fn open(connection: &Connection, limits: RequestLimits) -> Result<Bucket, OpenError> {
    let failed = |why: String| OpenError { place: connection.to_string(), why };
    let store = store(connection, &limits).map_err(failed)?;
    Ok(Bucket::new(connection.to_string(), store, limits))
}

fn store(connection: &Connection, limits: &RequestLimits) -> Result<Box<dyn Store>, String> {
    let (store, root, watched): (Box<dyn ObjectStore>, _, _) = match connection {
        Connection::S3(s3) => (self::s3(s3, limits)?, &s3.root, true),
        Connection::Azure(azure) => (self::azure(azure, limits)?, &azure.root, true),
        Connection::Gcs(gcs) => (self::gcs(gcs, limits)?, &gcs.root, true),
        Connection::Fs(fs) => return Ok(Box::new(Directory::open(fs)?)),
        Connection::Hdfs(hdfs) => (self::hdfs(hdfs)?, &hdfs.root, false),
    };
    let root = Path::parse(root).map_err(|error| format!("root: {error}"))?;
    Ok(Box::new(Remote::new(store, root, watched)))
}

fn s3(s3: &S3, limits: &RequestLimits) -> Result<Box<dyn ObjectStore>, String> {
    let own_keys = s3.access_key_id.is_some() || s3.anonymous || s3.ignore_environment;
    let mut builder = if own_keys { AmazonS3Builder::new() } else { AmazonS3Builder::from_env() }
        .with_bucket_name(&s3.bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_disable_bulk_delete(true)
        .with_virtual_hosted_style_request(s3.virtual_host_style)
        .with_skip_signature(s3.anonymous)
        .with_retry(no_retry(limits))
        .with_http_connector(Watching::default())
        .with_client_options(client(&s3.trust, s3.endpoint.as_deref(), limits)?);
    if let Some(region) = &s3.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &s3.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let (Some(id), Some(secret)) = (&s3.access_key_id, &s3.secret_access_key) {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret.reveal());
    }
    if let Some(token) = &s3.session_token {
        builder = builder.with_token(token.reveal());
    }
    Ok(Box::new(builder.build().map_err(|error| error.to_string())?))
}

fn azure(azure: &Azure, limits: &RequestLimits) -> Result<Box<dyn ObjectStore>, String> {
    let own_keys = azure.account_key.is_some() || azure.sas_token.is_some();
    let mut builder = if own_keys { MicrosoftAzureBuilder::new() } else { MicrosoftAzureBuilder::from_env() }
        .with_account(&azure.account_name)
        .with_container_name(&azure.container)
        .with_use_emulator(false)
        .with_retry(no_retry(limits))
        .with_http_connector(Watching::default())
        .with_client_options(client(&azure.trust, azure.endpoint.as_deref(), limits)?);
    if let Some(endpoint) = &azure.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    if let Some(key) = &azure.account_key {
        // The library's own message would repeat the key.
        STANDARD.decode(key.reveal()).map_err(|_base64| "account_key is not base64".to_owned())?;
        builder = builder.with_access_key(key.reveal());
    }
    if let Some(token) = &azure.sas_token {
        builder = builder.with_config(AzureConfigKey::SasKey, token.reveal().trim_start_matches('?'));
    }
    Ok(Box::new(builder.build().map_err(|error| error.to_string())?))
}

fn gcs(gcs: &Gcs, limits: &RequestLimits) -> Result<Box<dyn ObjectStore>, String> {
    let own_keys = gcs.credential.is_some() || gcs.credential_path.is_some();
    let asked = !(own_keys || gcs.token.is_some() || gcs.anonymous);
    let mut builder =
        if asked { GoogleCloudStorageBuilder::from_env() } else { GoogleCloudStorageBuilder::new() }
            .with_bucket_name(&gcs.bucket)
            .with_skip_signature(gcs.anonymous)
            .with_retry(no_retry(limits))
            .with_http_connector(Watching::default())
            .with_client_options(client(&gcs.trust, gcs.endpoint.as_deref(), limits)?);
    if let Some(endpoint) = &gcs.endpoint {
        builder = builder.with_base_url(endpoint);
    }
    if let Some(credential) = &gcs.credential {
        builder = builder.with_service_account_key(json_of(credential.reveal())?);
    }
    if let Some(path) = &gcs.credential_path {
        // Read here: the library's own message leaves out which file.
        let json = std::fs::read_to_string(path)
            .map_err(|error| format!("credential_path {}: {error}", path.display()))?;
        builder = builder.with_service_account_key(json);
    }
    if let Some(token) = &gcs.token {
        builder = builder.with_bearer_token(token.reveal());
    }
    let built = builder.build().map_err(|error| {
        // A key that does not parse must not be told.
        if own_keys { "the service account's key can't be used".into() } else { error.to_string() }
    })?;
    Ok(Box::new(built))
}

fn json_of(base64: &str) -> Result<String, String> {
    // As `base64` writes it, in lines.
    let letters: String = base64.split_whitespace().collect();
    let bytes = STANDARD.decode(letters).map_err(|_base64| "credential is not base64".to_owned())?;
    String::from_utf8(bytes).map_err(|_text| "credential holds no JSON".to_owned())
}

#[cfg(feature = "hdfs")]
fn hdfs(hdfs: &Hdfs) -> Result<Box<dyn ObjectStore>, String> {
    let url = match hdfs.namenode.split_once("://") {
        Some(_) => hdfs.namenode.clone(),
        None => format!("hdfs://{}", hdfs.namenode),
    };
    let store = hdfs_native_object_store::HdfsObjectStoreBuilder::new().with_url(url).build();
    Ok(Box::new(store.map_err(|error| error.to_string())?))
}

#[cfg(not(feature = "hdfs"))]
fn hdfs(_: &Hdfs) -> Result<Box<dyn ObjectStore>, String> {
    Err("this build has no HDFS; build it with `--features hdfs`".into())
}

/// Every try is ours: the library's own would hide what came before an answer.
fn no_retry(limits: &RequestLimits) -> RetryConfig {
    RetryConfig { backoff: BackoffConfig::default(), max_retries: 0, retry_timeout: limits.base_timeout }
}

fn client(trust: &Trust, endpoint: Option<&str>, limits: &RequestLimits) -> Result<ClientOptions, String> {
    // An error means that somebody else chose a provider before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options = ClientOptions::new()
        // A bucket times its requests itself, by their sizes.
        .with_timeout_disabled()
        .with_connect_timeout(limits.base_timeout.min(CONNECT_MAX))
        .with_allow_http(endpoint.is_some_and(|url| url.starts_with("http://")));
    if let Some(file) = &trust.ca_cert_file {
        let told = |error: String| format!("ca_cert_file {}: {error}", file.display());
        let pem = std::fs::read(file).map_err(|error| told(error.to_string()))?;
        let roots = Certificate::from_pem_bundle(&pem).map_err(|error| told(error.to_string()))?;
        if roots.is_empty() {
            return Err(told("there is no certificate in it".into()));
        }
        options = roots.into_iter().fold(options, ClientOptions::with_root_certificate);
        options = options.with_no_system_certificates(!trust.builtin_roots);
    }
    Ok(options)
}

const CONNECT_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(text: &str) -> Result<Bucket, OpenError> {
        open(&text.parse().expect("well formed"), RequestLimits::default())
    }

    #[test]
    fn what_can_be_opened_is() {
        for text in [
            "s3::bucket=b;root=a/b;region=eu-west-1;access_key_id=i;secret_access_key=s;",
            "s3::bucket=b;region=eu-west-1;disable_config_load=true;",
            "s3::bucket=b;region=x;endpoint=http://127.0.0.1:1;allow_anonymous=true;",
            "azblob::container=c;account_name=a;account_key=a2V5;",
            "azblob::container=c;account_name=a;sas_token=?sv=1&sig=x;",
            "gcs::bucket=b;token=t;",
            "gcs::bucket=b;allow_anonymous=true;",
        ] {
            let bucket = opened(text).expect(text);
            assert!(!bucket.place().contains("secret"), "{bucket:?}");
        }
    }

    #[test]
    fn what_can_not_be_opened_says_why_and_no_secret() {
        for (text, said) in [
            ("azblob::container=c;account_name=a;account_key=HUSH!;", "account_key is not base64"),
            ("gcs::bucket=b;credential=HUSH!;", "credential is not base64"),
            ("gcs::bucket=b;credential=SFVTSA==;", "the service account's key can't be used"),
            ("gcs::bucket=b;credential_path=/does/not/exist;", "credential_path /does/not/exist"),
            (
                "s3::bucket=b;ca_cert_file=/does/not/exist;access_key_id=i;secret_access_key=HUSH;",
                "ca_cert_file",
            ),
            ("fs::root=/does/not/exist;", "make it first"),
        ] {
            let error = opened(text).expect_err(text);
            assert!(error.why.contains(said) && !error.to_string().contains("HUSH"), "{error}");
        }
    }
}
