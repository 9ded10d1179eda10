//! The large comparisons: now and then, and at the end.

use super::applied::TableState;
use super::begin::Model;
use super::invariant::{Check, Invariant, breach};
use super::node::Node;
use super::run::Sim;
use super::told::{NodeTold, TableTold, Told};
use super::watch::newcomer;
use super::workload::of_id;
use super::{End, Fault};
use crate::table::Table;
use crate::wal::Tag;
use std::collections::BTreeSet;

impl Sim {
    /// Everything is compared with everything.
    pub(super) fn look(&mut self) -> Check {
        if let Some(id) = self.ground.book.lost_durable() {
            let what = format_args!("row {id} of {:?} is in no history", of_id(id));
            return breach(Invariant::DurableIsKept, what);
        }
        newcomer(self.ground.bucket.objects(), &self.ground.truth, &self.ground.shelf)
    }

    /// Nothing has gone wrong for a while: everybody is level, and all rows are where they belong.
    pub(super) fn at_the_end(&mut self) -> Check {
        self.look()?;
        self.no_duplicates()?;
        if self.ground.has_seen(Fault::IgnoredCondition) {
            return self.nothing_was_written();
        }
        for node in &self.nodes {
            self.is_level(node)?;
        }
        if self.primary().is_none() {
            return breach(Invariant::Converges, "nobody is primary");
        }
        for client in &self.clients {
            if !client.is_level() {
                let what = format_args!("{:?}", client.told(self.ground.now));
                return breach(Invariant::Converges, what);
            }
        }
        if let Some(id) = self.ground.book.missing() {
            let what = format_args!("row {id} of {:?} has got lost on its way", of_id(id));
            return breach(Invariant::KeptUntilDurable, what);
        }
        self.ground.book.close();
        Ok(())
    }

    /// A store that overwrites is found out before anything depends on it.
    fn nothing_was_written(&self) -> Check {
        if self.ground.truth.point().is_none() && self.ground.book.counts().acknowledged == 0 {
            return Ok(());
        }
        breach(Invariant::OneHistory, "a cluster was founded in a store that ignores put-if-absent")
    }

    fn is_level(&self, node: &Node) -> Check {
        let end = self.ground.truth.len();
        let Some(process) = node.process.as_ref() else {
            if node.held_down {
                return Ok(());
            }
            return breach(Invariant::Converges, format_args!("{} is down", node.end()));
        };
        let told = process.machine.told(node.now(&self.ground));
        // What has landed this very moment may be on its way.
        if told.confirmed + 4 < end {
            let what = format_args!("{} is at {} of {end}: {told:?}", node.end(), told.confirmed);
            return breach(Invariant::Converges, what);
        }
        match self.ground.truth.point() {
            Some(point) if told.confirmed == end => node.compare_now(point, &self.ground),
            _ => Ok(()),
        }
    }

    fn no_duplicates(&self) -> Check {
        let nodes = self.nodes.iter().filter_map(|node| node.process.as_ref().map(|it| (node.end(), it)));
        let tables = nodes.flat_map(|(end, process)| {
            process.engine.tables().values().map(move |state| (end, &state.table))
        });
        let truth = self.ground.truth.tables().values().map(|state| (End::Bucket, &state.table));
        let begun = self.begun.is_some();
        for (end, table) in truth.chain(tables).filter(|(_, table)| is_unique(table, begun)) {
            if let Some(id) = first_duplicate(table, self.ground.book.row_id()) {
                let what = format_args!("{end}: row {id} is in {} twice", table.dir);
                return breach(Invariant::NoDuplicates, what);
            }
        }
        Ok(())
    }

    /// A table as the history in the bucket has it.
    pub fn table(&self, name: &str) -> Option<&Table> {
        let mut all = self.ground.truth.tables().values();
        all.find(|state| state.token.name == name).map(|state| &state.table)
    }

    /// How everything stands.
    pub fn told(&self) -> Told {
        let ground = &self.ground;
        let end = ground.truth.len();
        Told {
            seed: self.seed,
            step: ground.step,
            now_us: ground.now,
            trace: format!("{:016x}", ground.trace.value()),
            store: ground.bucket.kind(),
            history: end,
            term: ground.truth.point().map_or(0, |point| point.next.dir.term.0),
            rows: ground.book.counts(),
            tables: self.tables_told(),
            requests: ground.bucket.requests(),
            nodes: self.nodes.iter().map(|node| self.node_told(node, end)).collect(),
            clients: self.clients.iter().map(|client| client.told(ground.now)).collect(),
            in_flight: ground.flights(),
            troubles: ground.weather.in_force().to_vec(),
        }
    }

    /// The tables of a real history that the run began with.
    fn tables_told(&self) -> Vec<TableTold> {
        let truth = &self.ground.truth;
        let told = |model: &Model| {
            let of_name = |state: &&TableState| state.token.name == model.name;
            let state = truth.tables().values().find(of_name);
            TableTold {
                name: model.name.clone(),
                began: model.rows,
                rows: state.map_or(0, |state| state.table.rows() as u64),
                written: state.map_or(0, |state| truth.written(&state.token.dir)),
                digest: state.map_or_else(String::new, |state| state.table.digest().to_string()),
            }
        };
        self.begun.iter().flat_map(|models| models.iter()).map(told).collect()
    }

    fn node_told(&self, node: &Node, end: u64) -> NodeTold {
        let mut told = NodeTold {
            node: node.id,
            up: node.process.is_some(),
            paused: node.paused,
            role: node.role.as_str().to_owned(),
            writes: false,
            refuses: None,
            term: 0,
            next: 0,
            lag: end,
            behind_us: node.catching_up.for_us(self.ground.now),
            caught_up_us: node.catching_up.took_us,
            queued: 0,
            flying: 0,
            rows: 0,
            aside: node.aside_rows,
            promotions: 0,
            fenced: 0,
        };
        let Some(process) = &node.process else { return told };
        let now = process.machine.told(node.now(&self.ground));
        told.role = now.role.as_str().to_owned();
        told.writes = now.refuses.is_none();
        told.refuses = now.refuses.map(|why| format!("{why:?}"));
        told.term = now.term.map_or(0, |term| term.0);
        (told.next, told.lag) = (now.confirmed, end.saturating_sub(now.confirmed));
        (told.queued, told.flying) = (process.outgoing.len() as u64, process.offered.len() as u64);
        told.rows = process.engine.tables().values().map(|state| state.table.rows() as u64).sum();
        (told.promotions, told.fenced) = (now.promotions, now.fenced);
        told
    }
}

/// The tables that have upsert keys, by the workload's names; what a bug has taken from a node's own is not believed. In tables of
/// a real history the keys are others.
fn is_unique(table: &Table, begun: bool) -> bool {
    table.schema.columns.iter().any(|column| (begun || column.name == "id") && column.upsert_key)
}

fn first_duplicate(table: &Table, row_id: &str) -> Option<i64> {
    let column = table
        .schema
        .columns
        .iter()
        .position(|column| column.name == row_id && column.ty.tag() == Tag::Long)?;
    let mut seen = BTreeSet::new();
    (0..table.rows()).find_map(|row| match table.value(row, column) {
        crate::table::Value::Long(id) if !seen.insert(id) => Some(id),
        _ => None,
    })
}
