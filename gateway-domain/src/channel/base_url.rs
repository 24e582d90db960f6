//! Which addresses a channel may point at.
//!
//! Whoever can set a base URL can make the gateway connect to it, so it must not lead into the
//! operator's own network. This is the check of the text; the connection itself goes only to
//! addresses that [`is_public`] admits, because a name may resolve to anything.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// Why a URL is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsafeUrl {
    /// It cannot be read, or has parts that a base URL has no use for.
    #[error("base_url must be a plain https URL, without user, query or fragment")]
    Form,
    /// It is not https.
    #[error("base_url must start with https://")]
    Scheme,
    /// The host is an address or a local name.
    #[error("base_url must name a public host, not an address or a local name")]
    Host,
    /// The port is not one that web servers use.
    #[error("base_url must use port 443, or one above 1023")]
    Port,
}

/// Checks a channel's base URL and returns it in normal form, without a slash at the end.
/// `allow_loopback` also admits `http://127.0.0.1` and `http://localhost`, for local model servers.
pub fn vet(text: &str, allow_loopback: bool) -> Result<String, UnsafeUrl> {
    let odd = |c: char| c == '\\' || c.is_whitespace() || c.is_control();
    if text.len() > 2048 || text.contains(odd) || !text.is_ascii() {
        return Err(UnsafeUrl::Form);
    }
    let url = Url::parse(text).map_err(|_| UnsafeUrl::Form)?;
    // `https:host` and `https:///host` parse, but nobody means them.
    let after_scheme = text.split_once("://").map(|(_, rest)| rest).ok_or(UnsafeUrl::Form)?;
    if after_scheme.starts_with('/')
        || !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
        || after_scheme.split('/').next().is_none_or(|authority| authority.contains('@'))
    {
        return Err(UnsafeUrl::Form);
    }
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return Err(UnsafeUrl::Form),
    };
    if loopback && allow_loopback {
        return match url.scheme() {
            "http" | "https" => Ok(normal(&url)),
            _ => Err(UnsafeUrl::Scheme),
        };
    }
    if url.scheme() != "https" {
        return Err(UnsafeUrl::Scheme);
    }
    match url.host() {
        Some(Host::Domain(name)) if is_public_name(name) => {}
        _ => return Err(UnsafeUrl::Host),
    }
    match url.port() {
        None | Some(1024..) => Ok(normal(&url)),
        Some(_) => Err(UnsafeUrl::Port),
    }
}

fn normal(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

fn is_public_name(name: &str) -> bool {
    const LOCAL: [&str; 9] =
        ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa", "onion"];
    let last = name.rsplit('.').next().unwrap_or_default();
    // `xn--`: a name that only looks like another one.
    name.contains('.')
        && !last.is_empty()
        && !LOCAL.contains(&last)
        && !name.split('.').any(|label| label.starts_with("xn--"))
        && last.bytes().any(|b| b.is_ascii_alphabetic())
}

/// Whether an address is one of the public Internet: the only ones that a channel's connection may
/// go to, besides loopback where the operator allows it.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_unspecified()
        || ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_multicast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, ..] = ip.segments();
    // Only 2000::/3 is given out; inside it, ranges that embed an IPv4 address or are reserved.
    (0x2000..0x4000).contains(&a)
        && a != 0x2002
        && !(a == 0x2001 && (b < 0x200 || b == 0xdb8))
        && !(a == 0x3fff && b < 0x1000)
        && !(a == 0x2620 && b == 0x4f && c == 0x8000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_https_hosts_are_taken_in_normal_form() {
        for (text, expected) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1"),
            ("https://api.openai.com/", "https://api.openai.com"),
            ("https://LLM.Example.com:8443/a/b/", "https://llm.example.com:8443/a/b"),
        ] {
            assert_eq!(vet(text, false).as_deref(), Ok(expected));
        }
        assert_eq!(
            vet("http://127.0.0.1:8080/v1", true).as_deref(),
            Ok("http://127.0.0.1:8080/v1")
        );
        assert_eq!(vet("http://localhost:8080", true).as_deref(), Ok("http://localhost:8080"));
    }

    #[test]
    fn everything_that_leads_inside_is_refused() {
        for text in [
            "",
            "api.openai.com",
            "http://api.openai.com",
            "ftp://api.openai.com",
            "file:///etc/passwd",
            "https://u:p@h.example.com",
            "https://u@h.example.com",
            "https://@h.example.com",
            "https://h.example.com#x",
            "https://h.example.com/?a=1",
            "https:\\\\h.example.com",
            "https:h.example.com",
            "https:///h.example.com",
            "https://127.0.0.1",
            "https://0x7f.1",
            "https://2130706433",
            "https://017700000001",
            "https://[::1]",
            "https://[::ffff:10.0.0.1]",
            "https://[64:ff9b::a00:1]",
            "https://169.254.169.254",
            "https://100.100.100.200",
            "https://8.8.8.8",
            "https://localhost",
            "https://localhost.",
            "https://foo.local",
            "https://a.internal",
            "https://metadata.google.internal",
            "https://intranet",
            "https://h.example.com.",
            "https://xn--pypal-4ve.com",
            "https://p\u{430}ypal.com",
            "https://h.example.com:22",
            "https://h.example.com:0",
            "https://h.example.com\t/v1",
            "https://h example.com",
            "gopher://h.example.com",
            "https://",
        ] {
            assert!(vet(text, false).is_err(), "{text}");
        }
        for text in [
            "http://10.0.0.1",
            "http://127.0.0.1@evil.example.com",
            "http://0.0.0.0",
            "ws://127.0.0.1",
        ] {
            assert!(vet(text, true).is_err(), "{text}");
        }
    }

    #[test]
    fn only_global_addresses_are_public() {
        for address in [
            "10.0.0.1",
            "127.0.0.1",
            "0.0.0.0",
            "100.64.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "2001::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
