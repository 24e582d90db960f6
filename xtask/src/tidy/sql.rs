//! SQL has one room, `adapter-sql`: string literals in the other crates' `src` hold none.
//!
//! A small scanner finds the literals, so that comments may speak about SQL.

use super::{Finding, Source};

/// How statements begin. `DELETE FROM` is left out: it needs a WHERE, and English uses the words.
const STATEMENTS: [&str; 3] = ["SELECT ", "INSERT INTO", "UPDATE "];

/// The room that may hold SQL.
const ROOM: &str = "adapter-sql/";

/// String literals with SQL in a file where none belongs.
pub(crate) fn outside_its_room(file: &Source) -> Vec<Finding> {
    let gateway = file.path.starts_with("gateway-") || file.path.starts_with("adapter-");
    if !gateway || file.path.starts_with(ROOM) || !file.path.contains("/src/") {
        return Vec::new();
    }
    literals(&file.text)
        .into_iter()
        .filter_map(|(line, literal)| {
            let found = STATEMENTS.iter().find(|words| literal.contains(**words))?;
            let words = found.trim();
            let path = &file.path;
            Some(format!("{path}:{line}: SQL (`{words}`) belongs in adapter-sql's catalogue"))
        })
        .collect()
}

/// The string literals of a Rust file (plain, byte, C and raw ones) with the lines they start on.
fn literals(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let skip = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(inner) = rest.strip_prefix('"') {
            let length = plain_string(inner);
            let line = line_of(text, at);
            found.push((line, inner.get(..length).unwrap_or(inner)));
            length + 2
        } else if let Some((opening, length)) = raw_string(rest, text.get(..at)) {
            let inner = rest.get(opening..opening + length).unwrap_or_default();
            found.push((line_of(text, at), inner));
            // The closing is as long as the opening without its `r`.
            2 * opening - 1 + length
        } else if rest.starts_with('\'') {
            character_or_lifetime(rest)
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        at += skip.max(1);
        while at < text.len() && !text.is_char_boundary(at) {
            at += 1;
        }
    }
    found
}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.matches('\n').count() + 1
}

/// The length of a block comment; they nest.
fn block_comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0_usize, 0_usize);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => {
                (depth, at) = (depth.saturating_sub(1), at + 2);
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

/// The length of what stands between plain quotes, given what follows the first.
fn plain_string(inner: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    inner.len()
}

/// A raw string here: the length of its opening (`r##"`) and of its content.
fn raw_string(rest: &str, before: Option<&str>) -> Option<(usize, usize)> {
    // `r` at the end of a name opens nothing, but `br` and `cr` do.
    let name = |c: char| c.is_alphanumeric() || c == '_';
    let mut previous = before.unwrap_or_default().chars().rev();
    let mut last = previous.next();
    if matches!(last, Some('b' | 'c')) {
        last = previous.next();
    }
    if last.is_some_and(name) {
        return None;
    }
    let hashes = rest.strip_prefix('r')?;
    let count = hashes.len() - hashes.trim_start_matches('#').len();
    let inner = hashes.get(count..)?.strip_prefix('"')?;
    let closing = format!("\"{}", "#".repeat(count));
    let length = inner.find(&closing).unwrap_or(inner.len());
    Some((count + 2, length))
}

/// The length of a character literal, or 1 for the tick of a lifetime.
fn character_or_lifetime(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            // What is escaped may itself be a tick.
            characters.next();
            let end = characters.find(|(_, character)| *character == '\'');
            end.map_or(1, |(at, _)| at + 1)
        }
        Some(_) => match characters.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn sql_in_a_literal_is_found_with_its_line() {
        let text = "//! A.\nconst A: &str = \"SELECT id FROM t\";\n";
        let findings = outside_its_room(&source("adapter-tokio/src/a.rs", text));
        assert_eq!(findings.len(), 1);
        assert!(findings.join("").contains("adapter-tokio/src/a.rs:2:"));
        let raw = "fn f() { run(r#\"\n UPDATE t SET a = 1\"#) }";
        assert_eq!(outside_its_room(&source("gateway-app/src/a.rs", raw)).len(), 1);
        let bytes = "const A: &[u8] = br\"INSERT INTO t\";";
        assert_eq!(outside_its_room(&source("gateway-app/src/a.rs", bytes)).len(), 1);
    }

    #[test]
    fn its_own_room_and_the_tests_may_hold_it() {
        let text = "const A: &str = \"SELECT 1\";";
        for path in ["adapter-sql/src/a.rs", "adapter-sqlite/tests/a.rs", "xtask/src/a.rs"] {
            assert!(outside_its_room(&source(path, text)).is_empty(), "{path}");
        }
        assert_eq!(outside_its_room(&source("adapter-sqlite/src/a.rs", text)).len(), 1);
    }

    #[test]
    fn comments_and_code_may_speak_about_it() {
        let text = r#"
//! SELECT is a word. "SELECT 1" too.
/* "UPDATE t" /* nested */ "SELECT 1" */
fn f<'a>(quote: char) -> bool { quote == '"' } // "INSERT INTO t"
fn g() -> char { '\'' }
const NAME: &str = "select";
fn for_r(r: &str) -> &str { r }
"#;
        assert!(outside_its_room(&source("gateway-app/src/a.rs", text)).is_empty());
    }

    #[test]
    fn literals_of_every_kind_are_seen_whole() {
        let text = r###"a("x\"y", r"p\", r##"q"#r"##, b"z", 'c', "ü", "end")"###;
        let found: Vec<_> = literals(text).into_iter().map(|(_, text)| text).collect();
        assert_eq!(found, ["x\\\"y", "p\\", "q\"#r", "z", "ü", "end"]);
    }
}
