//! Ids of tool calls: Gemini's own, or made here where it gives none.
//!
//! Made ids depend on nothing but the call and its answer, so that the same bytes give the same
//! events. What is deliberately not known here: what is called.

use gateway_domain::ModelCall;

/// The longest id that every client and every other provider takes.
pub(super) const LONGEST: usize = 40;

/// How the ids of other providers begin, and of this module.
const FOREIGN: [&str; 5] = ["call_", "toolu_", "srvtoolu_", "chatcmpl-", "fc_"];

/// Whether an id that a client sends back may have been given by Gemini.
pub(super) fn is_native(id: &str) -> bool {
    fits(id)
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && !FOREIGN.iter().any(|prefix| id.starts_with(prefix))
}

/// Whether a client can be given this id.
pub(super) fn fits(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len())
}

/// Makes the ids of one answer.
#[derive(Clone, Debug)]
pub(super) struct Ids(Digest);

impl Ids {
    /// The ids of the answer to a call: the end of a conversation differs from turn to turn.
    pub(super) fn of(call: &ModelCall) -> Self {
        const ENOUGH: usize = 512;
        let body = call.body();
        let mut digest = Digest::default();
        digest.count(body.len());
        digest.add(body.get(body.len().saturating_sub(ENOUGH)..).unwrap_or_default());
        Self(digest)
    }

    /// The id of a call, by its place in an answer that has this id.
    pub(super) fn make(&self, answer: &str, choice: usize, index: usize) -> String {
        let mut digest = self.0.clone();
        digest.add(answer.as_bytes());
        digest.count(choice);
        digest.count(index);
        format!("call_{:024x}", digest.0 & ((1 << 96) - 1))
    }
}

/// FNV-1a with 128 bits: short texts that differ have digests that differ.
#[derive(Clone, Debug)]
struct Digest(u128);

impl Default for Digest {
    fn default() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Digest {
    /// A number, in the same way on every machine.
    fn count(&mut self, number: usize) {
        self.add(&u64::try_from(number).unwrap_or(u64::MAX).to_le_bytes());
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte))
                .wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn made_ids_are_short_distinct_and_not_taken_for_gemini_s() {
        let call = |text: &str| {
            let body =
                format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#);
            ModelCall::chat(body.into()).unwrap()
        };
        let mut all = BTreeSet::new();
        for text in ["a", "b"] {
            for answer in ["", "r1", "r2"] {
                for (choice, index) in [(0, 0), (0, 1), (1, 0), (0, 256)] {
                    let ids = Ids::of(&call(text));
                    let id = ids.make(answer, choice, index);
                    assert_eq!(id, Ids::of(&call(text)).make(answer, choice, index));
                    assert!(id.len() == 29 && !is_native(&id), "{id}");
                    all.insert(id);
                }
            }
        }
        assert_eq!(all.len(), 24);
    }

    #[test]
    fn ids_of_others_are_told_from_gemini_s() {
        for (id, native) in [
            ("46ww9pp1", true),
            ("function-call-1234567890", true),
            ("call_abc", false),
            ("toolu_01A", false),
            ("functions.f:0", false),
            ("", false),
            (&"x".repeat(41), false),
        ] {
            assert_eq!(is_native(id), native, "{id}");
        }
    }
}
