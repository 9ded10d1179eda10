//! `understudy serve`

use super::args::Serve;
use super::out::Out;
use crate::native::outcome::{Exit, Failure, Result};
use crate::native::serve::{Options, Server};
use serde_json::json;
use std::process::{Command, Stdio};

pub(super) fn run(out: &Out, args: Serve) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("can't start: {error}")))?;
    let done = runtime.block_on(serve(out, args));
    // A slow disk must not hold up the end of the program.
    runtime.shutdown_background();
    done
}

async fn serve(out: &Out, args: Serve) -> Result<Exit> {
    let open = args.open;
    let local = args.bind.ip().is_loopback();
    let options =
        Options { dir: args.dir, bind: args.bind, page: args.page, allow_origins: args.allow_origin };
    let server = Server::bind(&options).await?;
    let stop = stop_signal()?;
    if !local && server.db_url.is_some() {
        let what = if server.is_bucket { "bucket" } else { "database" };
        out.warn(format!("whoever can reach {} can read this {what}", options.bind));
    }
    if !server.has_page {
        out.warn("this program was built without the page; only the database's files are served (`make run` serves both)");
    }
    let (db, bucket) =
        if server.is_bucket { (None, server.db_url.as_ref()) } else { (server.db_url.as_ref(), None) };
    out.json(&json!({ "url": server.url, "db": db, "bucket": bucket, "page": server.has_page }))?;
    out.text(format!("{}\n", server.url))?;
    out.note("Ctrl-C stops");
    if open {
        open_browser(out, &server.url);
    }
    server.run(stop).await?;
    Ok(Exit::Ok)
}

/// Ready when the user or the system asks this process to end.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static> {
    let failed = |error| Failure::failed(format!("can't listen for signals: {error}"));
    #[cfg(unix)]
    let (mut interrupt, mut terminate) = {
        use tokio::signal::unix::{SignalKind, signal};
        (signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?)
    };
    #[cfg(windows)]
    let (mut interrupt, mut terminate) = {
        use tokio::signal::windows::{ctrl_c, ctrl_close};
        (ctrl_c().map_err(failed)?, ctrl_close().map_err(failed)?)
    };
    Ok(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    })
}

fn open_browser(out: &Out, url: &str) {
    let (program, arguments): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    let silent = || Stdio::null();
    let started = Command::new(program)
        .args(arguments)
        .arg(url)
        .stdin(silent())
        .stdout(silent())
        .stderr(silent())
        .spawn();
    if let Err(error) = started {
        out.warn(format!("can't open a browser ({program}: {error}); open the URL by hand"));
    }
}
