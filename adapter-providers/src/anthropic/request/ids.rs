//! Ids of calls, made fit for this dialect: `[a-zA-Z0-9_-]+`, and each of them once.
//!
//! A conversation may have been begun with another provider, whose ids look otherwise or begin anew
//! with every answer. An id depends only on what stands before it, so that a conversation that goes
//! on keeps its cached beginning.

use std::collections::{HashMap, HashSet, VecDeque};

/// What a result says of the call that it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key<'a> {
    /// Its id.
    Id(&'a str),
    /// The function's name, in the old dialect.
    Name(&'a str),
}

/// The ids of one request.
#[derive(Debug, Default)]
pub(super) struct Ids<'a> {
    taken: HashSet<String>,
    /// The last number behind an id that was there already.
    numbers: HashMap<String, u64>,
    last: HashMap<Key<'a>, String>,
    /// The calls of the turn that is answered next.
    turn: Vec<String>,
    /// Where in it the calls stand that nobody answered yet.
    open: HashMap<Key<'a>, VecDeque<usize>>,
}

impl<'a> Ids<'a> {
    /// The model speaks: results that come later answer what it says now.
    pub(super) fn begin_turn(&mut self) {
        self.turn.clear();
        // Not cleared: that takes as long as the largest turn, for every turn.
        self.open = HashMap::new();
    }

    /// The id of a call.
    pub(super) fn call(&mut self, key: Key<'a>) -> String {
        let id = self.unique(plain(key));
        self.last.insert(key, id.clone());
        self.open.entry(key).or_default().push_back(self.turn.len());
        self.turn.push(id.clone());
        id
    }

    /// The id of the call that a result answers, and its place in the turn; the last place for one
    /// that is not in it.
    pub(super) fn result(&mut self, key: Key<'a>) -> (String, usize) {
        let place = self.open.get_mut(&key).and_then(VecDeque::pop_front);
        if let Some((place, id)) = place.and_then(|place| Some((place, self.turn.get(place)?))) {
            return (id.clone(), place);
        }
        let id = self.last.get(&key).cloned().unwrap_or_else(|| plain(key));
        (id, usize::MAX)
    }

    /// The calls of the turn that nobody answered, with their places.
    pub(super) fn unanswered(&self) -> Vec<(String, usize)> {
        let mut places: Vec<usize> = self.open.values().flatten().copied().collect();
        places.sort_unstable();
        places.into_iter().filter_map(|at| Some((self.turn.get(at)?.clone(), at))).collect()
    }

    fn unique(&mut self, id: String) -> String {
        if self.taken.insert(id.clone()) {
            return id;
        }
        let number = self.numbers.entry(id.clone()).or_insert(1);
        loop {
            *number += 1;
            let candidate = format!("{id}_{number}");
            if self.taken.insert(candidate.clone()) {
                return candidate;
            }
        }
    }
}

fn plain(key: Key<'_>) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let clean = |text: &str| text.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    match key {
        Key::Id("") => String::from("call"),
        Key::Id(id) => clean(id),
        Key::Name(name) => clean(&format!("call_{name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_and_odd_ids_become_different_and_plain_ones() {
        let mut ids = Ids::default();
        ids.begin_turn();
        let calls = ["a:b", "a_b", "c", "c", "", "\u{e9}"].map(|id| ids.call(Key::Id(id)));
        assert_eq!(calls, ["a_b", "a_b_2", "c", "c_2", "call", "_"]);
        let results = ["c", "a_b", "c", "x y"].map(|id| ids.result(Key::Id(id)));
        let expected = [("c", 2), ("a_b_2", 1), ("c_2", 3), ("x_y", usize::MAX)];
        assert_eq!(results, expected.map(|(id, place)| (id.to_owned(), place)));
        let open: Vec<String> = ids.unanswered().into_iter().map(|(id, _)| id).collect();
        assert_eq!(open, ["a_b", "call", "_"]);
        ids.begin_turn();
        assert_eq!(ids.call(Key::Id("c")), "c_3");
        assert_eq!(ids.result(Key::Id("c")), ("c_3".to_owned(), 0));
        assert_eq!(ids.result(Key::Id("a:b")), ("a_b".to_owned(), usize::MAX));
        assert_eq!(ids.call(Key::Name("f.g")), "call_f_g");
        assert_eq!(ids.result(Key::Name("f.g")), ("call_f_g".to_owned(), 1));
    }
}
