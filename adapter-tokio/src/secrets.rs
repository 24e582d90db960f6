//! Secrets that the first start makes and keeps beside the database.

use gateway_app::MasterKeys;
use gateway_ports::Entropy;
use secrecy::SecretString;
use std::{
    fmt::Write as _,
    fs::OpenOptions,
    io::{self, Write as _},
    path::Path,
};
use zeroize::Zeroizing;

/// The name of the file.
pub const FILE_NAME: &str = "gateway.secrets";

/// What signs logins, and what provider keys are encrypted with.
#[derive(Debug)]
pub struct Secrets {
    /// `JWT_SECRET`.
    pub jwt_secret: SecretString,
    /// `MASTER_KEYS`.
    pub master_keys: SecretString,
}

impl Secrets {
    /// New secrets, kept nowhere.
    pub fn passing(entropy: &dyn Entropy) -> Self {
        let hex = entropy.bytes().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let key = Zeroizing::new(entropy.bytes());
        Self {
            jwt_secret: SecretString::from(hex),
            master_keys: SecretString::from(MasterKeys::format("k1", &key).as_str()),
        }
    }

    /// The secrets of a file; if there is none, new ones, written so that only the owner may read
    /// them.
    ///
    /// # Errors
    /// When the file can be neither read nor made, or lacks one of them.
    pub fn beside(folder: &Path, entropy: &dyn Entropy) -> io::Result<Self> {
        let path = folder.join(FILE_NAME);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::read(&Zeroizing::new(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secrets = Self::passing(entropy);
                secrets.write(&path)?;
                Ok(secrets)
            }
            Err(error) => Err(error),
        }
    }

    fn read(text: &str) -> io::Result<Self> {
        let value = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
                .map(|value| SecretString::from(value.trim()))
                .ok_or_else(|| {
                    io::Error::new(io::ErrorKind::InvalidData, format!("{FILE_NAME} has no {name}"))
                })
        };
        Ok(Self { jwt_secret: value("JWT_SECRET")?, master_keys: value("MASTER_KEYS")? })
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        use secrecy::ExposeSecret;
        let text = Zeroizing::new(format!(
            "# Signs logins and encrypts provider keys. Without it the stored provider keys are lost.\nJWT_SECRET={}\nMASTER_KEYS={}\n",
            self.jwt_secret.expose_secret(),
            self.master_keys.expose_secret(),
        ));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::OsEntropy;
    use secrecy::ExposeSecret;

    #[test]
    fn secrets_are_made_once_and_only_for_the_owner() {
        let folder = tempfile::tempdir().unwrap();
        let made = Secrets::beside(folder.path(), &OsEntropy).unwrap();
        let read = Secrets::beside(folder.path(), &OsEntropy).unwrap();
        assert_eq!(made.jwt_secret.expose_secret(), read.jwt_secret.expose_secret());
        assert_eq!(made.master_keys.expose_secret(), read.master_keys.expose_secret());
        assert!(made.jwt_secret.expose_secret().len() >= 32);
        MasterKeys::parse(made.master_keys.expose_secret()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode =
                std::fs::metadata(folder.path().join(FILE_NAME)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
