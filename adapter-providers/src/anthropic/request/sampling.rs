//! Sampling parameters, which fewer and fewer models take.

use super::Context;
use crate::anthropic::models::Sampling;
use gateway_ports::{ChatRequest, Json};
use serde_json::Number;

/// The parameters that are sent.
#[derive(Debug, Default)]
pub(super) struct Written<'a> {
    pub(super) temperature: Option<Number>,
    pub(super) top_p: Option<&'a Number>,
    pub(super) top_k: Option<&'a Json>,
}

/// Chooses the parameters that the model takes. One that it does not take and that says no more
/// than the default is left out without a word.
pub(super) fn write<'a>(
    asked: &'a ChatRequest,
    thinks: bool,
    context: &mut Context<'_>,
) -> Written<'a> {
    let (temperature, top_p) = (asked.temperature.as_ref(), asked.top_p.as_ref());
    let top_k = asked.other.get("top_k");
    let value = |number: &Number| number.as_f64().unwrap_or(1.0);
    let says_something = |number: Option<&Number>| {
        number.is_some_and(|number| (value(number) - 1.0).abs() > f64::EPSILON)
    };
    let takes = if thinks || !context.options.knows_sampling() {
        Sampling::No
    } else {
        context.model.sampling
    };
    if takes == Sampling::No {
        for (name, there) in [
            ("temperature", says_something(temperature)),
            ("top_p", says_something(top_p)),
            ("top_k", top_k.is_some()),
        ] {
            if there {
                context.dropped(name);
            }
        }
        return Written::default();
    }
    let one_only = takes == Sampling::One && temperature.is_some();
    if one_only && says_something(top_p) {
        context.dropped("top_p");
    }
    Written {
        temperature: temperature.map(|number| capped(number, value(number), context)),
        top_p: top_p.filter(|_| !one_only),
        top_k,
    }
}

/// Temperatures end at 1 here, and at 2 in the caller's dialect.
fn capped(number: &Number, value: f64, context: &mut Context<'_>) -> Number {
    if value <= 1.0 {
        return number.clone();
    }
    context.dropped("temperature");
    Number::from_f64(1.0).unwrap_or_else(|| 1.into())
}
