//! What admins manage.

pub(crate) mod audit;
pub(crate) mod channels;
pub(crate) mod logs;
pub(crate) mod options;
pub(crate) mod prices;
pub(crate) mod rekey;
pub(crate) mod users;
