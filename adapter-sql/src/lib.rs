//! The repositories and the ledger in SQL, once for every store.
