//! How long a provider asks to wait.

use gateway_domain::Timestamp;
use http::{HeaderMap, header::RETRY_AFTER};
use std::time::{Duration, UNIX_EPOCH};

/// A provider that asks for more than a day is not believed.
const MOST_WAIT: Duration = Duration::from_secs(86_400);

/// What the headers say, or else the message.
pub(super) fn retry_after(headers: &HeaderMap, message: &str, now: Timestamp) -> Option<Duration> {
    of_headers(headers, now).or_else(|| of_message(message)).filter(|wait| *wait <= MOST_WAIT)
}

fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok()
}

fn of_headers(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    let millis = text("retry-after-ms").and_then(|ms| ms.parse::<f64>().ok());
    if let Some(millis) = millis {
        return seconds(millis / 1000.0);
    }
    let after = text(RETRY_AFTER.as_str())?;
    match after.parse() {
        Ok(number) => seconds(number),
        Err(_) => until(after, now),
    }
}

fn until(date: &str, now: Timestamp) -> Option<Duration> {
    let at = httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(at.as_millis()).ok()?).since(now))
}

/// `try again in 7 seconds`, `retry after 1m2.5s`: all that some front ends say.
fn of_message(message: &str) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let behind = |words: &str| lower.find(words).and_then(|at| lower.get(at + words.len()..));
    let mut rest = ["try again in ", "retry after ", "retry in "].into_iter().find_map(behind)?;
    let mut wait = Duration::ZERO;
    let mut found = false;
    loop {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (digits, behind) = rest.split_at(number);
        let behind = behind.trim_start();
        let unit = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit);
        let one = match unit {
            "ms" | "millisecond" | "milliseconds" => 0.001,
            "s" | "sec" | "second" | "seconds" => 1.0,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3600.0,
            _ => break,
        };
        let Ok(number) = digits.parse::<f64>() else { break };
        wait = wait.checked_add(seconds(number * one)?)?;
        found = true;
        rest = behind;
    }
    found.then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_and_bounded() {
        for (name, value, expected) in [
            ("retry-after", "7", Some(7000)),
            ("retry-after-ms", "1500", Some(1500)),
            ("retry-after", "-1", None),
            ("retry-after", "1e99", None),
            ("retry-after", "soon", None),
            ("retry-after", "Sun, 22 Nov 2026 10:00:07 GMT", Some(7000)),
            ("retry-after", "Sun, 22 Nov 2026 09:00:00 GMT", Some(0)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let now = Timestamp::parse_rfc3339("2026-11-22T10:00:00Z").unwrap();
            let wait = retry_after(&headers, "", now);
            assert_eq!(wait.map(|w| w.as_millis()), expected, "{name}: {value}");
        }
    }

    #[test]
    fn a_message_may_say_how_long_where_no_header_does() {
        for (message, expected) in [
            ("Rate limit is exceeded. Try again in 7 seconds.", Some(7000)),
            ("have exceeded call rate limit. Please retry after 1 second.", Some(1000)),
            ("Rate limit reached. Please try again in 6ms. Visit x", Some(6)),
            ("Please try again in 1m12.5s.", Some(72_500)),
            ("Please try again in 1h0m3s", Some(3_603_000)),
            ("try again in 3 days", None),
            ("try again in a while", None),
            ("retry after 99999999 hours", None),
            ("retry after 1.2.3 seconds", None),
            ("", None),
        ] {
            let wait = retry_after(&HeaderMap::new(), message, Timestamp::default());
            assert_eq!(wait.map(|wait| wait.as_millis()), expected, "{message}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "3".parse().unwrap());
        let wait = retry_after(&headers, "try again in 7 seconds", Timestamp::default());
        assert_eq!(wait, Some(Duration::from_secs(3)));
    }
}
