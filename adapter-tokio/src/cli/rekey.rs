//! `gateway rekey`: every stored provider key is encrypted with the newest master key.

use super::CliError;
use crate::{
    runtime::{OsEntropy, SystemClock},
    secrets::{FILE_NAME, Secrets},
};
use adapter_sql::SqlChannels;
use adapter_sqlite::{SqliteExecutor, SqliteOptions};
use clap::Args;
use gateway_app::{MasterKeys, Vault, manage::rekey::rekey};
use gateway_domain::RequestId;
use gateway_ports::{AuditAction, AuditEntry, Clock, Entropy};
use secrecy::{ExposeSecret, SecretString};
use std::{
    error::Error,
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
};

/// Encrypts every stored provider key with the newest master key: the first of MASTER_KEYS. No
/// gateway may be running on the database; one that is does the same at POST /api/rekey.
#[derive(Args, Clone, Debug)]
pub struct RekeyArgs {
    /// The database.
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite://gateway.db")]
    database_url: String,
    /// The new master key, and behind it the older ones; those of gateway.secrets if absent.
    #[arg(long, env = "MASTER_KEYS", hide = true, hide_env_values = true)]
    master_keys: Option<SecretString>,
}

impl RekeyArgs {
    /// Does it, and prints how many keys were rekeyed.
    ///
    /// # Errors
    /// When the database cannot be opened, or some keys cannot: their channels are named, and all
    /// others are done.
    pub async fn run(self) -> Result<(), CliError> {
        Ok(self.work().await?)
    }

    async fn work(self) -> Result<(), Box<dyn Error>> {
        let options = SqliteOptions::new(self.database_url.clone());
        let file = options.file()?.ok_or("a database in memory has no stored keys")?;
        if !file.exists() {
            return Err(format!("there is no database at {}", file.display()).into());
        }
        let vault = Vault::new(MasterKeys::parse(self.master_keys(&file)?.expose_secret())?);
        let executor = SqliteExecutor::open(&options).await?;
        let channels = SqlChannels::new(executor.clone());
        let entry = AuditEntry::new(request_id(), SystemClock.now(), AuditAction::ChannelRekey);
        let done = rekey(&channels, &vault, &OsEntropy, &entry).await;
        executor.close().await;
        let done = done?.complete()?;
        let (rekeyed, current) = (done.rekeyed, done.current);
        writeln!(std::io::stdout().lock(), "rekeyed: {rekeyed}, already current: {current}")?;
        Ok(())
    }

    fn master_keys(&self, database: &Path) -> Result<SecretString, Box<dyn Error>> {
        if let Some(keys) = &self.master_keys {
            return Ok(keys.clone());
        }
        let beside: PathBuf = database.with_file_name(FILE_NAME);
        if !beside.exists() {
            let place = beside.display();
            return Err(format!("MASTER_KEYS is not set, and there is no {place}").into());
        }
        let folder = beside.parent().unwrap_or(Path::new("."));
        Ok(Secrets::beside(folder, &OsEntropy)?.master_keys)
    }
}

/// An id for the audit log, whose entries are one for each request and object.
fn request_id() -> RequestId {
    RequestId(OsEntropy.bytes().iter().take(8).fold("rekey-".to_owned(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    }))
}
