//! One process a database: an advisory lock on a file beside it.
//!
//! `SQLite` would let a second process in, but the two would refuse each other's writes as busy,
//! and each would believe that nobody else changes what it has cached.

use crate::OpenError;
use std::{
    fs::{File, TryLockError},
    path::Path,
};

/// Takes the lock of a database; it ends when the file is dropped, however the process ends.
pub(crate) fn take(database: &Path) -> Result<File, OpenError> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let path = std::path::PathBuf::from(path);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| OpenError::Lock(path.clone(), error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path)),
        Err(TryLockError::Error(error)) => Err(OpenError::Lock(path, error)),
    }
}
