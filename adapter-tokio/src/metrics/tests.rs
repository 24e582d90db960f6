//! What is counted, and how it is written.

use super::*;
use gateway_domain::{
    CallRecord, CallState, ChannelId, Credits, EndReason, FrozenPrice, Operation, ProviderKind,
    RequestId, Timestamp, TokenCounts, TokenId, UserId,
};

fn seen(model: &str, served_as: &str) -> CallSeen {
    CallSeen {
        request_id: RequestId("r".into()),
        operation: Operation::Chat,
        model: model.to_owned(),
        served_as: served_as.to_owned(),
        stream: true,
    }
}

fn record(model: &str, status: u16) -> CallRecord {
    CallRecord {
        request_id: RequestId("r".into()),
        user_id: UserId(4711),
        token_id: TokenId(4712),
        channel_id: Some(ChannelId(3)),
        model: model.to_owned(),
        upstream_model: "up".into(),
        state: CallState::Settled,
        counts: TokenCounts { cached: 4, ..TokenCounts::of(9, 5) },
        price: FrozenPrice::DEFAULT,
        quota: Credits::saturating(24),
        unbilled: Credits::ZERO,
        estimated: false,
        stream: true,
        status,
        end_reason: EndReason::Complete,
        attempts: 1,
        failures: Vec::new(),
        dropped: Vec::new(),
        latency_ms: 300,
        first_byte_ms: Some(20),
        created_at: Timestamp::from_millis(0),
    }
}

/// The lines of a metric.
fn lines(metrics: &Metrics, name: &str) -> Vec<String> {
    let text = metrics.text(&[]);
    assert!(text.ends_with("# EOF\n"));
    text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
}

#[test]
fn a_call_is_counted_with_its_tokens_quota_and_times() {
    let metrics = Metrics::new();
    for status in [200, 200, 502] {
        let call = seen("gpt-4o-mini", "gpt-4*");
        let end =
            CallEnded { record: &record("gpt-4o-mini", status), charged: Credits::saturating(24) };
        metrics.ended(&call, &end);
    }
    let mut requests = lines(&metrics, "gateway_requests_total");
    requests.sort();
    assert_eq!(
        requests,
        [
            r#"gateway_requests_total{route="chat",model="gpt-4*",channel="3",status="200"} 2"#,
            r#"gateway_requests_total{route="chat",model="gpt-4*",channel="3",status="502"} 1"#,
        ]
    );
    let mut tokens = lines(&metrics, "gateway_tokens_total");
    tokens.sort();
    assert_eq!(
        tokens,
        [
            r#"gateway_tokens_total{kind="cached",model="gpt-4*"} 12"#,
            r#"gateway_tokens_total{kind="completion",model="gpt-4*"} 15"#,
            r#"gateway_tokens_total{kind="prompt",model="gpt-4*"} 27"#,
        ]
    );
    assert_eq!(
        lines(&metrics, "gateway_quota_charged_total"),
        [r#"gateway_quota_charged_total{model="gpt-4*"} 72"#]
    );
    assert_eq!(
        lines(&metrics, "gateway_request_duration_seconds_bucket{le=\"0.5\""),
        [r#"gateway_request_duration_seconds_bucket{le="0.5",route="chat"} 3"#]
    );
    assert_eq!(
        lines(&metrics, "gateway_first_byte_seconds_bucket{le=\"0.025\""),
        [r#"gateway_first_byte_seconds_bucket{le="0.025",route="chat"} 3"#]
    );
    assert!(!metrics.text(&[]).contains("471"), "no ids of users or keys");
}

#[test]
fn refusals_and_upstream_errors_are_counted_by_their_sort() {
    let metrics = Metrics::new();
    let request_id = RequestId("r".into());
    for operation in [None, Some(Operation::Embeddings)] {
        let code = "rate_limit_exceeded";
        metrics.refused(&Refused { request_id: &request_id, operation, code, status: 429 });
    }
    let attempt = Attempt {
        channel: ChannelId(3),
        provider: ProviderKind::CUSTOM,
        upstream_model: "up".into(),
    };
    metrics.attempt_failed(&seen("m", "m"), &attempt, FaultKind::RateLimited);
    let mut refusals = lines(&metrics, "gateway_refusals_total");
    refusals.sort();
    assert_eq!(
        refusals,
        [
            r#"gateway_refusals_total{route="embeddings",code="rate_limit_exceeded",status="429"} 1"#,
            r#"gateway_refusals_total{route="none",code="rate_limit_exceeded",status="429"} 1"#,
        ]
    );
    assert_eq!(
        lines(&metrics, "gateway_upstream_errors_total"),
        [r#"gateway_upstream_errors_total{channel="3",kind="rate_limited"} 1"#]
    );
}

#[test]
fn what_is_open_goes_up_and_down() {
    let metrics = Metrics::new();
    metrics.stream_opened(&seen("m", "m"));
    metrics.stream_opened(&seen("m", "m"));
    metrics.stream_closed(&seen("m", "m"));
    metrics.drain_began();
    metrics.drain_ended();
    for _ in 0..5 {
        metrics.queued();
    }
    metrics.turned_away();
    metrics.taken(3);
    metrics.written();
    assert_eq!(lines(&metrics, "gateway_open_streams"), ["gateway_open_streams 1"]);
    assert_eq!(lines(&metrics, "gateway_drains "), ["gateway_drains 0"]);
    assert_eq!(lines(&metrics, "gateway_drains_begun_total"), ["gateway_drains_begun_total 1"]);
    assert_eq!(lines(&metrics, "gateway_ledger_queue"), ["gateway_ledger_queue 1"]);
    assert_eq!(
        lines(&metrics, "gateway_ledger_group_operations_sum"),
        ["gateway_ledger_group_operations_sum 3.0"]
    );
    assert_eq!(
        lines(&metrics, "gateway_ledger_commit_seconds_count"),
        ["gateway_ledger_commit_seconds_count 1"]
    );
}

#[test]
fn names_that_callers_make_up_make_no_metrics() {
    let metrics = Metrics::new();
    let mut lines = Vec::new();
    for number in 0..1000 {
        let name = format!("made-up-{number}");
        let end = CallEnded { record: &record(&name, 200), charged: Credits::ZERO };
        metrics.ended(&seen(&name, "other"), &end);
        lines.push(metrics.text(&[]).lines().count());
    }
    assert_eq!(lines.first(), lines.last());
    let text = metrics.text(&[]);
    assert!(text.contains(r#"model="other",channel="3",status="200"} 1000"#), "{text}");
    assert!(!text.contains("made-up"));
}

#[test]
#[cfg(target_os = "linux")]
fn the_process_knows_its_memory_and_descriptors() {
    let metrics = Metrics::new();
    for name in ["gateway_resident_memory_bytes ", "gateway_open_descriptors "] {
        let lines = lines(&metrics, name);
        let number: i64 = lines[0].strip_prefix(name).unwrap().parse().unwrap();
        assert!(number > 2, "{name}{number}");
    }
}

#[test]
fn breakers_are_shown_as_they_are_now() {
    use gateway_domain::policy::health::HealthState;
    let metrics = Metrics::new();
    let one = |model: Option<&str>, state| ChannelState {
        channel: ChannelId(3),
        model: model.map(str::to_owned),
        state,
    };
    let open = HealthState::Open;
    let text = metrics.text(&[one(None, open), one(Some("other"), open), one(Some("other"), open)]);
    for line in [
        r#"gateway_channel_state{channel="3",model="*",state="open"} 1"#,
        r#"gateway_channel_state{channel="3",model="other",state="open"} 2"#,
    ] {
        assert!(text.contains(line), "{text}");
    }
    let text = metrics.text(&[one(None, HealthState::Ok)]);
    assert!(text.contains(r#"{channel="3",model="*",state="ok"} 1"#) && !text.contains("open\""));
}
