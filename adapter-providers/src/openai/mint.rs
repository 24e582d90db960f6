//! Ids for what a server gave none: the same for the same, because there is no chance here.

/// A number that differs where the parts do.
pub(super) fn fingerprint(parts: &[&[u8]]) -> u64 {
    // FNV-1a, with each part's length between them.
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    parts.iter().fold(0xcbf2_9ce4_8422_2325, |hash, part| {
        number(part.len()).iter().chain(part.iter()).fold(hash, mix)
    })
}

/// What sets the ids of one answer apart from those of another: its request. Of a long one the
/// ends are enough; the last message is among them.
pub(super) fn seed(request: &[u8]) -> u64 {
    const MOST: usize = 1024;
    let head = request.get(..request.len().min(MOST)).unwrap_or_default();
    let tail = request.get(request.len().saturating_sub(MOST)..).unwrap_or_default();
    fingerprint(&[&number(request.len()), head, tail])
}

/// An answer's id.
pub(super) fn answer_id(seed: u64, first: &[u8]) -> String {
    format!("chatcmpl-{:016x}", fingerprint(&[&seed.to_le_bytes(), first]))
}

/// The id of one of the calls of one of an answer's choices.
pub(super) fn call_id(seed: u64, choice: u64, call: usize) -> String {
    let parts = [seed.to_le_bytes(), choice.to_le_bytes()];
    let [seed, choice] = &parts;
    format!("call_{:016x}", fingerprint(&[seed, choice, &number(call)]))
}

/// The same bytes on every machine.
fn number(number: usize) -> [u8; 8] {
    u64::try_from(number).unwrap_or(u64::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_has_another_fingerprint() {
        let all = [
            fingerprint(&[]),
            fingerprint(&[b""]),
            fingerprint(&[b"", b""]),
            fingerprint(&[b"ab", b"c"]),
            fingerprint(&[b"a", b"bc"]),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_ne!(call_id(1, 0, 0), call_id(1, 0, 1));
        assert!(call_id(u64::MAX, 1, 2).len() <= 40 && answer_id(1, b"x").len() <= 40);
    }
}
