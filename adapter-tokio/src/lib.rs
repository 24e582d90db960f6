//! The native runtime: server, client, command line.
