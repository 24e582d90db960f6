//! What a provider says, without what only its operator may read.

use std::net::Ipv4Addr;

const MOST_CHARS: usize = 500;
const REDACTED: &str = "[redacted]";

/// A provider's message without anything that looks like a key, on one line, and short.
pub fn scrub(message: &str) -> String {
    let part_of_key = |c: char| c.is_ascii_alphanumeric() || "-_.*".contains(c);
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut clean = String::new();
    let mut rest = line.as_str();
    while !rest.is_empty() && clean.len() < 4 * MOST_CHARS {
        let end = rest.find(|c| !part_of_key(c)).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end);
        clean.push_str(if looks_secret(run) { REDACTED } else { run });
        let next = behind.find(part_of_key).unwrap_or(behind.len());
        let (between, after) = behind.split_at(next);
        clean.extend(between.chars().filter(|c| !c.is_control()));
        rest = after;
    }
    clean.chars().take(MOST_CHARS).collect()
}

/// Keys, numbers of accounts and projects, and hosts that are nobody's business.
fn looks_secret(run: &str) -> bool {
    const PREFIXES: [&str; 8] = ["sk-", "sk_", "gsk_", "xai-", "AIza", "org-", "proj_", "acct_"];
    const LOCAL: [&str; 4] = [".internal", ".local", ".lan", ".intranet"];
    let run = run.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    PREFIXES.iter().any(|prefix| run.starts_with(prefix))
        || (run.len() >= 32 && run.bytes().any(|b| b.is_ascii_digit()))
        || (run.len() >= 10 && run.bytes().all(|b| b.is_ascii_digit()))
        || LOCAL.iter().any(|end| run.ends_with(end))
        || run.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_never_pass() {
        for message in [
            "Incorrect API key provided: sk-abcdefghijklmnop1234.",
            "key=AIzaSyA1234567890",
            "token 'sk-proj-1234567890'",
            "see 0123456789abcdef0123456789abcdef",
            "\"Bearer\" sk-ant-api03-xyz",
            "key gsk_abcdefghijklmnop is revoked",
            "quota of project_number:1234567890123",
            "connecting to http://10.1.2.3:8000/v1 failed",
            "no route to models.prod.svc.internal.",
        ] {
            let clean = scrub(message);
            assert!(
                clean.contains("[redacted]")
                    && !clean.contains("1234567890")
                    && !clean.contains("10.1.2.3")
                    && !clean.contains("prod")
                    && !clean.contains("abcdefghijkl"),
                "{clean}"
            );
        }
        let quoted = scrub(r#"bad request {"api_key":"sk-live1234567890"},"model":"m"}"#);
        assert_eq!(quoted, r#"bad request {"api_key":"[redacted]"},"model":"m"}"#);
        assert_eq!(scrub("plain\r\nwords"), "plain words");
        assert!(scrub(&"word ".repeat(1000)).chars().count() <= MOST_CHARS);
    }

    #[test]
    fn what_helps_the_caller_stays() {
        for message in [
            "maximum context length is 128000 tokens, however you requested 200000",
            "The model `gpt-4o-mini-2024-07-18` does not exist",
            "see https://platform.example.com/docs/errors, version 1.2.3",
        ] {
            assert_eq!(scrub(message), message);
        }
    }
}
