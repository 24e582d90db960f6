//! What every Rust file owes its reader: it opens by saying what it is, and it ends soon.

use super::{Finding, Source};

/// Past this a file is more than one idea. Test folders are exempt: their cases are a list.
const MOST_LINES: usize = 500;

/// A file whose first line is no `//!`.
pub(crate) fn without_opening(file: &Source) -> Option<Finding> {
    let first = file.text.lines().find(|line| !line.trim().is_empty());
    let opens = first.is_some_and(|line| line.starts_with("//!"));
    (!opens).then(|| format!("{}: does not open with `//!` and what it is", file.path))
}

/// A file of more lines than one idea needs.
pub(crate) fn too_long(file: &Source) -> Option<Finding> {
    let lines = file.text.lines().count();
    let tests = file.path.split('/').any(|part| part == "tests");
    (lines > MOST_LINES && !tests)
        .then(|| format!("{}: {lines} lines; past {MOST_LINES} it is a second room", file.path))
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn a_file_opens_by_saying_what_it_is() {
        assert_eq!(without_opening(&source("a.rs", "\n//! A.\nfn a() {}")), None);
        assert!(without_opening(&source("a.rs", "// A.\n//! A.")).is_some());
        assert!(without_opening(&source("a.rs", "fn a() {}")).is_some());
        assert!(without_opening(&source("a.rs", "")).is_some());
    }

    #[test]
    fn a_long_file_is_found_unless_it_is_a_list_of_tests() {
        let text = "x\n".repeat(MOST_LINES);
        assert_eq!(too_long(&source("a/src/b.rs", &text)), None);
        let text = "x\n".repeat(MOST_LINES + 1);
        assert!(too_long(&source("a/src/b.rs", &text)).is_some());
        assert_eq!(too_long(&source("a/tests/b.rs", &text)), None);
    }
}
