//! Every shared dependency says what it is for, on its own line.

use super::Finding;

/// The section that holds the versions.
const SECTION: &str = "[workspace.dependencies]";

/// Lines of the section that declare a dependency without a comment. The workspace's own crates
/// are exempt: their heading speaks for all of them.
pub(crate) fn uncommented(manifest: &str) -> Vec<Finding> {
    let mut inside = false;
    let mut findings = Vec::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') && line.ends_with(']') && !line.contains('=') {
            inside = line == SECTION;
            continue;
        }
        if !inside || line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (code, comment) = split_comment(line);
        let Some((name, value)) = code.split_once('=') else {
            continue;
        };
        if !value.contains("path =") && comment.is_none_or(|comment| comment.trim().is_empty()) {
            let name = name.trim();
            findings.push(format!(
                "Cargo.toml:{}: `{name}` has no comment that says what it is for",
                index + 1
            ));
        }
    }
    findings
}

/// A TOML line and the comment behind it; a `#` inside a string is no comment.
fn split_comment(line: &str) -> (&str, Option<&str>) {
    let mut quote = None;
    for (at, character) in line.char_indices() {
        match (quote, character) {
            (None, '#') => return (line.get(..at).unwrap_or(line), line.get(at + 1..)),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    (line, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
[workspace]
members = ["a"]

[workspace.dependencies]
# The rooms.
gateway-domain = { path = "gateway-domain" }

bytes = "1" # cheap slices
serde = { version = "1", features = ["derive"] }
odd = "1#2"
empty = "1" #

[workspace.lints.rust]
unsafe_code = "forbid"
"#;

    #[test]
    fn only_dependencies_without_a_reason_are_found() {
        let findings = uncommented(MANIFEST);
        let names: Vec<_> =
            findings.iter().filter_map(|finding| finding.split('`').nth(1)).collect();
        assert_eq!(names, ["serde", "odd", "empty"]);
        assert!(findings.join("").contains("Cargo.toml:10:"));
    }
}
