//! How many tests ran, read from the closing lines of cargo's and pytest's runners.

use std::fmt;
use std::ops::AddAssign;

/// Tests that ran and how they ended. Ignored and skipped ones count as neither.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// `test result: ok. 5 passed; 0 failed; ...`, which libtest and libtest-mimic print.
pub(crate) fn of_cargo(line: &str) -> Option<Counts> {
    let line = plain(line);
    let rest = line.trim().strip_prefix("test result: ")?;
    let (_, numbers) = rest.split_once(". ")?;
    sum(numbers.split(';'))
}

/// `===== 5 passed, 1 failed, 2 skipped in 1.2s =====`, pytest's last line. Its errors are tests
/// that could not be set up: they count as failed.
pub(crate) fn of_pytest(line: &str) -> Option<Counts> {
    let line = plain(line);
    let line = line.trim().trim_matches('=').trim();
    let (numbers, time) = line.rsplit_once(" in ")?;
    if !time.starts_with(|c: char| c.is_ascii_digit()) || !time.contains('s') {
        return None;
    }
    sum(numbers.split(','))
}

/// The line without colours, which some environments force on every program.
fn plain(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    text
}

/// Adds up parts like `5 passed`; `None` unless each is a number and a word.
fn sum<'a>(parts: impl Iterator<Item = &'a str>) -> Option<Counts> {
    let mut counts = Counts::default();
    let mut any = false;
    for part in parts {
        let Some((number, word)) = part.trim().split_once(' ') else {
            continue;
        };
        let Ok(number) = number.parse::<u64>() else {
            // "finished in 0.01s", at the end of cargo's line
            continue;
        };
        any = true;
        match word {
            "passed" => counts.passed += number,
            "failed" | "error" | "errors" => counts.failed += number,
            _ => {}
        }
    }
    any.then_some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_line_is_read_and_others_are_not() {
        let line = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        assert_eq!(of_cargo(line), Some(Counts { passed: 5, failed: 0 }));
        let line = "test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n";
        assert_eq!(of_cargo(line), Some(Counts { passed: 7, failed: 2 }));
        assert_eq!(of_cargo("test relay::streams ... ok"), None);
        assert_eq!(of_cargo("running 5 tests"), None);
    }

    #[test]
    fn pytests_line_is_read_with_and_without_its_frame() {
        let line =
            "=================== 1 failed, 12 passed, 2 skipped in 3.21s ===================";
        assert_eq!(of_pytest(line), Some(Counts { passed: 12, failed: 1 }));
        assert_eq!(of_pytest("4 passed in 0.10s"), Some(Counts { passed: 4, failed: 0 }));
        let line = "== 3 passed, 2 warnings, 1 error in 65.01s (0:01:05) ==";
        assert_eq!(of_pytest(line), Some(Counts { passed: 3, failed: 1 }));
        assert_eq!(of_pytest("tests/e2e/test_chat.py ....  [ 50%]"), None);
        assert_eq!(of_pytest("the reply came in 3 parts"), None);
        assert_eq!(of_pytest("no tests ran in 0.01s"), None);
    }

    #[test]
    fn colours_do_not_hide_a_number() {
        let line = "\u{1b}[32m== \u{1b}[32m\u{1b}[1m21 passed\u{1b}[0m\u{1b}[32m in 0.05s\u{1b}[0m\u{1b}[32m ==\u{1b}[0m";
        assert_eq!(of_pytest(line).unwrap().passed, 21);
        let line = "test result: \u{1b}[32mok\u{1b}(B\u{1b}[m. 3 passed; 0 failed; 0 ignored";
        assert_eq!(of_cargo(line).unwrap().passed, 3);
    }

    #[test]
    fn the_closing_line_has_the_agreed_form() {
        let mut all = Counts { passed: 5, failed: 0 };
        all += Counts { passed: 2, failed: 1 };
        assert_eq!(all.to_string(), "7 passed, 1 failed");
    }
}
