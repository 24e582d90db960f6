//! How a conversation is sent: cases 1, 2, 3, 10, 11 and 14.

use super::{U, asking, called, gave, messages, sonnet};
use crate::harness::chat;
use gateway_ports::ProviderError;
use serde_json::{Value, json};

#[test]
fn case_1_system_texts_are_hoisted_and_turns_merged() {
    let conversation = r#"[{"role":"system","content":"a"},{"role":"user","content":"u1"},{"role":"developer","content":"b"},{"role":"user","content":"u2"}]"#;
    let (sent, dropped) = sonnet().sent(&asking(conversation, ""));
    assert_eq!(
        sent["system"],
        json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])
    );
    assert_eq!(
        sent["messages"],
        json!([{"role": "user", "content": [{"type": "text", "text": "u1"}, {"type": "text", "text": "u2"}]}])
    );
    assert_eq!(dropped, [""; 0]);
}

#[test]
fn case_1_somebody_speaks_first_and_last() {
    let text = |text: &str| json!([{"type": "text", "text": text}]);
    for (name, conversation, system, expected) in [
        (
            "only the system",
            r#"[{"role":"system","content":"a"},{"role":"system","content":"b"}]"#,
            text("a"),
            json!([["user", text("b")]]),
        ),
        (
            "one system text",
            r#"[{"role":"system","content":"a"}]"#,
            Value::Null,
            json!([["user", text("a")]]),
        ),
        (
            "a blank system text",
            r#"[{"role":"system","content":" "},{"role":"user","content":"u"}]"#,
            Value::Null,
            json!([["user", text("u")]]),
        ),
        (
            "the model first",
            r#"[{"role":"assistant","content":"a"},{"role":"user","content":"u"}]"#,
            Value::Null,
            json!([["user", text(".")], ["assistant", text("a")], ["user", text("u")]]),
        ),
        (
            "the answer begun",
            r#"[{"role":"user","content":"u"},{"role":"assistant","content":"a \n"}]"#,
            Value::Null,
            json!([["user", text("u")], ["assistant", text("a")]]),
        ),
        (
            "nothing from the model",
            r#"[{"role":"user","content":"u"},{"role":"assistant","content":""},{"role":"user","content":"v"}]"#,
            Value::Null,
            json!([["user", [{"type": "text", "text": "u"}, {"type": "text", "text": "v"}]]]),
        ),
        (
            "a refusal",
            r#"[{"role":"user","content":"u"},{"role":"assistant","content":null,"refusal":"no"},{"role":"user","content":"v"}]"#,
            Value::Null,
            json!([["user", text("u")], ["assistant", text("no")], ["user", text("v")]]),
        ),
    ] {
        let (sent, _) = sonnet().sent(&asking(conversation, ""));
        assert_eq!(sent["system"], system, "{name}");
        let turns: Vec<Value> = sent["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| json!([m["role"], m["content"]]))
            .collect();
        assert_eq!(Value::from(turns), expected, "{name}");
    }
    let nothing = asking(r#"[{"role":"system","content":" "}]"#, "");
    assert_eq!(sonnet().refused(&nothing), ("messages".into(), ProviderError::INVALID_VALUE));
}

#[test]
fn case_2_results_come_first_in_the_order_of_the_calls() {
    let result =
        |id: &str, text: &str| json!({"type": "tool_result", "tool_use_id": id, "content": text});
    let next = json!({"type": "text", "text": "u"});
    for (name, parts, expected) in [
        (
            "turned round",
            vec![U.into(), called(&["c1", "c2"]), gave("c2", "2"), gave("c1", "1"), U.into()],
            json!([result("c1", "1"), result("c2", "2"), next]),
        ),
        (
            "the person in between",
            vec![U.into(), called(&["c1", "c2"]), gave("c2", "2"), U.into(), gave("c1", "1")],
            json!([result("c1", "1"), result("c2", "2"), next]),
        ),
        (
            "one that nobody called",
            vec![U.into(), called(&["c1"]), gave("x", "0"), gave("c1", "1")],
            json!([result("c1", "1"), result("x", "0")]),
        ),
        (
            "one that did not come",
            vec![U.into(), called(&["c1", "c2"]), gave("c2", "2"), U.into()],
            json!([result("c1", "(no result)"), result("c2", "2"), next]),
        ),
        (
            "one that is still to come",
            vec![U.into(), called(&["c1", "c2"]), gave("c2", "2")],
            json!([result("c2", "2")]),
        ),
        (
            "calls in two messages",
            vec![U.into(), called(&["c1"]), called(&["c2"]), gave("c2", "2"), gave("c1", "1")],
            json!([result("c1", "1"), result("c2", "2")]),
        ),
    ] {
        let sent = messages(&format!("[{}]", parts.join(",")));
        let last = sent.as_array().unwrap().last().unwrap();
        assert_eq!(last["content"], expected, "{name}");
        assert_eq!(sent.as_array().unwrap().len(), 3, "{name}");
    }
}

#[test]
fn case_2_only_the_last_turn_is_helped() {
    let parts = [U.to_owned(), called(&["c1"]), U.to_owned(), called(&["c2"]), U.to_owned()];
    let sent = messages(&format!("[{}]", parts.join(",")));
    let text = json!({"type": "text", "text": "u"});
    assert_eq!(sent[2]["content"], json!([text]));
    let nothing = json!({"type": "tool_result", "tool_use_id": "c2", "content": "(no result)"});
    assert_eq!(sent[4]["content"], json!([nothing, text]));
}

#[test]
fn case_2_what_a_tool_gave_may_be_nothing_or_an_image() {
    for (content, expected) in [
        (r#""""#, Value::Null),
        (r#""  ""#, Value::Null),
        (r#"[{"type":"text","text":""}]"#, Value::Null),
        (r#""{\"error\":1}""#, json!("{\"error\":1}")),
        (
            r#"[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]"#,
            json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}]),
        ),
    ] {
        let tool = format!(r#"{{"role":"tool","tool_call_id":"c","content":{content}}}"#);
        let sent = messages(&format!("[{U},{},{tool}]", called(&["c"])));
        let result = &sent[2]["content"][0];
        assert_eq!(result["content"], expected, "{content}");
        assert!(result.get("is_error").is_none(), "{content}");
    }
    let nobody = format!(r#"[{U},{},{{"role":"tool","content":"x"}}]"#, called(&["c"]));
    assert_eq!(sonnet().refused(&asking(&nobody, "")).0, "messages.[2].tool_call_id");
}

#[test]
fn case_3_arguments_are_an_object_to_the_letter() {
    for (arguments, expected) in [
        (r#""""#, r#""input":{}"#),
        (
            r#""{\"b\":1,\"a\":12345678901234567890}""#,
            r#""input":{"b":1,"a":12345678901234567890}"#,
        ),
        (r#""not json""#, r#""input":{"_raw_arguments":"not json"}"#),
        (r#""[1]""#, r#""input":{"_raw_arguments":"[1]"}"#),
    ] {
        let call = format!(
            r#"[{U},{{"role":"assistant","tool_calls":[{{"id":"c","type":"function","function":{{"name":"f","arguments":{arguments}}}}}]}},{}]"#,
            gave("c", "1")
        );
        let body = asking(&call, "");
        let sent = sonnet().sent_text(&body);
        assert!(sent.contains(expected), "{sent}");
        let mut strict = sonnet();
        strict.config = json!({"strict": true});
        if expected.contains("_raw") {
            let refused = strict.refused(&body);
            assert_eq!(refused.0, "messages.[1].tool_calls.[0].function.arguments", "{arguments}");
        } else {
            assert_eq!(strict.sent_text(&body), sent, "{arguments}");
        }
    }
}

#[test]
fn case_14_ids_of_other_providers_are_made_fit() {
    let parts = [
        U.to_owned(),
        called(&["call_x", "a:b"]),
        gave("a:b", "2"),
        gave("call_x", "1"),
        called(&["call_x", "call_x"]),
        gave("call_x", "3"),
        gave("call_x", "4"),
    ];
    let sent = messages(&format!("[{}]", parts.join(",")));
    let ids = |at: usize, field: &str| -> Vec<Value> {
        sent[at]["content"].as_array().unwrap().iter().map(|block| block[field].clone()).collect()
    };
    assert_eq!(ids(1, "id"), ["call_x", "a_b"]);
    assert_eq!(ids(2, "tool_use_id"), ["call_x", "a_b"]);
    assert_eq!(ids(3, "id"), ["call_x_2", "call_x_3"]);
    assert_eq!(ids(4, "tool_use_id"), ["call_x_2", "call_x_3"]);
    assert_eq!(ids(4, "content"), ["3", "4"], "equal ids are answered in their order");
}

#[test]
fn case_10_images_and_documents() {
    let base64 = |kind: &str, media_type: &str, data: &str| json!({"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}});
    let url = |kind: &str, url: &str| json!({"type": kind, "source": {"type": "url", "url": url}});
    let image = |url: &str| format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#);
    let file = |fields: &str| format!(r#"{{"type":"file","file":{{{fields}}}}}"#);
    for (part, expected) in [
        (image("data:image/jpg;base64,AAAA"), base64("image", "image/jpeg", "AAAA")),
        (image(r"DATA:image/png;charset=x;BASE64,AA\nAA"), base64("image", "image/png", "AAAA")),
        (image("https://h.example.com/a.png"), url("image", "https://h.example.com/a.png")),
        (
            image("https://h.example.com/a.PDF?x=1"),
            url("document", "https://h.example.com/a.PDF?x=1"),
        ),
        (image("data:application/pdf;base64,AAAA"), base64("document", "application/pdf", "AAAA")),
        (
            r#"{"type":"image_url","image_url":"https://h.example.com/a.png"}"#.to_owned(),
            url("image", "https://h.example.com/a.png"),
        ),
        (
            file(r#""file_data":"JVBERi0xLjQ=""#),
            base64("document", "application/pdf", "JVBERi0xLjQ="),
        ),
        (
            file(r#""file_data":"AAAA","filename":"a.pdf""#),
            json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}, "title": "a.pdf"}),
        ),
        (
            file(r#""file_data":"data:text/markdown;base64,w6k=","filename":"a.md""#),
            json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}, "title": "a.md"}),
        ),
        (
            file(r#""file_data":"YSxi","filename":"a.csv""#),
            json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}, "title": "a.csv"}),
        ),
        (
            file(r#""file_id":"file_1""#),
            json!({"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
        ),
    ] {
        let sent = messages(&format!(r#"[{{"role":"user","content":[{part}]}}]"#));
        assert_eq!(sent[0]["content"], json!([expected]), "{part}");
    }
    let at = "messages.[0].content.[1]";
    for (part, code) in [
        (
            r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}"#.to_owned(),
            ProviderError::UNSUPPORTED_CONTENT,
        ),
        (image("data:image/tiff;base64,AAAA"), ProviderError::UNSUPPORTED_IMAGE_URL),
        (image("data:;base64,AAAA"), ProviderError::UNSUPPORTED_IMAGE_URL),
        (image("data:image/png;base64,A"), ProviderError::UNSUPPORTED_IMAGE_URL),
        (image("gs://b/o.png"), ProviderError::UNSUPPORTED_IMAGE_URL),
        (image("http://169.254.169.254/latest"), ProviderError::UNSUPPORTED_IMAGE_URL),
        (image("file:///etc/passwd"), ProviderError::UNSUPPORTED_IMAGE_URL),
        (image("/etc/passwd"), ProviderError::UNSUPPORTED_IMAGE_URL),
        (file(r#""file_id":"file-1""#), ProviderError::UNSUPPORTED_CONTENT),
        (file(r#""file_data":"AAAA","filename":"a.zip""#), ProviderError::UNSUPPORTED_CONTENT),
        (file(r#""file_data":"////","filename":"a.txt""#), ProviderError::UNSUPPORTED_CONTENT),
        (file(""), ProviderError::UNSUPPORTED_CONTENT),
        (r#"{"type":"novel"}"#.to_owned(), ProviderError::UNSUPPORTED_CONTENT),
    ] {
        let body = asking(
            &format!(r#"[{{"role":"user","content":[{{"type":"text","text":"a"}},{part}]}}]"#),
            "",
        );
        assert_eq!(sonnet().refused(&body), (at.into(), code), "{part}");
    }
    for role in ["system", "assistant"] {
        let body = asking(
            &format!(
                r#"[{U},{{"role":"{role}","content":[{}]}}]"#,
                image("https://h.example.com/a.png")
            ),
            "",
        );
        assert_eq!(
            sonnet().refused(&body),
            ("messages.[1].content.[0]".into(), ProviderError::UNSUPPORTED_CONTENT),
            "{role}"
        );
    }
    let uploaded = asking(
        &format!(r#"[{{"role":"user","content":[{}]}}]"#, file(r#""file_id":"file_1""#)),
        "",
    );
    assert_eq!(
        sonnet().encode(&chat(&uploaded)).unwrap().request.headers()["anthropic-beta"],
        "files-api-2025-04-14"
    );
}

#[test]
fn case_11_no_text_is_blank() {
    for (conversation, expected) in [
        (format!("[{U},{},{}]", called(&["c"]), gave("c", "1")), json!([{"type": "tool_use", "id": "c", "name": "f", "input": {}}])),
        (r#"[{"role":"user","content":"u"},{"role":"assistant","content":[{"type":"text","text":"\n"},{"type":"text","text":"a"}]}]"#.to_owned(), json!([{"type": "text", "text": "a"}])),
    ] {
        assert_eq!(messages(&conversation)[1]["content"], expected, "{conversation}");
    }
    for content in [r#""   ""#, r#""""#, "[]", r#"[{"type":"text","text":" "}]"#] {
        let sent = messages(&format!(r#"[{{"role":"user","content":{content}}}]"#));
        assert_eq!(
            sent,
            json!([{"role": "user", "content": [{"type": "text", "text": "."}]}]),
            "{content}"
        );
    }
}
