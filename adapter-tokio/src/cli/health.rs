//! `gateway health`: whether a gateway or a relay answers, for a container that has no other
//! program to ask with.

use crate::upstream::{HyperUpstream, UpstreamOptions};
use bytes::Bytes;
use clap::Args;
use gateway_ports::Upstream as _;
use http::Request;
use std::{error::Error, net::SocketAddr, time::Duration};

/// Whom to ask.
#[derive(Args, Clone, Debug)]
pub struct HealthArgs {
    /// Where it listens.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8787")]
    listen: SocketAddr,
    /// Seconds to wait.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
}

impl HealthArgs {
    /// Asks.
    ///
    /// # Errors
    /// When it does not answer, or not well.
    pub async fn run(self) -> Result<(), Box<dyn Error>> {
        let mut address = self.listen;
        // Whoever listens everywhere is asked here.
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        let client = HyperUpstream::new(UpstreamOptions {
            allow_loopback: true,
            ..UpstreamOptions::default()
        });
        let request = Request::get(format!("http://{address}/health")).body(Bytes::new())?;
        let asked = tokio::time::timeout(Duration::from_secs(self.seconds), client.send(request));
        let status = asked.await.map_err(|_| "it does not answer in time")??.status();
        if status.is_success() { Ok(()) } else { Err(format!("it answers {status}").into()) }
    }
}
