//! The behaviour suites that every adapter must pass.
