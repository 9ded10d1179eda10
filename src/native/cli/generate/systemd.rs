//! Units for systemd. `deploy/` holds the same ones.

use clap::{Args, ValueEnum};

/// A unit for systemd, hardened
///
/// The unit says in its head what it needs beside itself. DIR is QuestDB's directory for `ship`, the replica's own for
/// `replica`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  understudy generate systemd ship > /etc/systemd/system/understudy-ship.service
  understudy generate systemd replica --dir /srv/replica --user replica")]
pub(super) struct Systemd {
    /// What the unit starts
    node: Node,
    /// Directory with `db` and `conf`; /var/lib/questdb for `ship`, /var/lib/understudy for `replica` unless given
    #[arg(long, value_name = "DIR", value_parser = word)]
    dir: Option<String>,
    /// User that it runs as; `questdb` for `ship`, `understudy` for `replica` unless given
    #[arg(long, value_name = "USER", value_parser = word)]
    user: Option<String>,
    /// Where this program is
    #[arg(long, value_name = "PATH", default_value = "/usr/bin/understudy", value_parser = word)]
    program: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Node {
    /// Sends the log of the QuestDB on this machine into a bucket
    Ship,
    /// Follows a bucket
    Replica,
}

pub(super) fn unit(args: &Systemd) -> String {
    let (template, dir, user) = match args.node {
        Node::Ship => (SHIP, "/var/lib/questdb", "questdb"),
        Node::Replica => (REPLICA, "/var/lib/understudy", "understudy"),
    };
    template
        .replace("{hardening}", HARDENING.trim_end())
        .replace("{dir}", args.dir.as_deref().unwrap_or(dir))
        .replace("{user}", args.user.as_deref().unwrap_or(user))
        .replace("{program}", &args.program)
}

/// What stands in a unit as it is: nothing that systemd would read in another way.
fn word(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("only letters, digits and / - _ . @ here; edit the unit for others".into())
    }
}

const SHIP: &str = "\
# Sends the log of the QuestDB on this machine into a bucket.
#
# /etc/understudy/ship.env names the bucket; it is read by systemd, so that only root has to be able to read it:
#   QDB_REPLICATION_OBJECT_STORE=s3::bucket=..;root=..;region=..;
# An fs:: bucket has to be among ReadWritePaths, and what is below /home needs ProtectHome=no.
# The user is QuestDB's: hard links to its files need it. {dir} stays one of the ReadWritePaths as a whole,
# or the links would reach over two mounts and fail.
[Unit]
Description=Understudy, which sends QuestDB's log into a bucket
Wants=network-online.target
After=network-online.target questdb.service
StartLimitIntervalSec=0

[Service]
User={user}
EnvironmentFile=/etc/understudy/ship.env
ExecStart={program} ship --db {dir}/db
Restart=on-failure
RestartSec=5
# 2: the settings are wrong. 4: another process continues the history, and starting again would take it back.
RestartPreventExitStatus=2 4
# What is committed is sent first.
TimeoutStopSec=90
ReadWritePaths={dir}
{hardening}

[Install]
WantedBy=multi-user.target
";

const REPLICA: &str = "\
# Follows a bucket, and keeps a directory that QuestDB opens.
#
# /etc/understudy/replica.env names the bucket; it is read by systemd, so that only root has to be able to read it:
#   QDB_REPLICATION_OBJECT_STORE=s3::bucket=..;root=..;region=..;
# An fs:: bucket has to be among ReadWritePaths, and what is below /home needs ProtectHome=no.
# {dir} belongs to {user}.
[Unit]
Description=Understudy, a replica of a QuestDB
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
User={user}
EnvironmentFile=/etc/understudy/replica.env
ExecStart={program} replica --dir {dir}
Restart=on-failure
RestartSec=5
# 2: the settings are wrong. 4: the log is damaged.
RestartPreventExitStatus=2 4
TimeoutStopSec=90
ReadWritePaths={dir}
{hardening}

[Install]
WantedBy=multi-user.target
";

const HARDENING: &str = "\
UMask=0027
LimitNOFILE=65536
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
";
