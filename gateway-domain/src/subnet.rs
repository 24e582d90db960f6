//! The networks that a key may be used from.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::{fmt, net::IpAddr};

/// A list of networks; empty means everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct SubnetList(Vec<IpNet>);

/// A part of a subnet list is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("subnet: '{0}' is neither an address nor a network such as 10.0.0.0/8")]
pub struct BadSubnet(pub String);

impl SubnetList {
    /// The most networks a list may have.
    pub const MOST: usize = 64;

    /// Reads a comma-separated list of networks and addresses.
    pub fn parse(text: &str) -> Result<Self, BadSubnet> {
        let nets = text
            .split([',', '\n'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                part.parse::<IpNet>()
                    .or_else(|_| part.parse::<IpAddr>().map(IpNet::from))
                    .map_err(|_| BadSubnet(part.chars().take(64).collect()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if nets.len() > Self::MOST {
            return Err(BadSubnet(format!("{} entries, more than {}", nets.len(), Self::MOST)));
        }
        Ok(Self(nets))
    }

    /// Whether a caller at this address may use the key. An unknown address is only let in when
    /// there is no restriction.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        // An IPv4 client of a dual-stack socket arrives as ::ffff:a.b.c.d.
        self.0.is_empty()
            || address.is_some_and(|ip| {
                let ip = ip.to_canonical();
                self.0.iter().any(|net| net.contains(&ip))
            })
    }
}

impl fmt::Display for SubnetList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, net) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            net.fmt(f)?;
        }
        Ok(())
    }
}

impl From<SubnetList> for String {
    fn from(list: SubnetList) -> Self {
        list.to_string()
    }
}

impl TryFrom<String> for SubnetList {
    type Error = BadSubnet;
    fn try_from(text: String) -> Result<Self, BadSubnet> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_admits_only_its_networks() {
        let list = SubnetList::parse("10.0.0.0/8, 192.168.1.7,2001:db8::/32").unwrap();
        for (address, admitted) in [
            ("10.1.2.3", true),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("::ffff:10.9.9.9", true),
            ("2001:db8::1", true),
            ("::1", false),
        ] {
            assert_eq!(list.admits(address.parse().ok()), admitted, "{address}");
        }
        assert!(!list.admits(None));
        assert!(SubnetList::default().admits(None));
        assert_eq!(list.to_string(), "10.0.0.0/8,192.168.1.7/32,2001:db8::/32");
        assert!(SubnetList::parse("10.0.0.0/33").is_err());
        assert!(SubnetList::parse("office").is_err());
    }
}
