//! Callgrind's file: how many instructions each function and each crate took by itself.
//!
//! The tool that comes with valgrind would do, but for one thing: to functions that were under way
//! when counting began it adds everything that they call.

use std::collections::BTreeMap;
use std::fmt;

use super::float;

/// Functions that are listed.
const FUNCTIONS: usize = 40;

/// What a number of requests took.
#[derive(Debug)]
pub(super) struct Instructions {
    requests: u32,
    functions: BTreeMap<String, u64>,
    crates: BTreeMap<String, u64>,
}

impl Instructions {
    /// Reads a file in callgrind's format.
    pub(super) fn read(text: &str, requests: u32) -> Self {
        let mut read = Self { requests, functions: BTreeMap::new(), crates: BTreeMap::new() };
        let (mut files, mut names) = (Names::default(), Names::default());
        let (mut file, mut function) = ("", "");
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.starts_with("calls=") {
                // The next line is what the called function took.
                lines.next();
            } else if let Some((key, value)) = line.split_once('=') {
                match key {
                    "fn" => function = names.of(value),
                    "cfn" => _ = names.of(value),
                    "fl" => file = files.of(value),
                    // Lines of other files that the compiler put into the function.
                    "fi" | "fe" | "cfi" | "cfl" => _ = files.of(value),
                    _ => {}
                }
            } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
                let cost = line.split_whitespace().nth(1);
                if let Some(Ok(cost)) = cost.map(str::parse::<u64>) {
                    *read.functions.entry(function.to_owned()).or_default() += cost;
                    let owner = owner(file, function).to_owned();
                    *read.crates.entry(owner).or_default() += cost;
                }
            }
        }
        read
    }

    /// All instructions a request.
    pub(super) fn each(&self) -> f64 {
        float(self.functions.values().sum()) / f64::from(self.requests)
    }

    fn list(
        &self,
        f: &mut fmt::Formatter<'_>,
        title: &str,
        costs: &BTreeMap<String, u64>,
    ) -> fmt::Result {
        writeln!(f, "{:>8}  {:>5}  {title}", "each", "share")?;
        let mut sorted: Vec<_> = costs.iter().collect();
        sorted.sort_by_key(|(_, cost)| std::cmp::Reverse(**cost));
        for (name, cost) in sorted.into_iter().take(FUNCTIONS) {
            let each = float(*cost) / f64::from(self.requests);
            let share = 100.0 * each / self.each();
            writeln!(f, "{each:>8.0}  {share:>4.1}%  {name}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Instructions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list(f, "crate", &self.crates)?;
        writeln!(f)?;
        self.list(f, "function", &self.functions)
    }
}

/// Names are written out once and numbered: `(7) name` the first time, `(7)` from then on.
#[derive(Debug, Default)]
struct Names<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Names<'a> {
    fn of(&mut self, text: &'a str) -> &'a str {
        match text.split_once(' ') {
            Some((id, name)) => {
                self.0.insert(id, name);
                name
            }
            None => self.0.get(text).copied().unwrap_or(text),
        }
    }
}

/// Whose a function is, by the file that it was written in.
fn owner<'a>(file: &'a str, function: &str) -> &'a str {
    let parts = || file.split('/');
    let own = |part: &&str| part.starts_with("gateway-") || part.starts_with("adapter-");
    if file.contains("/registry/src/") {
        let package = parts().skip_while(|part| *part != "src").nth(2);
        let package = package.unwrap_or(file);
        package.rsplit_once('-').map_or(package, |(name, _)| name)
    } else if file.starts_with("/rustc/") {
        "the standard library"
    } else if let Some(package) = parts().find(own) {
        package
    } else if function.starts_with("mi_") || function.starts_with("_mi_") {
        "mimalloc"
    } else if function.starts_with("sqlite3") || function.starts_with("json") {
        "sqlite"
    } else {
        "C"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_functions_own_instructions_count() {
        let text = "\
version: 1
fl=(1) /a/registry/src/index/hyper-util-0.1.2/src/lib.rs
fn=(1) main
10 5
cfn=(2) work
calls=3 20
+1 900
fl=(2) /rustc/0/library/core/src/x.rs
fn=(2)
20 300
fi=(1)
* 4
totals: 309
";
        let read = Instructions::read(text, 1);
        assert_eq!(read.functions.get("main"), Some(&5));
        assert_eq!(read.functions.get("work"), Some(&304));
        assert_eq!(read.crates.get("hyper-util"), Some(&5));
        assert_eq!(read.crates.get("the standard library"), Some(&304));
        assert!((read.each() - 309.0).abs() < 1e-9);
    }

    #[test]
    fn functions_belong_to_the_crate_of_their_file() {
        assert_eq!(owner("gateway-app/src/relay.rs", "x"), "gateway-app");
        assert_eq!(owner("/home/x/adapter-http/src/a.rs", "x"), "adapter-http");
        assert_eq!(owner("???", "sqlite3VdbeExec"), "sqlite");
        assert_eq!(owner("???", "mi_free"), "mimalloc");
        assert_eq!(owner("./string/memmove.S", "memcpy"), "C");
    }
}
