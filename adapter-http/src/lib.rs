//! One axum router over the gateway.
