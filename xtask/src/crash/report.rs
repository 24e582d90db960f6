//! What a run showed, for people: what happened, and each promise, kept or broken.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::rules::{Breach, Evidence, Promise, worst_loss};
use crate::counts::Counts;

/// More of the same says nothing new.
const MOST_BREACHES: usize = 20;

/// Each promise as a test.
pub(super) fn counts(breaches: &[Breach]) -> Counts {
    let mut counts = Counts::default();
    for promise in Promise::ALL {
        let broken = breaches.iter().any(|breach| breach.promise == promise);
        counts += Counts { passed: u64::from(!broken), failed: u64::from(broken) };
    }
    counts
}

/// How often each word comes.
fn tally<'a>(words: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

fn listed(counts: &BTreeMap<&str, usize>) -> String {
    let parts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

fn ends(evidence: &Evidence) -> BTreeMap<&str, usize> {
    tally(evidence.rows.values().flatten().map(|row| row.end_reason.as_str()))
}

fn refusals(evidence: &Evidence) -> BTreeMap<&str, usize> {
    tally(evidence.seen.values().filter_map(|seen| seen.code.as_deref()))
}

/// What a run must have had to prove anything.
pub(super) fn missing(evidence: &Evidence) -> Vec<String> {
    let (ends, refusals) = (ends(evidence), refusals(evidence));
    let ends = ["complete", "client_gone", "orphan", "upstream_cut", "refused"]
        .into_iter()
        .filter(|end| !ends.contains_key(end));
    let codes = ["quota_reserved", "insufficient_quota", "idempotency_conflict"]
        .into_iter()
        .filter(|code| !refusals.contains_key(code));
    ends.chain(codes).map(str::to_owned).collect()
}

/// All of it.
pub(super) fn summary(evidence: &Evidence, breaches: &[Breach]) -> String {
    let kills = evidence.lives.iter().filter(|life| life.killed).count();
    let rows = evidence.rows.values().flatten();
    let tokens: u64 = evidence.made.values().map(super::upstream::Made::tokens).sum();
    let quota: u64 = rows.map(|row| row.quota).sum();
    let exact = evidence.rows.values().flatten().filter(|row| !row.estimated).count();
    let loss = worst_loss(evidence);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{kills} kills; {} calls, of which the upstream accepted {} and made {tokens} tokens\n\
         {} rows for {quota} units, {exact} of them exact: {}\n\
         refused: {}\n\
         worst under-charge by a crash: {} tokens, made within the last {} ms",
        evidence.seen.len(),
        evidence.made.len(),
        evidence.rows.len(),
        listed(&ends(evidence)),
        listed(&refusals(evidence)),
        loss.tokens,
        loss.age.as_millis(),
    );
    for promise in Promise::ALL {
        let found: Vec<_> = breaches.iter().filter(|breach| breach.promise == promise).collect();
        let word = if found.is_empty() { "ok" } else { "BROKEN" };
        let _ = writeln!(text, "{promise} ... {word}");
        for breach in found.iter().take(MOST_BREACHES) {
            let _ = writeln!(text, "    {}", breach.what);
        }
        if found.len() > MOST_BREACHES {
            let _ = writeln!(text, "    and {} more", found.len() - MOST_BREACHES);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_one_test_however_often_it_is_broken() {
        assert_eq!(counts(&[]), Counts { passed: 8, failed: 0 });
        let breaches = [Promise::Exact, Promise::Exact, Promise::Books]
            .map(|promise| Breach::new(promise, "somewhere"));
        assert_eq!(counts(&breaches), Counts { passed: 6, failed: 2 });
    }

    #[test]
    fn words_are_counted() {
        let counts = tally(["b", "a", "b"].into_iter());
        assert_eq!(listed(&counts), "1 a, 2 b");
        assert_eq!(listed(&BTreeMap::new()), "none");
    }
}
