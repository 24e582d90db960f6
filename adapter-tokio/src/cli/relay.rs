//! `gateway relay`: the relay proxy's configuration, and its life.

use crate::{
    cli::signal,
    relay::{self, DEFAULT_HOSTS, RelayOptions},
    runtime::OsEntropy,
    server::{self, ServerOptions},
};
use clap::Args;
use gateway_app::variables;
use gateway_domain::egress::HostList;
use gateway_ports::Entropy as _;
use secrecy::SecretString;
use std::{error::Error, io::Write as _, net::SocketAddr, time::Duration};
use tokio::net::TcpListener;

/// What `gateway relay` is configured with.
#[derive(Args, Clone, Debug)]
pub struct RelayArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8788")]
    listen: SocketAddr,
    /// What callers have to show, at least 32 bytes.
    #[arg(long, env = "RELAY_PROXY_KEY", hide = true, hide_env_values = true)]
    key: Option<SecretString>,
    /// The hosts that are reached, and no others: `api.example.com`, with a port if that matters;
    /// `.example.com` for every name below it.
    #[arg(long, env = "RELAY_ALLOWED_HOSTS", default_value = DEFAULT_HOSTS)]
    allowed_hosts: String,
    /// Lets the allowed hosts be on this machine.
    #[arg(long, env = "ALLOW_LOOPBACK_UPSTREAMS", value_parser = variables::switch, default_value = "0")]
    allow_loopback_upstreams: bool,
    /// Milliseconds to connect to a target.
    #[arg(long, env = "CONNECT_TIMEOUT_MS", default_value_t = 10_000)]
    connect_timeout_ms: u64,
    /// Milliseconds to the head of a target's answer.
    #[arg(long, env = "FIRST_BYTE_TIMEOUT_MS", default_value_t = 120_000)]
    first_byte_timeout_ms: u64,
    /// Milliseconds between two reads of a target's answer.
    #[arg(long, env = "IDLE_TIMEOUT_MS", default_value_t = 120_000)]
    idle_timeout_ms: u64,
    /// Milliseconds for a whole exchange.
    #[arg(long, env = "TOTAL_TIMEOUT_MS", default_value_t = 1_800_000)]
    total_timeout_ms: u64,
    /// Milliseconds for the head of a request.
    #[arg(long, env = "HEADER_TIMEOUT_MS", default_value_t = 10_000)]
    header_timeout_ms: u64,
    /// Milliseconds for the body of a request.
    #[arg(long, env = "BODY_TIMEOUT_MS", default_value_t = 30_000)]
    body_timeout_ms: u64,
    /// Milliseconds that exchanges in flight have when the relay shuts down.
    #[arg(long, env = "SHUTDOWN_TIMEOUT_MS", default_value_t = 30_000)]
    shutdown_timeout_ms: u64,
}

impl RelayArgs {
    /// Serves until the process is told to stop.
    ///
    /// # Errors
    /// When the relay cannot start.
    pub async fn run(self) -> Result<(), Box<dyn Error>> {
        let stop = signal::told_to_stop()?;
        let ms = Duration::from_millis;
        let options = RelayOptions {
            key: self
                .key
                .ok_or("RELAY_PROXY_KEY must be set: at least 32 bytes that callers show")?,
            hosts: HostList::parse(&self.allowed_hosts),
            allow_loopback: self.allow_loopback_upstreams,
            connect_timeout: ms(self.connect_timeout_ms),
            body_timeout: ms(self.body_timeout_ms),
            first_byte_timeout: ms(self.first_byte_timeout_ms),
            idle_timeout: ms(self.idle_timeout_ms),
            total_timeout: ms(self.total_timeout_ms),
        };
        let random = OsEntropy.bytes();
        let instance = random.first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk));
        let router = relay::router(options, instance)?;
        let listener = TcpListener::bind(self.listen).await?;
        let address = listener.local_addr()?;
        tracing::info!(%address, "relaying");
        writeln!(std::io::stdout().lock(), "listening on http://{address}")?;
        let options = ServerOptions {
            header_timeout: ms(self.header_timeout_ms),
            shutdown_timeout: ms(self.shutdown_timeout_ms),
            ..ServerOptions::default()
        };
        server::serve(listener, router, options, stop).await;
        Ok(())
    }
}
