//! The gateway's use cases, written against ports.
