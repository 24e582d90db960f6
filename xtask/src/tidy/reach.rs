//! What a room may not even reach through others: the inside of the hexagon knows no runtime,
//! no driver and no web framework, however deep they hide.

use super::Finding;
use super::graph::Graph;

/// Drivers, runtimes and frameworks.
const WORLD: &[&str] = &["sqlx", "worker", "tokio", "hyper", "axum"];
/// What belongs to one of the two runtimes' stores.
const STORES: &[&str] = &["sqlx", "worker"];

/// Each room that builds for both runtimes and what it may not reach.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("gateway-domain", WORLD),
    ("gateway-ports", WORLD),
    ("gateway-app", WORLD),
    ("adapter-providers", WORLD),
    ("adapter-sql", WORLD),
    ("adapter-http", STORES),
];

/// Ways from a room to something that it may not reach.
pub(crate) fn forbidden(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (room, targets) in FORBIDDEN {
        for target in *targets {
            if let Some(way) = graph.way(room, target) {
                findings.push(format!(
                    "{room} reaches {target}, which it may not know: {}",
                    way.join(" -> ")
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_runtime_is_found_with_the_way_to_it() {
        let graph = Graph::fixture(&[
            ("gateway-app", &["gateway-ports", "helper"]),
            ("gateway-ports", &["http"]),
            ("helper", &["tokio"]),
        ]);
        let findings = forbidden(&graph);
        assert_eq!(findings.len(), 1);
        assert!(findings.join("").contains("gateway-app -> helper -> tokio"));
    }

    #[test]
    fn the_router_may_reach_axum_but_no_store() {
        let graph = Graph::fixture(&[
            ("adapter-http", &["axum", "gateway-app"]),
            ("axum", &["hyper", "tokio"]),
            ("gateway-app", &[]),
        ]);
        assert!(forbidden(&graph).is_empty());
        let graph =
            Graph::fixture(&[("adapter-http", &["adapter-sqlite"]), ("adapter-sqlite", &["sqlx"])]);
        assert!(forbidden(&graph).join("").contains("adapter-http reaches sqlx"));
    }

    #[test]
    fn the_outside_may_reach_the_world() {
        let graph = Graph::fixture(&[("adapter-tokio", &["tokio", "hyper", "sqlx", "axum"])]);
        assert!(forbidden(&graph).is_empty());
    }
}
