//! Who depends on whom, taken from `cargo metadata` and small enough to write by hand in a test.
//!
//! Only what ends up in a build counts: normal and build dependencies on this machine's target.
//! Dev-dependencies may point where they like, since tests may.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Context as _, Result};
use cargo_metadata::{DependencyKind, Metadata, PackageId};

/// The dependency graph by crate name. Versions of a crate are one node: a rule that forbids a
/// crate forbids all of them.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    members: BTreeSet<String>,
    uses: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    pub(crate) fn from_metadata(metadata: &Metadata) -> Result<Self> {
        let names: BTreeMap<&PackageId, String> = metadata
            .packages
            .iter()
            .map(|package| (&package.id, package.name.to_string()))
            .collect();
        let name = |id: &PackageId| {
            let name = names.get(id).cloned();
            name.with_context(|| format!("cargo metadata does not describe {id}"))
        };
        let mut graph = Self::default();
        for id in &metadata.workspace_members {
            graph.members.insert(name(id)?);
        }
        let resolve = metadata.resolve.as_ref();
        for node in &resolve.context("cargo metadata resolved nothing")?.nodes {
            let from = graph.uses.entry(name(&node.id)?).or_default();
            for dependency in &node.deps {
                let builds = |kind: DependencyKind| kind != DependencyKind::Development;
                if dependency.dep_kinds.iter().any(|info| builds(info.kind)) {
                    from.insert(name(&dependency.pkg)?);
                }
            }
        }
        Ok(graph)
    }

    /// The crates of the workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(String::as_str)
    }

    pub(crate) fn is_member(&self, name: &str) -> bool {
        self.members.contains(name)
    }

    /// What a crate depends on directly.
    pub(crate) fn uses(&self, name: &str) -> impl Iterator<Item = &str> {
        self.uses.get(name).into_iter().flatten().map(String::as_str)
    }

    /// The shortest way from one crate to another, both ends included.
    pub(crate) fn way(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut reached_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = VecDeque::from([from]);
        while let Some(current) = queue.pop_front() {
            if current == to {
                let mut way = vec![to.to_owned()];
                let mut step = to;
                while let Some(previous) = reached_from.get(step) {
                    way.push((*previous).to_owned());
                    step = previous;
                }
                way.reverse();
                return Some(way);
            }
            for next in self.uses(current) {
                if next != from && !reached_from.contains_key(next) {
                    reached_from.insert(next, current);
                    queue.push_back(next);
                }
            }
        }
        None
    }

    /// A graph from `crate: what it uses` lines; crates that have a line are the members.
    #[cfg(test)]
    pub(crate) fn fixture(lines: &[(&str, &[&str])]) -> Self {
        let mut graph = Self::default();
        for (name, uses) in lines {
            if name.starts_with("gateway-") || name.starts_with("adapter-") || *name == "xtask" {
                graph.members.insert((*name).to_owned());
            }
            let uses = uses.iter().map(|name| (*name).to_owned()).collect();
            graph.uses.insert((*name).to_owned(), uses);
        }
        graph
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_the_shortest_one() {
        let graph = Graph::fixture(&[
            ("gateway-app", &["a", "b"]),
            ("a", &["c"]),
            ("b", &["tokio"]),
            ("c", &["tokio"]),
        ]);
        let way = graph.way("gateway-app", "tokio").unwrap();
        assert_eq!(way, ["gateway-app", "b", "tokio"]);
        assert_eq!(graph.way("b", "c"), None);
    }

    #[test]
    fn the_real_workspace_can_be_read() {
        let metadata = crate::workspace::metadata().unwrap();
        let graph = Graph::from_metadata(&metadata).unwrap();
        assert!(graph.is_member("xtask"));
        assert!(graph.uses("xtask").any(|name| name == "anyhow"));
        assert!(graph.way("xtask", "serde_core").is_some());
    }
}
