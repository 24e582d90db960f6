//! Embeddings: case 39.

use super::*;

/// Reads the answers to the parts of a call and joins them, as the relay does.
fn joined(call: &ModelCall, bodies: &[Value]) -> Answer {
    let key = SecretString::from("sk-channel-secret");
    let model = ModelName::new("gemini-embedding-001").unwrap();
    let config = serde_json::Map::new();
    let target = Target {
        base_url: BASE,
        key: &key,
        model: &model,
        max_completion: None,
        config: &config,
        now: gateway_domain::Timestamp::from_millis(0),
    };
    let decode =
        |body: &Value| Gemini.decode(call, &target, Bytes::from(body.to_string())).unwrap();
    Answer::join(bodies.iter().map(decode).collect())
}

#[test]
fn case_39_embeddings_go_in_batches_and_keep_their_order() {
    let bench = bench("gemini-embedding-001");
    for (inputs, batches) in
        [(1, vec![1]), (100, vec![100]), (101, vec![100, 1]), (250, vec![100, 100, 50])]
    {
        let texts: Vec<String> = (0..inputs).map(|n| format!("text {n}")).collect();
        let call = embeddings(&json!({"model": "m", "input": texts}).to_string());
        let Encoded { request, more, dropped } = bench.encode(&call).unwrap();
        assert!(dropped.is_empty(), "{inputs}: {dropped:?}");
        let (mut sizes, mut sent, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for request in std::iter::once(request).chain(more) {
            assert_eq!(
                request.uri().to_string(),
                format!("{BASE}/models/gemini-embedding-001:batchEmbedContents")
            );
            assert!(request.headers()["x-goog-api-key"].is_sensitive());
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let requests = body["requests"].as_array().unwrap();
            sizes.push(requests.len());
            for one in requests {
                assert_eq!(one["model"], "models/gemini-embedding-001");
                sent.push(one["content"]["parts"][0]["text"].as_str().unwrap().to_owned());
            }
            let first = sent.len() - requests.len();
            let vectors: Vec<Value> = (first..sent.len()).map(|n| json!({"values": [n]})).collect();
            answers.push(json!({"embeddings": vectors, "usageMetadata": {"promptTokenCount": 7}}));
        }
        assert_eq!((sizes, sent), (batches, texts), "{inputs}");
        let answer = joined(&call, &answers);
        let expected: Vec<Vec<f32>> = (0..inputs).map(|n: u16| vec![f32::from(n)]).collect();
        assert_eq!(
            answer.usage,
            Some(TokenCounts::of(7 * u64::try_from(answers.len()).unwrap(), 0))
        );
        assert_eq!(
            answer.body,
            AnswerBody::Embeddings(gateway_ports::provider::Embeddings(expected))
        );
    }
    for input in ["[[1,2]]", "[1,2]"] {
        let call = embeddings(&format!(r#"{{"model":"m","input":{input}}}"#));
        let error = bench.encode(&call).unwrap_err();
        assert!(
            matches!(&error, ProviderError::Unsupported { param: Some(param), .. } if param == "input"),
            "{error:?}"
        );
    }
    let call = embeddings(r#"{"model":"m","input":["a","b"]}"#);
    for (name, answer) in [
        ("too few", json!({"embeddings": [{"values": [1]}]})),
        ("too many", json!({"embeddings": [{"values": [1]}, {"values": [1]}, {"values": [1]}]})),
        ("no numbers", json!({"embeddings": [{"values": ["x"]}, {"values": [1]}]})),
        ("no finite numbers", json!({"embeddings": [{"values": [1e300]}, {"values": [1]}]})),
        ("an error", json!({"error": {"message": "no"}})),
        ("nothing", json!({})),
    ] {
        let fault = bench.decoded(&call, &answer.to_string()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Malformed, "{name}");
    }
    let one = embeddings(r#"{"model":"m","input":"a"}"#);
    let single = bench.decoded(&one, r#"{"embedding":{"values":[3,4]}}"#).unwrap();
    assert_eq!(
        single["data"][0]["embedding"],
        json!([3.0, 4.0]),
        "the model's own length is left alone"
    );
}

#[test]
fn golden_embeddings() {
    let bench = bench("gemini-embedding-001");
    let call = embeddings(include_str!("../../../fixtures/gemini/embeddings/call.json"));
    let encoded = bench.encode(&call).unwrap();
    let sent: Value = serde_json::from_slice(encoded.request.body()).unwrap();
    let golden: Value =
        serde_json::from_str(include_str!("../../../fixtures/gemini/embeddings/sent.json"))
            .unwrap();
    assert_eq!((sent, encoded.dropped), (golden, vec!["user".to_owned()]));
    let seen = bench
        .decoded(&call, include_str!("../../../fixtures/gemini/embeddings/upstream.json"))
        .unwrap();
    let golden: Value =
        serde_json::from_str(include_str!("../../../fixtures/gemini/embeddings/client.json"))
            .unwrap();
    assert_eq!(seen, golden);
}
