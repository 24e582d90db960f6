//! Arrows point inwards: which crate of the workspace may use which, and the little that the
//! domain may use at all.

use super::Finding;
use super::graph::Graph;

/// Each room and the rooms that it may use. A new room gets a line here and in ARCHITECTURE.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("gateway-domain", &[]),
    ("gateway-ports", &["gateway-domain"]),
    ("gateway-app", &["gateway-domain", "gateway-ports"]),
    ("adapter-providers", &["gateway-domain", "gateway-ports"]),
    // It writes answers with the codec of the dialect that it speaks.
    ("adapter-http", &["gateway-domain", "gateway-ports", "gateway-app", "adapter-providers"]),
    ("adapter-sql", &["gateway-domain", "gateway-ports"]),
    ("adapter-sqlite", &["gateway-domain", "gateway-ports", "adapter-sql"]),
    ("adapter-d1", &["gateway-domain", "gateway-ports", "adapter-sql"]),
    (
        "adapter-tokio",
        &[
            "gateway-domain",
            "gateway-ports",
            "gateway-app",
            "adapter-providers",
            "adapter-http",
            "adapter-sql",
            "adapter-sqlite",
        ],
    ),
    (
        "adapter-worker",
        &[
            "gateway-domain",
            "gateway-ports",
            "gateway-app",
            "adapter-providers",
            "adapter-http",
            "adapter-sql",
            "adapter-d1",
        ],
    ),
    // The gateway on Workers once more, with what tests need; nothing is deployed from it.
    ("test-worker", &["gateway-domain", "gateway-ports", "adapter-providers", "adapter-worker"]),
    ("xtask", &[]),
];

/// Everything that the domain may depend on.
const DOMAIN: &str = "gateway-domain";
const DOMAIN_USES: [&str; 10] = [
    "bytes",
    "crc32fast",
    "ipnet",
    "memchr",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "time",
    "url",
];

/// Crates of the workspace that use one that they may not, and crates without arrows.
pub(crate) fn between_rooms(graph: &Graph) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in graph.members() {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == member) else {
            findings.push(format!(
                "{member} has no arrows yet: add it to ARROWS in xtask/src/tidy/arrows.rs"
            ));
            continue;
        };
        for used in graph.uses(member) {
            if graph.is_member(used) && !allowed.contains(&used) {
                findings.push(format!(
                    "{member} uses {used}: arrows point inwards, and it may use only [{}]",
                    allowed.join(", ")
                ));
            }
        }
    }
    findings
}

/// Direct dependencies of the domain that are not on its list.
pub(crate) fn out_of_the_domain(graph: &Graph) -> Vec<Finding> {
    graph
        .uses(DOMAIN)
        .filter(|used| !DOMAIN_USES.contains(used))
        .map(|used| format!("{DOMAIN} uses {used}: it may use only [{}]", DOMAIN_USES.join(", ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inward_arrows_are_fine() {
        let graph = Graph::fixture(&[
            ("gateway-domain", &["serde", "url"]),
            ("gateway-ports", &["gateway-domain", "http"]),
            ("gateway-app", &["gateway-ports"]),
            ("adapter-http", &["gateway-app", "adapter-providers", "axum"]),
            ("adapter-providers", &["gateway-ports"]),
            ("adapter-tokio", &["adapter-http", "adapter-sqlite", "tokio"]),
            ("adapter-sqlite", &["adapter-sql", "sqlx"]),
            ("adapter-sql", &["gateway-ports"]),
        ]);
        assert!(between_rooms(&graph).is_empty());
        assert!(out_of_the_domain(&graph).is_empty());
    }

    #[test]
    fn an_outward_or_sideways_arrow_is_found() {
        let graph = Graph::fixture(&[
            ("gateway-domain", &[]),
            ("gateway-ports", &[]),
            ("gateway-app", &["gateway-ports", "adapter-http"]),
            ("adapter-http", &["gateway-app", "adapter-sql"]),
            ("adapter-sql", &[]),
        ]);
        let findings = between_rooms(&graph).join("\n");
        assert!(findings.contains("gateway-app uses adapter-http"));
        assert!(findings.contains("adapter-http uses adapter-sql"));
        assert_eq!(findings.lines().count(), 2);
    }

    #[test]
    fn a_room_without_arrows_is_found() {
        let graph = Graph::fixture(&[("adapter-novel", &[])]);
        assert!(between_rooms(&graph).join("").contains("adapter-novel"));
    }

    #[test]
    fn the_domain_stays_on_its_list() {
        let graph = Graph::fixture(&[("gateway-domain", &["serde", "tokio", "regex"])]);
        let findings = out_of_the_domain(&graph).join("\n");
        assert!(findings.contains("uses tokio") && findings.contains("uses regex"));
        assert!(!findings.contains("uses serde"));
    }
}
