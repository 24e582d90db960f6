//! Embeddings in base64: what the official SDKs ask for, and not every server gives.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::value::RawValue;

/// An array of numbers as the JSON string of its base64: 32-bit floats, little-endian. `None` if
/// one of them is no finite number.
pub(super) fn base64(vector: &RawValue) -> Option<String> {
    let numbers: Vec<f32> = serde_json::from_str(vector.get()).ok()?;
    if !numbers.iter().all(|number| number.is_finite()) {
        return None;
    }
    Some(format!("\"{}\"", encoded(&numbers)))
}

/// Numbers as the base64 of 32-bit floats, little-endian.
pub(super) fn encoded(numbers: &[f32]) -> String {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_little_endian_floats() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        assert_eq!(base64(&raw("[0.5, -0.25, 1, 2]")).unwrap(), "\"AAAAPwAAgL4AAIA/AAAAQA==\"");
        assert_eq!(base64(&raw("[1e300]")), None);
        assert_eq!(base64(&raw("[\"a\"]")), None);
    }
}
