//! Cases of errors before an answer: 37 and 38, and what the other lines of their table say. What
//! a client hears of each sort of fault is the gateway's matter.

use adapter_providers::{Azure, OpenAi};
use gateway_domain::{Fault, FaultKind, Timestamp};
use gateway_ports::{
    Provider,
    provider::{ErrorReply, fault_of_event},
};
use http::HeaderMap;

const NOW: &str = "2026-11-22T10:00:00Z";

fn fault(
    provider: &dyn Provider,
    status: u16,
    headers: &[(&'static str, &str)],
    body: &str,
) -> Fault {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    let now = Timestamp::parse_rfc3339(NOW).unwrap();
    provider.fault(&ErrorReply { status, headers: &headers, body: body.as_bytes(), now })
}

/// The fault of an answer, which is the same for every provider of this dialect; but what Azure
/// does not have is a deployment, which the operator named.
fn read(status: u16, headers: &[(&'static str, &str)], body: &str) -> Fault {
    let fault = |provider: &dyn Provider| fault(provider, status, headers, body);
    let of_openai = fault(&OpenAi::official());
    assert_eq!(of_openai, fault(&OpenAi::custom()), "{status} {body}");
    let kind = match of_openai.kind {
        FaultKind::NotFound => FaultKind::Misnamed,
        kind => kind,
    };
    let of_azure = Fault { kind, ..of_openai.clone() };
    assert_eq!(of_azure, fault(&Azure::new()), "{status} {body}");
    of_openai
}

/// A status and a body, and what they are: the sort of fault, and the code for programs.
type Row = (u16, &'static str, FaultKind, Option<&'static str>);

fn check(rows: &[Row]) {
    for (status, body, kind, code) in rows {
        let fault = read(*status, &[], body);
        assert_eq!((fault.kind, fault.code.as_deref()), (*kind, *code), "{status} {body}");
        for secret in ["sk-abc", "wxyz", "<html>"] {
            assert!(!fault.message.contains(secret), "{status} {body}: {}", fault.message);
        }
    }
}

#[test]
fn case_37_only_the_callers_own_faults_are_not_tried_again() {
    use FaultKind::{
        Auth, Malformed, Misconfigured, Misnamed, NotFound, Overloaded, Payment, Permission, Quota,
        RateLimited, Redirect, Rejected, Server, Timeout, TooLarge,
    };
    for own in [Rejected, TooLarge] {
        assert!(!own.is_retryable(), "{own:?}");
    }
    for other in [
        Auth,
        Malformed,
        Misconfigured,
        Misnamed,
        NotFound,
        Overloaded,
        Payment,
        Permission,
        Quota,
        RateLimited,
        Redirect,
        Server,
        Timeout,
    ] {
        assert!(other.is_retryable(), "{other:?}");
    }
}

#[test]
fn case_37_the_callers_own_faults() {
    use FaultKind::{Rejected, TooLarge};
    check(&[
        (
            400,
            r#"{"error":{"message":"no","type":"invalid_request_error","param":"n","code":"unsupported_value"}}"#,
            Rejected,
            Some("unsupported_value"),
        ),
        (
            400,
            r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#,
            Rejected,
            None,
        ),
        (
            400,
            r#"{"object":"error","message":"no","type":"BadRequestError","param":null,"code":400}"#,
            Rejected,
            None,
        ),
        (
            422,
            r#"{"detail":[{"loc":["body","n"],"msg":"too large","type":"value_error"}]}"#,
            Rejected,
            None,
        ),
        (413, r#"{"error":{"message":"too large"}}"#, TooLarge, None),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
            Rejected,
            Some("context_length_exceeded"),
        ),
        (
            400,
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens","code":400}"#,
            Rejected,
            Some("context_length_exceeded"),
        ),
        (
            400,
            r#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
            Rejected,
            Some("context_length_exceeded"),
        ),
        (
            400,
            r#"{"error":{"message":"The response was filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true}}}}}"#,
            Rejected,
            Some("content_filter"),
        ),
        (
            400,
            r#"{"error":{"message":"filtered","code":"400","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
            Rejected,
            Some("content_filter"),
        ),
    ]);
    let long = read(400, &[], r#"{"message":"maximum context length is 9"}"#);
    assert_eq!(long.param.as_deref(), Some("messages"));
}

#[test]
fn case_37_faults_of_the_channels_key_account_or_address() {
    use FaultKind::{Auth, Misconfigured, NotFound, Payment, Permission, Redirect};
    check(&[
        (
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-abc***wxyz.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
            Auth,
            Some("invalid_api_key"),
        ),
        (
            401,
            r#"{"error":{"code":"401","message":"Access denied due to invalid subscription key or wrong API endpoint."}}"#,
            Auth,
            None,
        ),
        (
            400,
            r#"{"error":{"message":"bad key","code":"invalid_api_key"}}"#,
            Auth,
            Some("invalid_api_key"),
        ),
        (
            402,
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
            Payment,
            Some("invalid_request_error"),
        ),
        (
            400,
            r#"{"error":{"message":"stopped","code":"billing_hard_limit_reached"}}"#,
            Payment,
            Some("billing_hard_limit_reached"),
        ),
        (
            403,
            r#"{"error":{"message":"no quota","code":"insufficient_quota"}}"#,
            Payment,
            Some("insufficient_quota"),
        ),
        (
            403,
            r#"{"error":{"message":"Country, region, or territory not supported","code":"unsupported_country_region_territory"}}"#,
            Permission,
            Some("unsupported_country_region_territory"),
        ),
        (
            404,
            r#"{"error":{"message":"The model `x` does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
            NotFound,
            Some("model_not_found"),
        ),
        (
            404,
            r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#,
            NotFound,
            Some("DeploymentNotFound"),
        ),
        (
            404,
            r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404}"#,
            NotFound,
            None,
        ),
        (
            400,
            r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}"#,
            NotFound,
            None,
        ),
        (404, r#"{"error":{"code":"404","message":"Resource not found"}}"#, Misconfigured, None),
        (404, r#"{"detail":"Not Found"}"#, Misconfigured, None),
        (404, "<html>404</html>", Misconfigured, None),
        (405, "", Misconfigured, None),
        (302, "", Redirect, None),
    ]);
}

#[test]
fn case_37_faults_of_too_much_and_of_the_upstream() {
    use FaultKind::{Conflict, Malformed, Overloaded, Quota, RateLimited, Server, Timeout};
    check(&[
        (
            429,
            r#"{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
            RateLimited,
            Some("rate_limit_exceeded"),
        ),
        (
            429,
            r#"{"error":{"code":"429","message":"Requests have exceeded call rate limit."}}"#,
            RateLimited,
            None,
        ),
        (
            429,
            r#"{"statusCode":429,"message":"Rate limit is exceeded. Try again in 7 seconds."}"#,
            RateLimited,
            None,
        ),
        (
            413,
            r#"{"error":{"message":"too large for the tokens a minute","type":"tokens","code":"rate_limit_exceeded"}}"#,
            RateLimited,
            Some("rate_limit_exceeded"),
        ),
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            Quota,
            Some("insufficient_quota"),
        ),
        (
            429,
            r#"{"error":{"message":"suspended","type":"exceeded_current_quota_error"}}"#,
            Quota,
            None,
        ),
        (408, "", Timeout, None),
        (504, "<html>504</html>", Timeout, None),
        (524, "", Timeout, None),
        (409, r#"{"error":{"message":"conflict"}}"#, Conflict, None),
        (
            500,
            r#"{"error":{"message":"The server had an error","type":"server_error"}}"#,
            Server,
            None,
        ),
        (500, r#"{"error":{"message":"busy","type":"engine_overloaded_error"}}"#, Overloaded, None),
        (502, "<html>502</html>", Server, None),
        (
            503,
            r#"{"error":{"message":"slow down","code":"slow_down"}}"#,
            Overloaded,
            Some("slow_down"),
        ),
        (
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Overloaded,
            None,
        ),
        (101, "", Malformed, None),
    ]);
}

#[test]
fn case_38_how_long_to_wait_is_read_wherever_it_is_said() {
    let azure = r#"{"statusCode":429,"message":"Rate limit is exceeded. Try again in 7 seconds."}"#;
    for (headers, body, millis) in [
        (vec![("retry-after-ms", "1500")], "", Some(1500)),
        (vec![("retry-after-ms", "1500"), ("retry-after", "9")], "", Some(1500)),
        (vec![("retry-after", "20")], azure, Some(20_000)),
        (vec![("retry-after", "Sun, 22 Nov 2026 10:00:07 GMT")], "", Some(7000)),
        (vec![("retry-after", "soon")], azure, Some(7000)),
        (vec![], azure, Some(7000)),
        (
            vec![],
            r#"{"error":{"message":"Please try again in 1.2s.","code":"rate_limit_exceeded"}}"#,
            Some(1200),
        ),
        (vec![], r#"[{"error":{"message":"no","code":429}}]"#, None),
        (vec![], "", None),
    ] {
        let fault = read(429, &headers, body);
        let wait = fault.retry_after.map(|wait| wait.as_millis());
        assert_eq!((fault.kind, wait), (FaultKind::RateLimited, millis), "{headers:?} {body}");
    }
    let (object, array) = (
        r#"{"error":{"message":"no","param":"p"}}"#,
        r#"[{"error":{"message":"no","param":"p"}}]"#,
    );
    assert_eq!(read(400, &[], object), read(400, &[], array));
}

#[test]
fn an_error_in_an_answer_of_success_is_of_the_sort_that_it_says() {
    use FaultKind::{Auth, NotFound, Overloaded, Quota, RateLimited, Rejected, Server, Timeout};
    for (body, kind) in [
        (r#"{"error":{"message":"overloaded"}}"#, Server),
        (r#"{"error":{"message":"no","type":"server_error","code":null}}"#, Server),
        (r#"{"error":{"message":"no","type":"overloaded_error"}}"#, Overloaded),
        (r#"{"error":{"message":"no","code":503}}"#, Overloaded),
        (r#"{"error":{"message":"no","code":429}}"#, RateLimited),
        (
            r#"{"error":{"message":"no","code":"rate_limit_exceeded","type":"invalid_request_error"}}"#,
            RateLimited,
        ),
        (r#"{"error":{"message":"no","code":"insufficient_quota"}}"#, Quota),
        (
            r#"{"error":{"message":"no","code":"invalid_api_key","type":"invalid_request_error"}}"#,
            Auth,
        ),
        (
            r#"{"error":{"message":"no","code":"model_not_found","type":"invalid_request_error"}}"#,
            NotFound,
        ),
        (r#"{"error":{"message":"no","type":"timeout_error"}}"#, Timeout),
        (r#"{"error":{"message":"no","code":"content_filter"}}"#, Rejected),
        (r#"{"error":{"message":"no","type":"invalid_request_error"}}"#, Rejected),
        (r#"{"error":{"message":"maximum context length is 9","code":400}}"#, Rejected),
        (r#"{"error":{"message":"a provider said no","code":400}}"#, Server),
        (r#"{"error":{"message":"no","code":1213}}"#, Server),
        (r#"{"error":"no"}"#, Server),
    ] {
        assert_eq!(fault_of_event(body.as_bytes()).kind, kind, "{body}");
    }
}
