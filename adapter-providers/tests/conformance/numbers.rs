//! The list of cases is whole: each of its numbers is the name of a test, or stands here with the
//! reason why it is none.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// How many cases there are.
const CASES: u16 = 40;

/// Cases that are about what this product does not have.
const NOT_HERE: [(u16, &str); 1] = [(
    40,
    "an answer written as Anthropic's events is for clients of /v1/messages, and the gateway has \
     one API for clients: OpenAI's. That the address is none is one of the end-to-end tests.",
)];

/// The numbers of the tests of a file: `fn case_7_the_choice_of_tools` behind `#[test]`.
fn numbers(source: &str) -> impl Iterator<Item = u16> {
    let behind = source.split("#[test]").skip(1).map(str::trim_start);
    behind.filter_map(|text| {
        let name = text.strip_prefix("fn case_")?;
        name.split('_').next()?.parse().ok()
    })
}

fn of_folder(folder: &Path, found: &mut BTreeSet<u16>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            of_folder(&path, found);
        } else {
            found.extend(numbers(&fs::read_to_string(path).unwrap()));
        }
    }
}

#[test]
fn every_number_of_the_list_is_a_case_or_has_a_reason() {
    let mut found = BTreeSet::new();
    of_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance"), &mut found);
    for (number, reason) in NOT_HERE {
        assert!(found.insert(number), "case {number} is a test, and needs no reason: {reason}");
    }
    assert_eq!(found, (1..=CASES).collect());
}

#[test]
fn a_number_that_is_no_test_is_not_counted() {
    let source = "#[test]\nfn case_7_a() {}\nfn case_8_a() {}\n#[test]\n    fn case_9_a() {}\n#[test] fn other() {}";
    assert_eq!(numbers(source).collect::<Vec<_>>(), [7, 9]);
}
