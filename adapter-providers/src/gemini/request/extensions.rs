//! Gemini's own fields in a request of the gateway's API: at its top, or in `extra_body.google` as
//! Google's own layer for `OpenAI`'s clients has them.

use super::Notes;
use gateway_ports::{ChatRequest, Json};

/// What a caller may say to Gemini beyond the API, as it came.
#[derive(Default)]
pub(super) struct Extensions {
    pub(super) safety_settings: Option<Json>,
    pub(super) cached_content: Option<Json>,
    pub(super) thinking_config: Option<Json>,
    pub(super) media_resolution: Option<Json>,
}

impl Extensions {
    pub(super) fn of(request: &ChatRequest, notes: &mut Notes) -> Self {
        let extra = request.other.get("extra_body").and_then(Json::fields);
        let mut google = extra.as_ref().and_then(|extra| extra.get("google")?.fields());
        let mut take = |name: &'static str| {
            let inside = google.as_mut().and_then(|google| google.take(name));
            let outside = request.other.get(name).cloned();
            notes.pass(name);
            outside.or(inside).filter(|value| value.get() != "null")
        };
        let found = Self {
            safety_settings: take("safety_settings"),
            cached_content: take("cached_content"),
            thinking_config: take("thinking_config"),
            media_resolution: take("media_resolution"),
        };
        let only_google = extra.is_some_and(|extra| extra.names().all(|name| name == "google"));
        let all_known = google.is_some_and(|rest| rest.is_empty());
        notes.pass_if(only_google && all_known, "extra_body");
        found
    }
}
