//! Servers and clients on this machine, as commands that try the gateway out need them: programs
//! that listen, the gateway's own API, event streams, and what the system knows of a process.

pub(crate) mod api;
pub(crate) mod events;
pub(crate) mod http;
pub(crate) mod proc;
pub(crate) mod server;
