//! How limits are told: in the headers that `OpenAI`'s clients know.

use gateway_domain::policy::rate::{Gauge, Standing};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;

/// Limit, remaining and reset of a sort of limit.
type Names = [HeaderName; 3];

const REQUESTS: Names = [
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
];
const TOKENS: Names = [
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
];

/// `Retry-After` in milliseconds.
pub(crate) const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Every header that may be about limits besides `Retry-After`.
pub(crate) fn names() -> impl Iterator<Item = HeaderName> {
    REQUESTS.into_iter().chain(TOKENS).chain([RETRY_AFTER_MS])
}

/// Says how the limits stand; of a limit that there is not, nothing is said.
pub(crate) fn tell(headers: &mut HeaderMap, standing: &Standing) {
    for (names, gauge) in [(REQUESTS, standing.requests), (TOKENS, standing.tokens)] {
        let Some(Gauge { limit, remaining, reset }) = gauge else {
            continue;
        };
        let reset = HeaderValue::try_from(span(reset)).ok();
        let values = [Some(limit.into()), Some(remaining.into()), reset];
        for (name, value) in names.into_iter().zip(values) {
            headers.extend(value.map(|value| (name, value)));
        }
    }
}

/// A length of time as `OpenAI` writes it: `0s`, `20ms`, `1.5s`, `1m0s`.
fn span(length: Duration) -> String {
    let millis = length.as_millis();
    if (1..1000).contains(&millis) {
        return format!("{millis}ms");
    }
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let fraction = format!(".{:03}", rest % 1000);
    let seconds =
        format!("{}{}s", rest / 1000, fraction.trim_end_matches('0').trim_end_matches('.'));
    if minutes == 0 { seconds } else { format!("{minutes}m{seconds}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_clients_know_them() {
        for (millis, text) in [
            (0, "0s"),
            (20, "20ms"),
            (999, "999ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (59_007, "59.007s"),
            (60_000, "1m0s"),
            (61_040, "1m1.04s"),
        ] {
            assert_eq!(span(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn only_limits_that_there_are_are_told() {
        let mut headers = HeaderMap::new();
        tell(&mut headers, &Standing::default());
        assert!(headers.is_empty());
        let gauge = Gauge { limit: 3, remaining: 0, reset: Duration::from_secs(7) };
        tell(&mut headers, &Standing { requests: None, tokens: Some(gauge) });
        let told: Vec<_> = TOKENS.iter().map(|name| headers[name].to_str().unwrap()).collect();
        assert_eq!((told, headers.len()), (vec!["3", "0", "7s"], 3));
    }
}
