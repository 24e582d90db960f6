//! Which headers a relay passes on, and which end here.

use gateway_app::proxy;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        CONNECTION, CONTENT_LENGTH, COOKIE, FORWARDED, HOST, PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
    },
};

/// About one connection, and never passed on (RFC 9110, 7.6.1).
const OF_CONNECTION: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// About the gateway that calls, and nothing that a provider should see.
const OF_CALLER: [HeaderName; 8] =
    [HOST, CONTENT_LENGTH, COOKIE, FORWARDED, VIA, proxy::KEY, proxy::TARGET, proxy::REQUEST_ID];

/// The beginnings of names that proxies and edges add.
const ADDED: [&str; 4] = ["x-forwarded-", "cf-", "x-real-ip", "x-relay-"];

/// What goes to the target. `mark` tells this relay that a request has been here.
pub(super) fn of_request(given: &HeaderMap, mark: &HeaderValue) -> HeaderMap {
    let mut headers = passed(given, |name| {
        OF_CALLER.contains(name) || ADDED.iter().any(|start| name.as_str().starts_with(start))
    });
    headers.insert(VIA, mark.clone());
    headers
}

/// What comes back. The relay's own mark on an error is not the target's to set.
pub(super) fn of_answer(given: &HeaderMap) -> HeaderMap {
    passed(given, |name| *name == SET_COOKIE || *name == proxy::ERROR)
}

fn passed(given: &HeaderMap, ends_here: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let named: Vec<String> = given
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let mut passed = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        let of_connection =
            OF_CONNECTION.contains(name) || named.iter().any(|named| named == name.as_str());
        if !of_connection && !ends_here(name) {
            passed.append(name, value.clone());
        }
    }
    passed
}

/// Whether a request has been at the relay with this mark.
pub(super) fn has_hop(via: &HeaderValue, mark: &HeaderValue) -> bool {
    let mark = mark.to_str().unwrap_or_default();
    via.to_str().is_ok_and(|via| via.split(',').any(|hop| hop.trim() == mark))
}

/// The id of the call that a request belongs to, if it is one that may be logged.
pub(super) fn request_id(given: &HeaderMap) -> Option<&str> {
    let id = given.get(proxy::REQUEST_ID)?.to_str().ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (id.len() <= 64 && id.bytes().all(plain)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = list
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn h9_headers_of_the_connection_and_of_the_caller_end_here() {
        let given = headers(&[
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("host", "relay"),
            ("x-proxy-key", "k"),
            ("x-target-url", "u"),
            ("x-request-id", "i"),
            ("x-forwarded-for", "10.0.0.1"),
            ("cf-connecting-ip", "10.0.0.1"),
            ("cookie", "c"),
            ("authorization", "Bearer provider"),
            ("content-type", "application/json"),
        ]);
        let passed = of_request(&given, &HeaderValue::from_static("1.1 relay-1"));
        let mut names: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["authorization", "content-type", "via"]);
    }

    #[test]
    fn an_answer_keeps_what_the_gateway_reads() {
        let given = headers(&[
            ("retry-after", "3"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "c"),
            ("x-relay-error", "forged"),
        ]);
        let passed = of_answer(&given);
        assert_eq!(passed.len(), 2);
        assert!(passed.contains_key("retry-after") && passed.contains_key("content-length"));
    }

    #[test]
    fn a_hop_is_known_among_others() {
        let mark = HeaderValue::from_static("1.1 relay-1");
        for (via, expected) in [
            ("1.1 relay-1", true),
            ("1.1 a, 1.1 relay-1", true),
            ("1.1 relay-12", false),
            ("", false),
        ] {
            assert_eq!(has_hop(&HeaderValue::from_static(via), &mark), expected, "{via}");
        }
    }

    #[test]
    fn only_plain_ids_are_logged() {
        assert_eq!(request_id(&headers(&[("x-request-id", "01a2-b")])), Some("01a2-b"));
        assert_eq!(request_id(&headers(&[("x-request-id", "a b")])), None);
        assert_eq!(request_id(&headers(&[])), None);
    }
}
