//! The reference fakes: every port of the store, in memory.
