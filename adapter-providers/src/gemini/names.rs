//! Names of tools: what Gemini does not take is renamed, and mapped back in answers.
//!
//! The same request always gives the same names, so a reader of the answer makes the map again from
//! the call. What is deliberately not known here: what a tool does.

use gateway_domain::ModelCall;
use memchr::memmem;
use serde::Deserialize;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// The longest name that every model takes.
const LONGEST: usize = 64;

/// The names of a request's tools that had to be changed.
#[derive(Debug, Default)]
pub(super) struct Names {
    changed: BTreeMap<String, String>,
    original: BTreeMap<String, String>,
}

impl Names {
    /// The names of these tools, in their order.
    pub(super) fn of<'a>(tools: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut names = Self::default();
        if tools.clone().all(fits) {
            return names;
        }
        let mut taken: BTreeSet<String> =
            tools.clone().filter(|name| fits(name)).map(str::to_owned).collect();
        // Where to go on counting for each name: a request may have any number of functions.
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        for tool in tools.filter(|name| !fits(name)) {
            if names.changed.contains_key(tool) {
                continue;
            }
            let base = fitted(tool);
            let mut name = base.clone();
            while taken.contains(&name) {
                let number = numbers.entry(base.clone()).or_insert(1);
                *number += 1;
                let end = format!("_{number}");
                name = base.chars().take(LONGEST - end.len()).collect::<String>() + &end;
            }
            taken.insert(name.clone());
            names.changed.insert(tool.to_owned(), name.clone());
            names.original.insert(name, tool.to_owned());
        }
        names
    }

    /// The names of the tools in a call, as it was written.
    pub(super) fn of_call(call: &ModelCall) -> Self {
        #[derive(Default, Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            tools: Option<Vec<Tool<'a>>>,
            functions: Option<Vec<Function<'a>>>,
        }
        #[derive(Deserialize)]
        struct Tool<'a> {
            #[serde(borrow)]
            function: Option<Function<'a>>,
        }
        #[derive(Deserialize)]
        struct Function<'a> {
            #[serde(borrow)]
            name: Option<Cow<'a, str>>,
        }
        // Most calls have no tools, and may have pictures that are long to read over.
        let names = ["tools", "functions"].map(|name| memmem::find(call.body(), name.as_bytes()));
        if names == [None, None] {
            return Self::default();
        }
        let body: Body<'_> = serde_json::from_slice(call.body()).unwrap_or_default();
        let tools = body.tools.iter().flatten().filter_map(|tool| tool.function.as_ref());
        let functions = tools.chain(body.functions.iter().flatten());
        Self::of(functions.filter_map(|function| function.name.as_deref()))
    }

    /// What Gemini calls a tool, whether it is declared or only remembered.
    pub(super) fn changed<'a>(&'a self, name: &'a str) -> Cow<'a, str> {
        match self.changed.get(name) {
            Some(changed) => Cow::Borrowed(changed),
            None if fits(name) => Cow::Borrowed(name),
            None => Cow::Owned(fitted(name)),
        }
    }

    /// What the caller calls a tool.
    pub(super) fn original(&self, name: String) -> String {
        self.original.get(&name).cloned().unwrap_or(name)
    }
}

fn fits(name: &str) -> bool {
    name.len() <= LONGEST
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(allowed)
}

fn allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.:-".contains(c)
}

fn fitted(name: &str) -> String {
    let plain: String = name.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
    let begins = plain.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let name = if begins { plain } else { format!("_{plain}") };
    name.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fitted_kept_apart_and_mapped_back() {
        let long = "x".repeat(200);
        let longer = "x".repeat(201);
        let tools =
            ["2fast-lookup", "_2fast-lookup", "get time", "get_time", "ok.a:b-c", &long, &longer];
        let names = Names::of(tools.into_iter());
        let changed = tools.map(|tool| names.changed(tool).into_owned());
        assert_eq!(
            changed[..5],
            ["_2fast-lookup_2", "_2fast-lookup", "get_time_2", "get_time", "ok.a:b-c"]
        );
        let distinct: BTreeSet<&String> = changed.iter().collect();
        assert_eq!(distinct.len(), tools.len());
        for (tool, name) in tools.into_iter().zip(changed.clone()) {
            assert!(fits(&name), "{name}");
            assert_eq!(names.original(name), tool);
        }
        assert_eq!(names.original("unheard-of".into()), "unheard-of");
        assert_eq!(names.changed("\u{fc}ber alles"), "_ber_alles");
        assert_eq!(Names::of([""].into_iter()).changed(""), "_");
    }

    #[test]
    fn a_call_gives_the_same_names_as_its_request() {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"1"}},{"type":"novel"}],"functions":[{"name":"2"}]}"#;
        let call = ModelCall::chat(body.into()).unwrap();
        let names = Names::of_call(&call);
        assert_eq!((names.changed("1"), names.changed("2")), ("_1".into(), "_2".into()));
        assert_eq!(names.original("_2".into()), "2");
    }
}
