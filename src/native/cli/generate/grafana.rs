//! A dashboard for Grafana on the metrics of [`crate::native::metrics`].

use super::pretty;
use crate::native::outcome::Result;
use serde_json::{Value, json};

pub(super) fn dashboard() -> Result<String> {
    pretty(&json!({
        "title": "Understudy", "uid": "understudy", "schemaVersion": 39, "editable": true, "tags": ["questdb"],
        "time": { "from": "now-3h", "to": "now" }, "refresh": "10s",
        "templating": { "list": [
            { "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus" },
            { "name": "instance", "label": "Node", "type": "query", "multi": true, "includeAll": true,
              "datasource": source(), "refresh": 2,
              "query": { "query": "label_values(understudy_build_info, instance)", "refId": "nodes" },
              "current": { "text": "All", "value": "$__all" } },
        ] },
        "panels": PANELS.iter().enumerate().map(|(at, panel)| shown(at, panel)).collect::<Vec<_>>(),
    }))
}

struct Panel {
    title: &'static str,
    what: &'static str,
    kind: Kind,
    unit: &'static str,
    /// Expression and legend.
    lines: &'static [(&'static str, &'static str)],
}

#[derive(Clone, Copy)]
enum Kind {
    /// Over time.
    Graph,
    /// The value now, red from this on.
    Now(u32),
}

fn shown(at: usize, panel: &Panel) -> Value {
    let (x, y) = (at % 3 * 8, at / 3 * 8);
    let targets: Vec<Value> = panel
        .lines
        .iter()
        .zip('A'..)
        .map(|((expression, legend), letter)| {
            json!({ "refId": letter.to_string(), "expr": expression, "legendFormat": legend, "datasource": source() })
        })
        .collect();
    let mut defaults = json!({ "unit": panel.unit });
    let (kind, options) = match panel.kind {
        Kind::Graph => ("timeseries", json!({ "tooltip": { "mode": "multi" } })),
        Kind::Now(red) => {
            defaults["thresholds"] = json!({ "mode": "absolute", "steps": [
                { "color": "green", "value": null }, { "color": "red", "value": red },
            ] });
            ("stat", json!({ "reduceOptions": { "calcs": ["lastNotNull"] } }))
        }
    };
    json!({
        "id": at + 1, "title": panel.title, "description": panel.what, "type": kind, "datasource": source(),
        "gridPos": { "h": 8, "w": 8, "x": x, "y": y }, "targets": targets, "options": options,
        "fieldConfig": { "defaults": defaults, "overrides": [] },
    })
}

fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

const PANELS: &[Panel] = &[
    Panel {
        title: "Fenced nodes",
        what: "Nodes whose place another primary has taken: keep clients from their QuestDB",
        kind: Kind::Now(1),
        unit: "short",
        lines: &[("sum(understudy_fenced{instance=~\"$instance\"})", "fenced")],
    },
    Panel {
        title: "Tables that can't go on",
        what: "Stopped or suspended; `understudy status` tells which and why",
        kind: Kind::Now(1),
        unit: "short",
        lines: &[
            ("sum(understudy_tables_stopped{instance=~\"$instance\"})", "stopped"),
            ("sum(questdb_suspended_tables{instance=~\"$instance\"})", "suspended"),
        ],
    },
    Panel {
        title: "Tables that differ",
        what: "Digests of a replica that were not the primary's, since it started",
        kind: Kind::Now(1),
        unit: "short",
        lines: &[("sum(understudy_digest_mismatches_total{instance=~\"$instance\"})", "different")],
    },
    Panel {
        title: "Lag",
        what: "Age of the oldest transaction that is known and not applied. It has a floor of about the poll interval",
        kind: Kind::Graph,
        unit: "s",
        lines: &[("understudy_replica_lag_seconds{instance=~\"$instance\"}", "{{instance}}")],
    },
    Panel {
        title: "Lag in transactions",
        what: "Of the ten tables that are the furthest behind",
        kind: Kind::Graph,
        unit: "short",
        lines: &[
            ("topk(10, understudy_replica_lag_txns{instance=~\"$instance\"})", "{{instance}} {{table}}"),
            ("understudy_replica_lag_txns_max{instance=~\"$instance\"}", "{{instance}} worst"),
        ],
    },
    Panel {
        title: "Transactions",
        what: "In a second",
        kind: Kind::Graph,
        unit: "short",
        lines: &[
            (
                "rate(understudy_shipped_txns_total{instance=~\"$instance\"}[$__rate_interval])",
                "{{instance}} shipped",
            ),
            (
                "rate(understudy_applied_txns_total{instance=~\"$instance\"}[$__rate_interval])",
                "{{instance}} applied",
            ),
        ],
    },
    Panel {
        title: "Bytes",
        what: "Of packs and blobs that were shipped, in a second",
        kind: Kind::Graph,
        unit: "Bps",
        lines: &[
            (
                "rate(understudy_shipped_bytes_total{instance=~\"$instance\"}[$__rate_interval])",
                "{{instance}}",
            ),
            (
                "rate(understudy_object_bytes_total{instance=~\"$instance\"}[$__rate_interval])",
                "{{instance}} {{op}}",
            ),
        ],
    },
    Panel {
        title: "Time to upload a pack",
        what: "From offering it to knowing that it is in the bucket",
        kind: Kind::Graph,
        unit: "s",
        lines: &[
            (
                "histogram_quantile(0.5, sum by (le) (rate(understudy_upload_duration_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))",
                "median",
            ),
            (
                "histogram_quantile(0.99, sum by (le) (rate(understudy_upload_duration_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))",
                "99 %",
            ),
        ],
    },
    Panel {
        title: "Requests to the store",
        what: "In a second, by what came of them: `absent` is a reader that asks for what is not there yet",
        kind: Kind::Graph,
        unit: "reqps",
        lines: &[(
            "sum by (op, outcome) (rate(understudy_object_requests_total{instance=~\"$instance\"}[$__rate_interval]))",
            "{{op}} {{outcome}}",
        )],
    },
    Panel {
        title: "Place in the log",
        what: "Numbers of objects: what lies between offered and acknowledged is under way",
        kind: Kind::Graph,
        unit: "none",
        lines: &[
            ("understudy_pack_number{instance=~\"$instance\"}", "{{instance}}"),
            ("understudy_acknowledged_number{instance=~\"$instance\"}", "{{instance}} acknowledged"),
        ],
    },
    Panel {
        title: "Log kept on disk",
        what: "Bytes that QuestDB may have deleted and the bucket doesn't have yet; understudy.ship.disk.limit bounds them",
        kind: Kind::Graph,
        unit: "bytes",
        lines: &[("understudy_ship_disk_bytes{instance=~\"$instance\"}", "{{instance}}")],
    },
    Panel {
        title: "Age of the newest snapshot",
        what: "What a new replica begins with",
        kind: Kind::Graph,
        unit: "s",
        lines: &[(
            "time() - (understudy_snapshot_timestamp_seconds{instance=~\"$instance\"} > 0)",
            "{{instance}}",
        )],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::bucket::Observe;
    use crate::native::bucket::observe::{Op, Outcome, Tried};
    use crate::native::config::Role;
    use crate::native::metrics::Metrics;
    use crate::native::replica::PolicyCounts;
    use crate::policy::TaskKind;
    use std::time::Duration;

    /// Names of metrics in a text of any kind.
    fn names(text: &str) -> Vec<&str> {
        let mut names: Vec<&str> = text
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| word.starts_with("understudy_") || word.starts_with("questdb_"))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What a node tells that has done one of everything.
    fn told() -> String {
        let metrics = Metrics::new(true);
        metrics.role(Role::Replica);
        metrics.tables.lag("a~1", "a", 1, Duration::from_secs(1));
        metrics.upload_seconds.observe(1.0);
        metrics.policy.set([(TaskKind::DropLocal, PolicyCounts::default())].into_iter(), 0);
        metrics.policy.forms([1; 4]);
        metrics.answered(Tried { op: Op::Get, outcome: Outcome::Ok, took: Duration::ZERO, bytes: 1 });
        metrics.text()
    }

    #[test]
    fn asks_only_for_metrics_that_there_are() {
        let text = dashboard().unwrap();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        assert!(dashboard["panels"].as_array().unwrap().len() >= 10);
        let told = told();
        let known = names(&told);
        let asked = names(&text);
        assert!(asked.len() >= 15, "{asked:?}");
        for name in asked {
            assert!(known.contains(&name), "{name} is asked for and not told");
        }
    }

    #[test]
    fn every_metric_is_documented_and_no_other() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
        let text = std::fs::read_to_string(path).unwrap();
        let documented: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let told = told();
        let families: Vec<&str> =
            told.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        for family in &families {
            assert!(documented.contains(family), "{family} is not documented");
        }
        for name in
            documented.iter().filter(|name| name.starts_with("understudy_") || name.starts_with("questdb_"))
        {
            assert!(families.contains(name), "{name} is documented and not told");
        }
    }
}
