//! How the values of variables are written, on every runtime.

use gateway_domain::Credits;
use gateway_ports::UnpricedModels;
use std::time::Duration;

/// Yes or no: `1`, `true`, `on` or `yes`, and `0`, `false`, `off`, `no` or nothing.
///
/// # Errors
/// A text for people, for anything else.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" => Ok(true),
        "" | "0" | "false" | "off" | "no" => Ok(false),
        other => Err(format!("'{other}' is neither 1 nor 0")),
    }
}

/// What happens to calls of a model without a price: `charge` or `refuse`.
///
/// # Errors
/// A text for people, for anything else.
pub fn unpriced_models(text: &str) -> Result<UnpricedModels, String> {
    match text.trim() {
        "charge" => Ok(UnpricedModels::Charge),
        "refuse" => Ok(UnpricedModels::Refuse),
        other => Err(format!("'{other}' is neither charge nor refuse")),
    }
}

/// An amount of credits, in units: a whole number up to 2^53-1.
///
/// # Errors
/// A text for people, for anything else.
pub fn credits(text: &str) -> Result<Credits, String> {
    let units = text.trim().parse().ok().and_then(Credits::new);
    units.ok_or_else(|| format!("'{text}' is no whole number from 0 to 2^53-1"))
}

/// How long calls are kept one by one: a number of days, at least one.
///
/// # Errors
/// A text for people, for anything else.
pub fn retention(text: &str) -> Result<Duration, String> {
    let days: Option<u64> = text.trim().parse().ok().filter(|days| (1..=36_500).contains(days));
    days.map(|days| Duration::from_secs(days * 86_400))
        .ok_or_else(|| format!("'{text}' is no number of days from 1 to 36500"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_or_refused_with_a_reason() {
        assert_eq!(switch(" On "), Ok(true));
        assert_eq!(switch(""), Ok(false));
        assert_eq!(switch("2").unwrap_err(), "'2' is neither 1 nor 0");
        assert_eq!(unpriced_models("refuse"), Ok(UnpricedModels::Refuse));
        assert!(unpriced_models("Refuse!").is_err());
        assert_eq!(credits("9007199254740991").unwrap().units(), 9_007_199_254_740_991);
        for bad in ["9007199254740992", "-1", "1.5", "", "x"] {
            assert!(credits(bad).is_err(), "{bad}");
        }
    }
}
