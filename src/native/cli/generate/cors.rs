//! What a bucket has to be told so that pages of another origin may read it.

use super::pretty;
use crate::native::outcome::Result;
use clap::{Args, ValueEnum};
use serde_json::json;

/// What lets pages of another origin read a bucket
///
/// The page reads with GET and HEAD. Reading has to be allowed as well: `understudy generate iam --role page`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy generate cors --store s3 > cors.json
    aws s3api put-bucket-cors --bucket BUCKET --cors-configuration file://cors.json
  understudy generate cors --store gcs > cors.json
    gcloud storage buckets update gs://BUCKET --cors-file=cors.json
  understudy generate cors --store azblob --origin https://example.org | sh
  understudy generate cors --store nginx > /etc/nginx/snippets/understudy.conf")]
pub(super) struct Cors {
    /// Whose form it takes
    #[arg(long)]
    store: CorsStore,
    /// Origin of the page, may be repeated
    #[arg(long, value_name = "ORIGIN", default_value = "*", value_parser = origin)]
    origin: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CorsStore {
    /// JSON for `aws s3api put-bucket-cors`, and for what speaks S3's protocol
    S3,
    /// An `az` command
    Azblob,
    /// JSON for `gcloud storage buckets update --cors-file`
    Gcs,
    /// Lines for a `location`
    Nginx,
}

pub(super) fn document(args: &Cors) -> Result<String> {
    let origins = &args.origin;
    match args.store {
        CorsStore::S3 => pretty(&json!({ "CORSRules": [{
            "AllowedOrigins": origins, "AllowedMethods": METHODS, "AllowedHeaders": SENT,
            "ExposeHeaders": READ, "MaxAgeSeconds": AGE,
        }] })),
        CorsStore::Gcs => pretty(&json!([{
            "origin": origins, "method": METHODS, "maxAgeSeconds": AGE,
            // Google has one list for what is sent and what is read.
            "responseHeader": SENT.iter().chain(READ).collect::<Vec<_>>(),
        }])),
        CorsStore::Azblob => {
            let quoted: Vec<String> = origins.iter().map(|origin| format!("'{origin}'")).collect();
            Ok(format!(
                "# ACCOUNT is the storage account.\naz storage cors add --account-name \"${{ACCOUNT:?}}\" --services b \
                 --methods {} OPTIONS --origins {} --allowed-headers '{}' --exposed-headers '{}' --max-age {AGE}\n",
                METHODS.join(" "),
                quoted.join(" "),
                SENT.join(","),
                READ.join(",")
            ))
        }
        CorsStore::Nginx => Ok(nginx(origins)),
    }
}

fn nginx(origins: &[String]) -> String {
    let (sent, read, methods) = (SENT.join(", "), READ.join(", "), METHODS.join(", "));
    let origin = if origins.iter().any(|origin| origin == "*") {
        "set $understudy_origin '*';\n".to_owned()
    } else {
        let one = |origin: &String| {
            format!("if ($http_origin = '{origin}') {{ set $understudy_origin $http_origin; }}\n")
        };
        format!(
            "set $understudy_origin '';\n{}add_header Vary Origin always;\n",
            origins.iter().map(one).collect::<String>()
        )
    };
    format!(
        "# Inside the `location` of the bucket's folder.\n{origin}\
         add_header Access-Control-Allow-Origin $understudy_origin always;\n\
         add_header Access-Control-Expose-Headers '{read}' always;\n\
         # What is not there yet may be there in a moment.\n\
         add_header Cache-Control no-cache always;\n\
         if ($request_method = OPTIONS) {{\n  \
           add_header Access-Control-Allow-Origin $understudy_origin;\n  \
           add_header Access-Control-Allow-Methods '{methods}';\n  \
           add_header Access-Control-Allow-Headers '{sent}';\n  \
           add_header Access-Control-Max-Age {AGE};\n  \
           return 204;\n}}\n"
    )
}

/// `*`, or a scheme and a host: nothing that would end a quotation.
fn origin(text: &str) -> std::result::Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |host: &str| {
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c))
    };
    if text == "*" || host.is_some_and(plain) {
        Ok(text.to_owned())
    } else {
        Err("an origin is * or like https://example.org, without a path".into())
    }
}

const METHODS: &[&str] = &["GET", "HEAD"];
/// What the page sends.
const SENT: &[&str] = &["Range", "If-Match"];
/// What it reads of an answer.
const READ: &[&str] = &["ETag", "Content-Range", "Accept-Ranges", "Content-Length"];
/// For how long a browser remembers, in seconds.
const AGE: u32 = 3600;
