//! What admins manage.

pub(crate) mod channels;
pub(crate) mod logs;
pub(crate) mod options;
pub(crate) mod users;
