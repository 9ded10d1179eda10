//! The least that a node or a page has to be allowed in a bucket.

use super::pretty;
use crate::native::outcome::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

/// The least that a node or a page must be allowed in a bucket
///
/// Nothing in the log can be removed or overwritten with it: the only objects that are removed are those that a probe
/// put. On S3, ListBucket is for answers alone: without it a missing object is answered 403 rather than 404, and a
/// reader asks for objects that are not there yet all the time.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy generate iam --store s3 --role ship --bucket backups --root questdb > policy.json
    aws iam put-role-policy --role-name ROLE --policy-name understudy --policy-document file://policy.json
  understudy generate iam --store s3 --role page --bucket backups > policy.json     anyone may read
    aws s3api put-bucket-policy --bucket backups --policy file://policy.json
  understudy generate iam --store gcs --role replica --bucket backups | MEMBER=serviceAccount:a@b sh
  understudy generate iam --store azblob --role ship > role.json
    az role definition create --role-definition role.json")]
pub(super) struct Iam {
    /// Whose form it takes
    #[arg(long)]
    store: IamStore,
    /// Bucket; an upper-case word to replace unless given
    #[arg(long, value_name = "BUCKET", default_value = "BUCKET", value_parser = plain)]
    bucket: String,
    /// The cluster's folder in the bucket
    #[arg(long, value_name = "ROOT", default_value = "", value_parser = plain)]
    root: String,
    /// Who is allowed
    #[arg(long)]
    role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum IamStore {
    /// A policy for IAM; for the page one for the bucket
    S3,
    /// Commands of `gcloud`, for a bucket with uniform access
    Gcs,
    /// A role for `az role definition create`
    Azblob,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// What writes the log: `understudy ship`
    Ship,
    /// What follows it: `understudy replica`
    Replica,
    /// Who reads: the page, `understudy status`
    Page,
}

pub(super) fn document(args: &Iam) -> Result<String> {
    match args.store {
        IamStore::S3 => pretty(&s3(args)),
        IamStore::Gcs => Ok(gcs(args)),
        IamStore::Azblob => pretty(&azblob(args)),
    }
}

fn s3(args: &Iam) -> Value {
    let arn = |below: &str| format!("arn:aws:s3:::{}/{}{below}", args.bucket, folder(args));
    let statement = |sid: &str, action: Value, resource: Value| {
        let mut statement = json!({ "Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource });
        if args.role == Role::Page {
            statement["Principal"] = "*".into();
        }
        statement
    };
    let mut statements = vec![
        statement("Read", json!("s3:GetObject"), json!(arn("*"))),
        statement("MissingIs404", json!("s3:ListBucket"), json!(format!("arn:aws:s3:::{}", args.bucket))),
    ];
    let kept: Vec<String> = written(args.role).iter().map(|folder| arn(folder)).collect();
    if !kept.is_empty() {
        let mut put = statement("PutWhatIsNotThere", json!("s3:PutObject"), json!(kept));
        put["Condition"] = json!({ "Null": { "s3:if-none-match": "false" } });
        statements.push(put);
        statements.push(statement(
            "Probe",
            json!(["s3:PutObject", "s3:DeleteObject"]),
            json!(arn("probe/*")),
        ));
    }
    if args.role == Role::Ship {
        statements.push(statement("Hint", json!("s3:PutObject"), json!(arn("head.json"))));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn gcs(args: &Iam) -> String {
    let mut text = String::from(
        "# MEMBER is who is allowed, e.g. serviceAccount:NAME@PROJECT.iam.gserviceaccount.com; for a page, allUsers.\n",
    );
    let mut bind = |role: &str, folders: &[&str]| {
        let prefix = format!("projects/_/buckets/{}/objects/{}", args.bucket, folder(args));
        let one =
            |below: &&str| format!("resource.name.startsWith(\"{prefix}{}\")", below.trim_end_matches('*'));
        let expression = folders.iter().map(one).collect::<Vec<_>>().join(" || ");
        text.push_str(&format!(
            "gcloud storage buckets add-iam-policy-binding 'gs://{}' --member=\"${{MEMBER:?}}\" --role={role} \\\n  \
             --condition='title=understudy,expression={expression}'\n",
            args.bucket
        ));
    };
    bind("roles/storage.objectViewer", &["*"]);
    let folders = written(args.role);
    if !folders.is_empty() {
        // Creates objects, and neither overwrites nor removes any.
        bind("roles/storage.objectCreator", folders);
        let changed: &[&str] = if args.role == Role::Ship { &["probe/*", "head.json"] } else { &["probe/*"] };
        bind("roles/storage.objectUser", changed);
    }
    text
}

fn azblob(args: &Iam) -> Value {
    const BLOBS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs";
    let mut actions = vec![format!("{BLOBS}/read")];
    if args.role != Role::Page {
        // A role can't tell folders apart: a probe's two small objects stay, since nothing may be removed.
        actions.extend([format!("{BLOBS}/write"), format!("{BLOBS}/add/action")]);
    }
    let name = match args.role {
        Role::Ship => "Understudy ship",
        Role::Replica => "Understudy replica",
        Role::Page => "Understudy reader",
    };
    json!({
        "Name": name, "IsCustom": true,
        "Description": "The least that this needs in the container",
        "Actions": [], "NotActions": [], "DataActions": actions, "NotDataActions": [],
        "AssignableScopes": ["/subscriptions/SUBSCRIPTION/resourceGroups/GROUP"],
    })
}

/// Folders in which a role puts objects where there are none.
fn written(role: Role) -> &'static [&'static str] {
    match role {
        Role::Ship => {
            &["cluster.json", "log/*", "blob/*", "snapshots/*", "index/*", "nodes/*", "divergent/*"]
        }
        Role::Replica => &["nodes/*"],
        Role::Page => &[],
    }
}

/// The root with a slash at its end, or nothing.
fn folder(args: &Iam) -> String {
    let root = args.root.trim_matches('/');
    if root.is_empty() { String::new() } else { format!("{root}/") }
}

/// What stands in a document as it is: nothing with a meaning of its own there.
fn plain(text: &str) -> std::result::Result<String, String> {
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.=/".contains(c)) {
        Ok(text.to_owned())
    } else {
        Err("only letters, digits and - _ . = / here".into())
    }
}
