//! Tool calls that a server numbered or named in its own way.
//!
//! Clients rely on it that the calls of a choice have indexes from 0 without a gap, that each call
//! has an id, and that id, type and name come once, with the first piece.

use super::{
    change::{At, Change},
    mint,
    said::{Piece, Slot, as_text},
};
use gateway_ports::Json;
use serde_json::value::RawValue;

/// What has to be changed of the calls in a whole message.
pub(super) fn whole_calls(calls: &[Piece<'_>], seed: u64, choice: u64) -> Vec<Change> {
    let mut changes = Vec::new();
    for (at, call) in calls.iter().enumerate() {
        if call.id.filled().is_none() {
            let id = mint::call_id(seed, choice, at);
            changes.push(Change::set(At::Call(at), "id", Json::of(&id)));
        }
        if call.custom.is_some() {
            continue;
        }
        if Slot(call.kind).filled().is_none() {
            changes.push(Change::set(At::Call(at), "type", Json::of("function")));
        }
        match Slot(call.function.unwrap_or_default().arguments).filled() {
            Some(arguments) => {
                let text = as_text(arguments);
                changes.extend(text.map(|text| Change::set(At::Function(at), "arguments", text)));
            }
            None => changes.push(Change::set(At::Function(at), "arguments", Json::of("{}"))),
        }
    }
    changes
}

/// The calls of a streamed choice, so far.
#[derive(Debug, Default)]
pub(super) struct Calls(Vec<Call>);

/// A call that has begun.
#[derive(Debug)]
struct Call {
    /// The index that the server gave it, if it gave one.
    index: Option<u64>,
    /// The id as the server wrote it; none if it gave none.
    id: Option<String>,
    /// The name as the server wrote it, if it has come.
    name: Option<String>,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About how many bytes are kept of them.
    pub(super) fn kept(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        self.0.iter().map(|call| size_of::<Call>() + text(&call.id) + text(&call.name)).sum()
    }

    /// Looks at the pieces in one delta of this choice, and says what has to be changed of them.
    pub(super) fn look(&mut self, pieces: &[Piece<'_>], seed: u64, choice: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut touched = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            let function = piece.function.unwrap_or_default();
            let given = piece.index.and_then(|raw| serde_json::from_str(raw.get()).ok());
            let id = piece.id.filled().map(RawValue::get);
            let name = function.name.filled().map(RawValue::get);
            let position = match self.find(given, id, name, &touched) {
                Some(position) => {
                    self.go_on(position, at, piece, &mut changes);
                    position
                }
                None => {
                    let position = self.0.len();
                    let call = Call {
                        index: given,
                        id: id.map(str::to_owned),
                        name: name.map(str::to_owned),
                    };
                    self.0.push(call);
                    begin(position, at, piece, seed, choice, &mut changes);
                    position
                }
            };
            touched.push(position);
            if given != u64::try_from(position).ok() {
                changes.push(Change::set(At::Call(at), "index", Json::of(&position)));
            }
            let text = function.arguments.and_then(as_text);
            changes.extend(text.map(|text| Change::set(At::Function(at), "arguments", text)));
        }
        changes
    }

    /// Which call a piece goes on with; `None` if it begins another one. `touched`: the calls that
    /// the same delta has had pieces of.
    fn find(
        &self,
        index: Option<u64>,
        id: Option<&str>,
        name: Option<&str>,
        touched: &[usize],
    ) -> Option<usize> {
        let last = |fits: &dyn Fn(&Call) -> bool| self.0.iter().rposition(fits);
        let known = match (index, id) {
            // Some servers give every call the same index: the id tells them apart.
            (Some(_), Some(id)) => {
                last(&|call| call.index == index && call.id.as_deref().is_none_or(|own| own == id))
            }
            (Some(_), None) => last(&|call| call.index == index),
            (None, Some(id)) => last(&|call| call.id.as_deref() == Some(id)),
            // Without index and id only a name tells that a call begins.
            (None, None) if name.is_some() => None,
            (None, None) => self.0.len().checked_sub(1),
        }?;
        let call = self.0.get(known)?;
        // Without an id another name, or the same once more in one delta, is another call.
        let named = |own: &str| name.is_some_and(|name| name != own || touched.contains(&known));
        let other = id.is_none() && call.name.as_deref().is_some_and(named);
        (!other).then_some(known)
    }

    /// What comes with every piece at some servers has come already.
    fn go_on(&mut self, position: usize, at: usize, piece: &Piece<'_>, changes: &mut Vec<Change>) {
        let Some(call) = self.0.get_mut(position) else { return };
        if piece.id.0.is_some_and(|id| id.get() != "null") {
            changes.push(Change::take(At::Call(at), "id"));
        }
        if piece.kind.is_some_and(|kind| kind.get() == "\"\"") {
            changes.push(Change::take(At::Call(at), "type"));
        }
        let written = piece.function.unwrap_or_default().name;
        match (&call.name, written.filled()) {
            (None, Some(name)) => call.name = Some(name.get().to_owned()),
            _ if written.0.is_some_and(|name| name.get() != "null") => {
                changes.push(Change::take(At::Function(at), "name"));
            }
            _ => {}
        }
    }
}

/// What the first piece of a call must have.
fn begin(
    position: usize,
    at: usize,
    piece: &Piece<'_>,
    seed: u64,
    choice: u64,
    changes: &mut Vec<Change>,
) {
    if piece.id.filled().is_none() {
        let id = mint::call_id(seed, choice, position);
        changes.push(Change::set(At::Call(at), "id", Json::of(&id)));
    }
    if Slot(piece.kind).filled().is_none() && piece.custom.is_none() {
        changes.push(Change::set(At::Call(at), "type", Json::of("function")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(calls: &mut Calls, pieces: &str) -> Vec<(At, &'static str)> {
        let pieces: Vec<Piece<'_>> = serde_json::from_str(pieces).unwrap();
        calls.look(&pieces, 1, 0).iter().map(|change| (change.at, change.field)).collect()
    }

    #[test]
    fn pieces_that_are_as_they_should_be_are_left_alone() {
        let mut calls = Calls::default();
        for pieces in [
            r#"[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]"#,
            r#"[{"index":0,"function":{"arguments":"{"}}]"#,
            r#"[{"index":1,"id":"b","type":"custom","custom":{"name":"g","input":""}}]"#,
            r#"[{"index":0,"id":null,"function":{"name":null,"arguments":"}"}},{"index":1,"custom":{"input":"x"}}]"#,
            // A name that comes late is not one that comes twice.
            r#"[{"index":2,"id":"c","type":"function"}]"#,
            r#"[{"index":2,"function":{"name":"h","arguments":"{}"}}]"#,
            "[]",
        ] {
            assert_eq!(changes(&mut calls, pieces), [], "{pieces}");
        }
        let again = changes(&mut calls, r#"[{"index":2,"function":{"name":"h"}}]"#);
        assert_eq!(again, [(At::Function(0), "name")]);
    }

    #[test]
    fn a_call_that_goes_on_is_known_by_its_index_its_id_or_being_the_last() {
        let mut calls = Calls::default();
        changes(
            &mut calls,
            r#"[{"index":0,"id":"a","function":{"name":"f"}},{"index":1,"id":"b","function":{"name":"f"}}]"#,
        );
        for (pieces, expected) in [
            (r#"[{"index":0,"id":"a"}]"#, vec![(At::Call(0), "id")]),
            (r#"[{"id":"a"}]"#, vec![(At::Call(0), "id"), (At::Call(0), "index")]),
            ("[{}]", vec![(At::Call(0), "index")]),
            (r#"[{"index":1,"function":{"name":"f"}}]"#, vec![(At::Function(0), "name")]),
        ] {
            assert_eq!(changes(&mut calls, pieces), expected, "{pieces}");
            assert_eq!(calls.0.len(), 2, "{pieces}");
        }
        for pieces in [
            r#"[{"index":0,"id":"x","function":{"name":"f"}}]"#,
            r#"[{"index":0,"function":{"name":"other"}}]"#,
            r#"[{"id":"y"}]"#,
            r#"[{"function":{"name":"f"}}]"#,
        ] {
            let before = calls.0.len();
            changes(&mut calls, pieces);
            assert_eq!(calls.0.len(), before + 1, "{pieces}");
        }
    }
}
