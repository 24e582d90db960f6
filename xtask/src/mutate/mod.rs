//! `cargo xtask mutate-ledger`: whether the tests would notice if a guard were missing.
//!
//! One guard at a time is taken out of the statements and triggers that move money, in a copy of
//! the workspace, and the contract, the tests of SQLite and the model of the ledger are run on
//! what is left. A mutant that they let through is a hole in the tests, or a guard that guards
//! nothing. Run by hand: each mutant is compiled.

mod copy;
mod table;
mod trial;

use std::time::Instant;

use anyhow::{Result, ensure};

use self::copy::Copy;
use self::trial::{Trial, Verdict};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Try only mutants whose file or guard contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// A guard, and how it is taken out.
#[derive(Debug, Clone, Copy)]
struct Mutation {
    /// From the root.
    file: &'static str,
    /// What it guards, for people.
    guard: &'static str,
    /// Stands once in the file.
    find: &'static str,
    with: &'static str,
    /// Why nothing can notice that it is missing, if that is so.
    redundant: Option<&'static str>,
}

impl Mutation {
    fn matches(&self, text: &str) -> bool {
        self.file.contains(text) || self.guard.contains(text)
    }

    /// The file without the guard.
    fn apply(&self, text: &str) -> Result<String> {
        let Self { file, guard, find, with, .. } = self;
        let count = text.matches(find).count();
        ensure!(count == 1, "{file}: the text of \"{guard}\" stands there {count} times: {find}");
        Ok(text.replacen(find, with, 1))
    }
}

/// Tries all mutants, and fails unless each is killed, but those that cannot be.
pub(crate) fn run(args: &Args) -> Result<()> {
    let copy = Copy::make()?;
    // A table that no longer fits is found before hours are spent on it.
    let wanted = |mutant: &&Mutation| args.only.as_ref().is_none_or(|text| mutant.matches(text));
    let mutants = table::ALL.iter().copied().flatten().filter(wanted);
    let mutants = mutants.map(|mutant| Ok((mutant, mutant.apply(&copy.read(mutant.file)?)?)));
    let mutants = mutants.collect::<Result<Vec<_>>>()?;
    ensure!(!mutants.is_empty(), "there is no such mutant");
    println!("{} mutants; first, none", mutants.len());
    let trial = Trial { copy: &copy };
    let whole = trial.run()?;
    ensure!(whole == Verdict::Survived, "the tests fail without a mutation: {whole}");

    let mut unexpected = Vec::new();
    for (mutant, text) in &mutants {
        let start = Instant::now();
        let verdict = {
            let _changed = copy.change(mutant.file, text)?;
            trial.run()?
        };
        let name = format!("{}: {}", mutant.file, mutant.guard);
        println!("{name} ... {verdict} ({:.0} s)", start.elapsed().as_secs_f64());
        match (mutant.redundant, verdict == Verdict::Survived) {
            (Some(why), true) => println!("    it has to: {why}"),
            (None, false) => {}
            (Some(_), false) => unexpected.push(format!("{name}: was killed, and is redundant")),
            (None, true) => unexpected.push(format!("{name}: survived")),
        }
    }
    println!("\n{} mutants, {} not as expected", mutants.len(), unexpected.len());
    for line in &unexpected {
        println!("{line}");
    }
    ensure!(unexpected.is_empty(), "{} mutants did not end as expected", unexpected.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn every_mutation_finds_its_guard_once() {
        for mutation in table::ALL.iter().copied().flatten() {
            let text = std::fs::read_to_string(workspace::root().join(mutation.file)).unwrap();
            let mutated = mutation.apply(&text).unwrap();
            assert_ne!(mutated, text, "{}", mutation.guard);
        }
    }

    #[test]
    fn guards_have_names_of_their_own() {
        let mut names: Vec<_> =
            table::ALL.iter().copied().flatten().map(|m| (m.file, m.guard)).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn a_guard_that_is_not_there_or_twice_is_an_error() {
        let mutation = Mutation {
            file: "a.sql",
            guard: "x is 1",
            find: "x = 1",
            with: "true",
            redundant: None,
        };
        assert_eq!(mutation.apply("WHERE x = 1").unwrap(), "WHERE true");
        assert!(mutation.apply("WHERE x = 2").is_err());
        assert!(mutation.apply("WHERE x = 1 OR x = 1").is_err());
    }
}
