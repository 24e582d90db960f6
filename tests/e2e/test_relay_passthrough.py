"""Same dialect on both sides: what the client wrote is what the upstream reads, to the byte.

One thing is added to a chat without a limit of its own: the limit that is paid for.
"""

import json

import pytest

import scripts
import sse
from checks import expect
from world import CUSTOM, OPENAI

MESSAGES = '"messages":[{"role":"user","content":"hi"}]'

LIMIT = '"max_tokens":77,'
PAID_FOR = '"max_tokens":4096,'
"""The limit that the gateway sets where there is none: all of what answers may have by default."""

BODIES = {
    "plain": '{"model":"MODEL",' + MESSAGES + "}",
    "unknown-fields": '{"model":"MODEL",' + MESSAGES + ',"from_the_future":{"a":[1,{"b":null}],"":true},"x-odd key":[]}',
    "unknown-in-messages": '{"model":"MODEL","messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":'
                           '{"type":"ephemeral"}}],"name":"n","weird":{}}]}',
    "number-literals": '{"model":"MODEL",' + MESSAGES + ',"temperature":1.0,"top_p":1E-1,"seed":12345678901234567890,'
                       '"logit_bias":{"50256":-1.00e2},"x":[0.1000,-0,1e+2,3.141592653589793238462643]}',
    "escapes": '{"model":"MODEL","messages":[{"role":"user","content":"\\u00e9\\/\\ud83d\\ude00\\u2028\\"\\\\\\b\\n"}]}',
    "raw-unicode": '{"model":"MODEL","messages":[{"role":"user","content":"é 你好 👩‍👩‍👧 \u2028\u2029\u0085 e\u0301"}]}',
    "whitespace": '\n{\t"model" :\r\n "MODEL"  ,  ' + MESSAGES.replace(":", " : ") + ' ,\n\n "n" : 1 }\n ',
    "model-last": "{" + MESSAGES + ',"model":"MODEL"}',
    "nulls-and-empties": '{"model":"MODEL",' + MESSAGES + ',"stop":null,"user":"","metadata":{},"tools":null,"logprobs":false}',
    "tools": '{"model":"MODEL",' + MESSAGES + ',"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":'
             '{"type":"object","properties":{"z":{"$ref":"#/$defs/z"}},"$defs":{"z":{"const":1.0}}}}}],"tool_choice":"auto"}',
    "the-word-model": '{"metadata":{"model":"MODEL"},"model":"MODEL","messages":[{"role":"user","content":"\\"model\\":\\"MODEL\\""}]}',
    "deep": '{"model":"MODEL",' + MESSAGES + ',"deep":' + "[" * 40 + "]" * 40 + "}",
    "large": '{"model":"MODEL","messages":[{"role":"user","content":"' + "Lorem ipsum. " * 20_000 + '"}]}',
}


def body_of(name: str, model: str, *fields: str) -> str:
    """A body, with these before its first field."""
    return BODIES[name].replace("MODEL", model).replace("{", "{" + "".join(fields), 1)


def strict(text: bytes | str):
    """JSON with the order of keys and the spelling of numbers."""
    return json.loads(text, object_pairs_hook=lambda pairs: ("object", pairs), parse_float=lambda n: ("number", n),
                      parse_int=lambda n: ("number", n))


def without(value, *names: str):
    kind, pairs = value
    assert kind == "object"
    return kind, [(name, item) for name, item in pairs if name not in names]


@pytest.fixture(scope="module")
def rig(shared_lab):
    return shared_lab.rig()


@pytest.fixture(scope="module")
def streaming_rig(shared_lab):
    return shared_lab.rig(scripts.stream())


@pytest.fixture(scope="module")
def rigs(shared_lab, rig):
    """One of each type of channel that speaks the dialect."""
    return {CUSTOM: rig, OPENAI: shared_lab.rig(channel={"type": OPENAI})}


@pytest.fixture(scope="module")
def mapped_rig(shared_lab):
    """A channel whose upstream knows the model as `Up/stream:1`."""
    rig = shared_lab.rig()
    rig.site.root.put(f"/api/channel/{rig.channel.id}", {"model_mapping": {rig.model: "Up/stream:1"}})
    return rig


@pytest.mark.parametrize("name", BODIES)
def test_a_body_arrives_byte_by_byte(rig, name):
    body = body_of(name, rig.model, LIMIT).encode()
    expect(rig.relay.post_bytes(body), 200)
    assert rig.route.last.body == body
    assert rig.route.last.header("content-length") == str(len(body))


@pytest.mark.parametrize("name", BODIES)
def test_only_the_limit_that_is_paid_for_is_added_to_a_body_without_one(rig, name):
    expect(rig.relay.post_bytes(body_of(name, rig.model).encode()), 200)
    assert rig.route.last.body == body_of(name, rig.model, PAID_FOR).encode()
    assert rig.route.last.header("content-length") == str(len(rig.route.last.body))


@pytest.mark.parametrize("limit", ['"max_tokens":5', '"max_completion_tokens":5', '"max_completion_tokens" : 5 , "max_tokens":null',
                                   '"max_tokens":7,"max_completion_tokens":5'])
@pytest.mark.parametrize("kind", [CUSTOM, OPENAI], ids=["custom", "openai"])
def test_a_limit_of_either_name_is_the_callers_own(rigs, kind, limit):
    rig = rigs[kind]
    body = '{"model":"%s",%s,%s}' % (rig.model, limit, MESSAGES)
    expect(rig.relay.post_bytes(body.encode()), 200)
    assert rig.route.last.body == body.encode()


@pytest.mark.parametrize(("kind", "name"), [(CUSTOM, "max_tokens"), (OPENAI, "max_completion_tokens")], ids=["custom", "openai"])
def test_each_provider_is_told_the_limit_by_the_name_that_it_knows(rigs, kind, name):
    rig = rigs[kind]
    body = '{"model":"%s",%s}' % (rig.model, MESSAGES)
    expect(rig.relay.post_bytes(body.encode()), 200)
    assert rig.route.last.body == body.replace("{", '{"%s":4096,' % name, 1).encode()
    # Null is no limit; a second field of that name would leave the choice to the upstream.
    for null in ('"%s":null' % name, '"%s" :\n null ' % name):
        body = '{"model":"%s",%s,%s}' % (rig.model, null, MESSAGES)
        expect(rig.relay.post_bytes(body.encode()), 200)
        assert rig.route.last.body == body.replace("null", "4096").encode()


@pytest.mark.parametrize("name", BODIES)
def test_a_stream_that_asks_for_usage_arrives_byte_by_byte(streaming_rig, name):
    rig = streaming_rig
    text = body_of(name, rig.model, '"stream":true,"stream_options":{"include_usage":true},', LIMIT)
    sse.parse(expect(rig.relay.post_bytes(text.encode()), 200).content).assert_complete("Hello!")
    assert rig.route.last.body == text.encode()


@pytest.mark.parametrize("limit", [LIMIT, ""], ids=["limited", "unlimited"])
@pytest.mark.parametrize("name", BODIES)
def test_only_the_wish_for_usage_and_a_limit_are_added_to_a_stream(streaming_rig, name, limit):
    rig = streaming_rig
    text = body_of(name, rig.model, '"stream":true,', limit)
    expect(rig.relay.post_bytes(text.encode()), 200)
    got = rig.route.last.body
    added = ("stream_options",) if limit else ("stream_options", "max_tokens")
    assert without(strict(got), *added) == strict(text)
    assert rig.route.last.json["stream_options"] == {"include_usage": True}
    assert rig.route.last.json["max_tokens"] == (77 if limit else 4096)
    # JSON equality would forgive changed escapes and spaces.
    for piece in (MESSAGES, '"number"', "\\u00e9\\/\\ud83d\\ude00", "1E-1", "-1.00e2", "[0.1000,-0,1e+2", " : "):
        assert text.encode().count(piece.encode()) == got.count(piece.encode()), f"{piece} was rewritten"


def test_other_stream_options_are_kept(streaming_rig):
    rig = streaming_rig
    rig.stream(stream_options={"include_usage": False, "include_obfuscation": False})
    assert rig.route.last.json["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    rig.stream(stream_options={"include_obfuscation": True})
    assert rig.route.last.json["stream_options"] == {"include_obfuscation": True, "include_usage": True}
    rig.stream(stream_options=None)
    assert rig.route.last.json["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("name", sorted(set(BODIES) - {"the-word-model"}))
def test_a_mapping_changes_the_model_and_nothing_else(mapped_rig, name):
    rig = mapped_rig
    body = body_of(name, rig.model, LIMIT)
    expect(rig.relay.post_bytes(body.encode()), 200)
    assert rig.route.last.json["model"] == "Up/stream:1"
    expected = body.replace(f'"{rig.model}"', '"Up/stream:1"')
    # How the slash is escaped is free.
    assert rig.route.last.body.replace(b"Up\\/stream", b"Up/stream") == expected.encode()


def test_a_mapping_leaves_the_same_word_elsewhere_alone(mapped_rig):
    rig = mapped_rig
    expect(rig.relay.post_bytes(body_of("the-word-model", rig.model).encode()), 200)
    got = rig.route.last.json
    assert got["model"] == "Up/stream:1"
    assert got["metadata"] == {"model": rig.model} and got["messages"][0]["content"] == f'"model":"{rig.model}"'


def test_a_model_is_compared_by_value_not_by_spelling(rig):
    """`"mod\\u0065l"` is the key `model` to every JSON reader."""
    escaped = "".join(f"\\u{ord(c):04x}" for c in rig.model)
    body = b'{"mod\\u0065l":"' + escaped.encode() + b'",' + MESSAGES.encode() + b"}"
    before = rig.route.calls
    reply = expect(rig.relay.post_bytes(body), (200, 400))
    assert rig.route.calls - before == int(reply.status_code == 200)


@pytest.mark.parametrize("first", [True, False], ids=["allowed-first", "allowed-last"])
def test_a_second_model_cannot_be_smuggled_in(lab, first):
    """Parsers differ in which of two equal keys they take."""
    rig = lab.rig()
    restricted = lab.token(models=rig.model)
    names = [rig.model, "forbidden-model"] if first else ["forbidden-model", rig.model]
    body = '{"model":"%s","model":"%s",%s}' % (*names, MESSAGES)
    reply = expect(restricted.relay.post_bytes(body.encode()), (200, 400, 403, 404))
    if reply.status_code == 200:
        assert b"forbidden-model" not in rig.route.last.body
    else:
        assert rig.route.calls == 0


def test_an_answer_passes_through(lab):
    answer = ('{"id":"chatcmpl-1","object":"chat.completion","created":1790000000,"model":"NAME","choices":[{"index":0,"message":'
              '{"role":"assistant","content":"caf\\u00e9 é 👍","refusal":null,"annotations":[],"reasoning_content":"hm"},'
              '"logprobs":null,"finish_reason":"stop","odd":1.50}],"usage":{"prompt_tokens":9,"completion_tokens":12,'
              '"total_tokens":21,"completion_tokens_details":{"reasoning_tokens":4}},"service_tier":"default","new":[1e2]}')
    rig = lab.rig()
    text = answer.replace("NAME", rig.model)
    rig.route.play(scripts.answer(body=text.encode()))
    assert strict(expect(rig.chat(), 200).content) == strict(text)


def test_chunks_pass_through(lab):
    rig = lab.rig()
    chunks = [scripts.chunk(rig.model, delta, finish, obfuscation="zZ", system_fingerprint="fp_1", new={"a": 1.5})
              for delta, finish in [({"role": "assistant", "content": ""}, None),
                                    ({"content": "x", "reasoning_content": "y", "other": [1]}, None), ({}, "stop")]]
    text = "".join(f"data: {json.dumps(c)}\n\n" for c in chunks) + "data: [DONE]\n\n"
    rig.route.play(scripts.sse_body(text.encode()))
    _, streamed = rig.stream()
    assert [strict(payload) for payload in streamed.payloads[:-1]] == [strict(json.dumps(c)) for c in chunks]


def test_the_log_knows_both_names_of_a_model(mapped_rig):
    row = mapped_rig.wait_row(expect(mapped_rig.chat(), 200))
    assert (row["model"], row["upstream_model"]) == (mapped_rig.model, "Up/stream:1")


def test_an_answer_has_the_models_public_name(mapped_rig):
    assert expect(mapped_rig.chat(), 200).json()["model"] == mapped_rig.model


def test_a_stream_has_the_models_public_name(lab):
    rig = lab.rig(scripts.stream())
    rig.site.root.put(f"/api/channel/{rig.channel.id}", {"model_mapping": {rig.model: "internal-name"}})
    _, streamed = rig.stream()
    assert {chunk["model"] for chunk in streamed.chunks} == {rig.model}


def test_the_upstream_gets_the_providers_key_and_nothing_of_the_client(rig):
    headers = {"cookie": "session=1", "x-forwarded-for": "1.2.3.4", "openai-organization": "org-other",
               "openai-project": "proj", "x-custom": "1", "x-api-key": rig.token.key, "proxy-authorization": "Basic eA==",
               "referer": "https://a.example", "te": "trailers"}
    expect(rig.relay.chat(rig.model, headers=headers), 200)
    request = rig.route.last
    assert request.all_headers("authorization") == [f"Bearer {rig.channel.key}"]
    passed_on = {name.lower() for name, _ in request.headers} & (set(headers) - {"te"})
    assert not passed_on
    assert rig.token.key not in str(request.headers)
    assert request.header("content-type").startswith("application/json")
    assert request.header("host") == rig.site.upstream.url.removeprefix("http://")


def test_the_upstream_is_not_asked_to_compress(streaming_rig):
    streaming_rig.stream()
    assert streaming_rig.route.last.header("accept-encoding") in (None, "identity")


def test_the_query_is_not_passed_on(rig):
    expect(rig.relay.request("POST", "/v1/chat/completions?x=1&api-version=2",
                             json={"model": rig.model, "messages": [{"role": "user", "content": "hi"}]}), 200)
    assert rig.route.last.path.endswith("/v1/chat/completions")


def test_headers_of_the_upstream_do_not_reach_the_client(lab):
    rig = lab.rig(scripts.chat(headers={"Set-Cookie": "a=b", "X-Internal-Host": "node-7", "Server": "upstream/1.0",
                                        "Openai-Organization": "org-secret", "X-Request-Id": "req_upstream"}))
    reply = expect(rig.chat(), 200)
    for name in ("set-cookie", "x-internal-host", "openai-organization"):
        assert name not in reply.headers
    assert reply.headers.get("server") != "upstream/1.0"
    assert reply.headers.get_list("x-request-id") != ["req_upstream"]
    rig.wait_row(reply)


@pytest.mark.parametrize("field", [{"encoding_format": "float"}, {"dimensions": 3, "user": "u"}, {"new": {"a": 1.50}}], ids=str)
def test_embeddings_arrive_byte_by_byte(lab, field):
    rig = lab.rig(scripts.embeddings())
    body = json.dumps({"input": ["é", "\u2028"], **field, "model": rig.model}, ensure_ascii=False).encode()
    expect(rig.relay.post_bytes(body, "/v1/embeddings"), 200)
    assert rig.route.last.body == body


@pytest.mark.parametrize("text", ["hi", ["a", "b"], [1, 2, 3], [[1, 2], [3]]], ids=str)
def test_every_form_of_input_is_embedded(lab, text):
    rig = lab.rig(scripts.embeddings())
    expect(rig.relay.embed(rig.model, input=text), 200)
    assert rig.route.last.json["input"] == text
