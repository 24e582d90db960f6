//! Parts of messages: written or refused.

use super::*;

const HTTPS: &str = "https://example.com/a.b/cat.PNG?x=1.gif";

fn image(url: &str) -> Value {
    json!({"type": "image_url", "image_url": {"url": url}})
}

fn file(data: &str, name: &str) -> Value {
    json!({"type": "file", "file": {"file_data": data, "filename": name}})
}

#[test]
fn parts_of_messages_are_written() {
    let files = "https://generativelanguage.googleapis.com/v1beta/files/abc";
    let inline = |kind: &str, data: &str| json!({"inlineData": {"mimeType": kind, "data": data}});
    for (name, model, part, expected) in [
        ("an image", FLASH_2, image("data:image/png;base64,AAAA"), inline("image/png", "AAAA")),
        (
            "an image by another name",
            FLASH_2,
            image("DATA:image/jpg;charset=x;BASE64,AA\nAA"),
            inline("image/jpeg", "AAAA"),
        ),
        (
            "an address",
            FLASH_3,
            image(HTTPS),
            json!({"fileData": {"mimeType": "image/png", "fileUri": HTTPS}}),
        ),
        ("an uploaded file", FLASH_2, image(files), json!({"fileData": {"fileUri": files}})),
        (
            "a stored file",
            FLASH_2,
            image("gs://b/cat.jpg"),
            json!({"fileData": {"mimeType": "image/jpeg", "fileUri": "gs://b/cat.jpg"}}),
        ),
        (
            "audio",
            FLASH_2,
            json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}}),
            inline("audio/mp3", "AAAA"),
        ),
        (
            "a document",
            FLASH_2,
            file("data:application/pdf;base64,AAAA", "a.txt"),
            inline("application/pdf", "AAAA"),
        ),
        (
            "a document by its name",
            FLASH_2,
            file("AAAA", "a.b.PDF"),
            inline("application/pdf", "AAAA"),
        ),
        (
            "a document without a type",
            FLASH_2,
            file("data:application/octet-stream;base64,AAAA", "a.csv"),
            inline("text/csv", "AAAA"),
        ),
    ] {
        let (sent, _) =
            sent(&bench(model), &json!([{"role": "user", "content": [part]}]), json!({}));
        assert_eq!(sent["contents"][0]["parts"], json!([expected]), "{name}");
    }
}

#[test]
fn parts_that_cannot_be_written_are_refused() {
    for (name, model, part, code) in [
        ("an address for an older model", FLASH_2, image(HTTPS), "unsupported_image_url"),
        (
            "an address that is not public",
            FLASH_3,
            image("http://127.0.0.1/x.png"),
            "unsupported_image_url",
        ),
        ("another scheme", FLASH_3, image("file:///etc/passwd"), "unsupported_image_url"),
        ("bytes of no type", FLASH_3, image("data:;base64,AAAA"), "unsupported_image_url"),
        (
            "another format",
            FLASH_3,
            json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "midi"}}),
            "unsupported_content",
        ),
        (
            "broken audio",
            FLASH_3,
            json!({"type": "input_audio", "input_audio": {"data": "A A=A", "format": "wav"}}),
            "unsupported_content",
        ),
        ("a document of no type", FLASH_3, file("AAAA", "a"), "unsupported_content"),
        (
            "another provider's file",
            FLASH_3,
            json!({"type": "file", "file": {"file_id": "file-1"}}),
            "unsupported_content",
        ),
        ("no file", FLASH_3, json!({"type": "file", "file": {}}), "unsupported_content"),
        ("a novelty", FLASH_3, json!({"type": "video"}), "unsupported_content"),
    ] {
        let messages = json!([{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "t"}, part]}]);
        let body = json!({"model": "m", "messages": messages}).to_string();
        assert_eq!(
            bench(model).refused(&body),
            ("messages.[1].content.[1]".into(), code),
            "{name}"
        );
    }
    let tools = json!({"model": "m", "messages": [
        {"role": "assistant", "content": null, "tool_calls": [call("a", "f", "")]},
        {"role": "tool", "tool_call_id": "a", "content": [image("data:image/png;base64,AAAA")]},
    ]});
    assert_eq!(
        bench(FLASH_3).refused(&tools.to_string()),
        ("messages.[1].content.[0]".into(), "unsupported_content")
    );
}
