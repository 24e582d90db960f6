//! Which addresses the gateway may be made to connect to: by a channel, or through the relay proxy.
//!
//! Whoever can set a URL can make the gateway connect to it, so it must not lead into the
//! operator's own network. This is the check of the text; the connection itself goes only to
//! addresses that [`is_public`] admits, because a name may resolve to anything.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::{Host, Url};

/// Why a URL is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsafeUrl {
    /// It cannot be read, or has parts that it has no use for.
    #[error("the URL must be a plain https URL, without user, query or fragment")]
    Form,
    /// It is not https.
    #[error("the URL must start with https://")]
    Scheme,
    /// The host is an address or a local name.
    #[error("the URL must name a public host, not an address or a local name")]
    Host,
    /// The port is not one that web servers use.
    #[error("the URL must use port 443, or one above 1023")]
    Port,
}

/// What a URL is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Paths and queries are put behind it.
    Base,
    /// It is asked as it stands, and may have a query.
    Target,
}

/// Checks a URL that somebody else chose.
///
/// `allow_loopback` also admits `http://127.0.0.1` and `http://localhost`, for local model servers.
///
/// # Errors
/// [`UnsafeUrl`] says what is wrong with it.
pub fn vet(text: &str, purpose: Purpose, allow_loopback: bool) -> Result<Url, UnsafeUrl> {
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
        || (url.query().is_some() && purpose == Purpose::Base)
        || url.fragment().is_some()
        || after_scheme.split(['/', '?']).next().is_none_or(|authority| authority.contains('@'))
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
            "http" | "https" => Ok(url),
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
        None | Some(1024..) => Ok(url),
        Some(_) => Err(UnsafeUrl::Port),
    }
}

/// Checks a channel's base URL, and gives it in normal form, without a slash at the end.
///
/// # Errors
/// As [`vet`].
pub fn base_url(text: &str, allow_loopback: bool) -> Result<String, UnsafeUrl> {
    let url = vet(text, Purpose::Base, allow_loopback)?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Hosts that an operator names: `api.example.com`, `api.example.com:8443` or, for every name below
/// it, `.example.com`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostList(Vec<String>);

impl HostList {
    /// Reads a list that is separated by commas.
    pub fn parse(text: &str) -> Self {
        let hosts = text.split(',').map(|host| host.trim().to_ascii_lowercase());
        Self(hosts.filter(|host| !host.is_empty()).collect())
    }

    /// Whether nobody is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a URL's host is named. Without a port in the list every port is meant.
    pub fn names(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        let port = url.port_or_known_default();
        self.0.iter().any(|named| {
            let (name, wanted) = match named.rsplit_once(':') {
                Some((name, digits)) if digits.parse::<u16>().is_ok() => {
                    (name, digits.parse::<u16>().ok())
                }
                _ => (named.as_str(), None),
            };
            let below = name.starts_with('.') && host.len() > name.len() && host.ends_with(name);
            (below || name == host) && (wanted.is_none() || wanted == port)
        })
    }
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
    use proptest::prelude::*;

    /// The table that the end-to-end tests send to channels and to the relay proxy, too.
    fn table(name: &str) -> Vec<String> {
        let table = include_str!("../../tests/hostile_urls.json");
        let table: serde_json::Value = serde_json::from_str(table).unwrap();
        let rows = table[name].as_array().unwrap().iter();
        rows.map(|row| row.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn public_https_hosts_are_taken_in_normal_form() {
        for (text, expected) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1"),
            ("https://api.openai.com/", "https://api.openai.com"),
            ("https://LLM.Example.com:8443/a/b/", "https://llm.example.com:8443/a/b"),
        ] {
            assert_eq!(base_url(text, false).as_deref(), Ok(expected));
        }
        for url in ["http://127.0.0.1:8080/v1", "http://localhost:8080"] {
            assert_eq!(base_url(url, true).as_deref(), Ok(url));
            assert!(base_url(url, false).is_err());
        }
        for url in table("good") {
            assert!(base_url(&url, false).is_ok(), "{url}");
        }
    }

    #[test]
    fn h8_everything_that_leads_inside_is_refused() {
        let hostile = table("hostile");
        assert!(hostile.len() >= 100, "{}", hostile.len());
        for url in hostile {
            assert!(base_url(&url, false).is_err(), "{url}");
            assert!(vet(&url, Purpose::Target, false).is_err() || url.contains('?'), "{url}");
        }
        for url in [
            "http://10.0.0.1",
            "http://127.0.0.1@evil.example.com",
            "http://0.0.0.0",
            "ws://127.0.0.1",
        ] {
            assert!(base_url(url, true).is_err(), "{url}");
        }
    }

    #[test]
    fn only_a_target_may_have_a_query() {
        let url = "https://api.example.com/v1beta/models/x:stream?alt=sse";
        assert!(vet(url, Purpose::Target, false).is_ok());
        assert_eq!(vet(url, Purpose::Base, false), Err(UnsafeUrl::Form));
        assert!(vet("https://u@a.example.com?x", Purpose::Target, false).is_err());
        assert!(vet("https://a.example.com?@b", Purpose::Target, false).is_ok());
    }

    #[test]
    fn hosts_are_named_with_and_without_ports_and_from_their_ends() {
        let list = HostList::parse(" api.example.com, .Azure.example ,127.0.0.1:99,");
        let named = |url: &str| list.names(&Url::parse(url).unwrap());
        for url in [
            "https://api.example.com/x",
            "https://api.example.com:8443",
            "https://a.b.azure.example",
            "http://127.0.0.1:99/",
        ] {
            assert!(named(url), "{url}");
        }
        for url in [
            "https://evil-api.example.com",
            "https://api.example.com.evil.org",
            "https://azure.example",
            "https://evilazure.example",
            "http://127.0.0.1:98",
            "http://127.0.0.1",
        ] {
            assert!(!named(url), "{url}");
        }
        assert!(HostList::parse(" , ").is_empty());
    }

    proptest! {
        #[test]
        fn no_notation_of_an_address_is_a_public_host(octets in any::<[u8; 4]>(), form in 0..6) {
            let [a, b, c, d] = octets;
            let whole = u32::from_be_bytes(octets);
            let host = match form {
                0 => format!("{a}.{b}.{c}.{d}"),
                1 => whole.to_string(),
                2 => format!("0x{whole:x}"),
                3 => format!("0{a:o}.{b}.0x{c:x}.{d}"),
                4 => format!("{a}.{}", whole & 0x00ff_ffff),
                _ => format!("[::ffff:{a}.{b}.{c}.{d}]"),
            };
            prop_assert!(base_url(&format!("https://{host}/v1"), false).is_err(), "{}", host);
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
