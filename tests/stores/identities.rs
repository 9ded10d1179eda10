//! Credentials that are left out of the connection string come from the surroundings: a role, a managed
//! identity, a service account. A stand-in plays the clouds' services for them, and the store.
//!
//! They are found by variables of the environment, so each try is a process of its own: this test
//! program once more, which runs [`child`].

use super::http::{Request, answer, serve};
use super::{open_with, run};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use understudy::native::bucket::RequestLimits;

/// Names the connection string to the child.
const CHILD: &str = "UNDERSTUDY_TEST_IDENTITY";

#[test]
fn child() {
    let Ok(connection) = std::env::var(CHILD) else { return };
    let limits = RequestLimits {
        base_timeout: Duration::from_secs(60),
        retry_attempts: 1,
        retry_interval: Duration::from_millis(1),
        ..RequestLimits::default()
    };
    let bucket = open_with(&connection, limits);
    println!("answer: {:?}", run("child", bucket.put_if_absent("a", "x".into())));
}

#[test]
fn an_instance_with_a_role_signs_with_its_keys() {
    let cloud = Cloud::start();
    let metadata = ("AWS_METADATA_ENDPOINT", cloud.url(""));
    let answer = put(&cloud.s3(), &[metadata]);
    assert!(answer.contains("answer: Stored"), "{answer}");
    cloud.saw("Credential=ROLEKEY/", "role-token");
}

#[test]
fn a_container_with_a_role_signs_with_its_keys() {
    let cloud = Cloud::start();
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("token");
    std::fs::write(&file, "a token of the pod").expect("a file");
    let full = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", cloud.url("/container"));
    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.display().to_string());
    let answer = put(&cloud.s3(), &[full, token]);
    assert!(answer.contains("answer: Stored"), "{answer}");
    cloud.saw("Credential=ROLEKEY/", "role-token");
}

#[test]
fn a_managed_identity_sends_its_token() {
    let cloud = Cloud::start();
    let connection = format!("azblob::endpoint={};container=c;account_name=acc;", cloud.url("/acc"));
    let identity = ("IDENTITY_ENDPOINT", cloud.url("/msi"));
    let answer = put(&connection, &[identity, ("IDENTITY_HEADER", "x".into())]);
    assert!(answer.contains("answer: Stored"), "{answer}");
    cloud.saw("Bearer azure-token", "");
}

#[test]
fn a_service_account_of_the_instance_sends_its_token() {
    let cloud = Cloud::start();
    let connection = format!("gcs::bucket=b;root=/;endpoint={};", cloud.url(""));
    let answer = put(&connection, &[("GCE_METADATA_HOST", cloud.0.to_string())]);
    assert!(answer.contains("answer: Stored"), "{answer}");
    cloud.saw("Bearer google-token", "");
}

/// Nothing reached the store, so nothing can land.
#[test]
fn without_a_role_nothing_is_sent() {
    let cloud = Cloud::start();
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let answer = put(&cloud.s3(), &[("AWS_METADATA_ENDPOINT", format!("http://{closed}"))]);
    let said = ["answer: Unsettled", "nothing was sent, no credentials could be had", "may_land: false"];
    assert!(said.iter().all(|said| answer.contains(said)), "{answer}");
    assert!(cloud.1.lock().expect("not poisoned").is_empty(), "a request came all the same");
}

/// What a child of this process is answered, with these variables and none of the machine's own.
fn put(connection: &str, variables: &[(&str, String)]) -> String {
    let home = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "identities::child", "--nocapture"])
        .env(CHILD, connection)
        .env("HOME", home.path());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["AWS_", "AZURE_", "GOOGLE_", "GCE_", "IDENTITY_", "MSI_"].iter().any(|of| name.starts_with(of)) {
            command.env_remove(&*name);
        }
    }
    let done = command.envs(variables.iter().cloned()).output().expect("a child");
    String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr)
}

/// The address, and of each request to the store `authorization` and the session's token.
struct Cloud(SocketAddr, Arc<Mutex<Vec<(String, String)>>>);

impl Cloud {
    fn start() -> Self {
        let seen: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let to = Arc::clone(&seen);
        let address = serve(move |stream| {
            let Some(request) = Request::read(&stream)? else { return Ok(()) };
            let path = request.path().split('?').next().unwrap_or_default();
            let body = match path {
                "/latest/api/token" => "a token of the instance",
                "/latest/meta-data/iam/security-credentials/" => "role",
                "/latest/meta-data/iam/security-credentials/role" | "/container" => AWS_KEYS,
                "/msi" => r#"{"access_token": "azure-token", "expires_on": "4102444800"}"#,
                "/computeMetadata/v1/instance/service-accounts/default/token" => {
                    r#"{"access_token": "google-token", "expires_in": 3600, "token_type": "Bearer"}"#
                }
                _ => {
                    let header = |name| request.header(name).unwrap_or_default().to_owned();
                    let request = (header("authorization"), header("x-amz-security-token"));
                    to.lock().expect("not poisoned").push(request);
                    return answer(&stream, 200, "etag: \"1\"\r\n", b"");
                }
            };
            answer(&stream, 200, "content-type: application/json\r\n", body.as_bytes())
        });
        Self(address, seen)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.0)
    }

    fn s3(&self) -> String {
        format!("s3::bucket=b;region=eu-west-1;endpoint={};", self.url(""))
    }

    /// One request came, with these.
    fn saw(&self, authorization: &str, token: &str) {
        let seen = self.1.lock().expect("not poisoned");
        let [(first, second)] = seen.as_slice() else { panic!("{seen:?}") };
        assert!(first.contains(authorization) && second == token, "{seen:?}");
    }
}

const AWS_KEYS: &str = r#"{"AccessKeyId": "ROLEKEY", "SecretAccessKey": "x", "Token": "role-token",
    "Expiration": "2100-01-01T00:00:00Z", "Code": "Success"}"#;
