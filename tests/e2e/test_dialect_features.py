"""What applications use of OpenAI's API, on each kind of channel, read by OpenAI's packages for Python and for Node."""

import json
from dataclasses import dataclass

import pytest

import dialects
import scripts
from fake_upstream import Script
from sdks import NodeDriver, NodeSdk, PythonSdk, SdkError
from world import CUSTOM, HELLO, OPENAI

AZURE, ANTHROPIC, GEMINI = 3, 14, 24

WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}}}
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CITY_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}


@dataclass(frozen=True)
class Dialect:
    kind: int
    upstream_model: str
    calls: Script
    text: Script
    thinks: bool = False
    prompt: int = 40
    """Tokens of the prompt of `calls`. Anthropic counts what it read from its cache beside the input."""


DIALECTS = {
    "openai": Dialect(OPENAI, "gpt-5", dialects.OPENAI_CALLS, scripts.chat("Fine.")),
    "azure": Dialect(AZURE, "my-deployment", dialects.OPENAI_CALLS, scripts.chat("Fine.")),
    "custom": Dialect(CUSTOM, "qwen", dialects.OPENAI_CALLS, scripts.chat("Fine.")),
    "anthropic": Dialect(ANTHROPIC, "claude-sonnet-4-5", dialects.ANTHROPIC_THINKING, dialects.ANTHROPIC_TEXT, thinks=True, prompt=48),
    "gemini": Dialect(GEMINI, "gemini-3-flash-preview", dialects.GEMINI_THINKING, dialects.GEMINI_TEXT, thinks=True),
}
TRANSLATED = ("anthropic", "gemini")


@pytest.fixture(scope="module")
def node():
    driver = NodeDriver()
    yield driver
    driver.stop()


@pytest.fixture(params=["python", "node"])
def sdk(request):
    """Makes a package's client for a key."""
    if request.param == "python":
        return PythonSdk
    driver = request.getfixturevalue("node")
    return lambda token: NodeSdk(token, driver)


@pytest.fixture
def rig(lab):
    def make(name: str, *answers: Script):
        dialect, model = DIALECTS[name], lab.model()
        route = lab.route(*(answers or (dialect.text,)))
        lab.channel(route, model, type=dialect.kind, model_mapping={model: dialect.upstream_model})
        return model, route, lab.token()
    return make


def check_calls(calls: list[dict]) -> None:
    assert [call["function"]["name"] for call in calls] == ["weather", "weather"]
    assert [json.loads(call["function"]["arguments"]) for call in calls] == list(dialects.CITIES)
    ids = [call["id"] for call in calls]
    assert len(set(ids)) == 2 and all(0 < len(id) <= 40 for id in ids)


def check_usage(usage: dict, name: str) -> None:
    prompt = DIALECTS[name].prompt
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (prompt, 33, prompt + 33)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 8
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 11


@pytest.mark.parametrize("name", DIALECTS)
def test_parallel_tool_calls_come_whole(rig, sdk, name):
    model, _, token = rig(name, DIALECTS[name].calls)
    answer = sdk(token).chat(model=model, messages=HELLO, tools=[WEATHER], reasoning_effort="high")
    choice, = answer["choices"]
    assert answer["model"] == model and choice["finish_reason"] == "tool_calls"
    check_calls(choice["message"]["tool_calls"])
    check_usage(answer["usage"], name)
    assert choice["message"].get("reasoning_content") == (dialects.THOUGHT if DIALECTS[name].thinks else None)
    row = token.wait_only_row()
    assert (row["completion_tokens"], row["cached_tokens"], row["reasoning_tokens"]) == (33, 8, 11)
    assert row["prompt_tokens"] == DIALECTS[name].prompt


@pytest.mark.parametrize("name", DIALECTS)
def test_parallel_tool_calls_come_streamed(rig, sdk, name):
    model, _, token = rig(name, DIALECTS[name].calls)
    streamed = sdk(token).stream(model=model, messages=HELLO, tools=[WEATHER], reasoning_effort="high",
                                 stream_options={"include_usage": True})
    assert streamed.error is None and streamed.finishes() == ["tool_calls"]
    check_calls(streamed.calls())
    usage, = streamed.usages()
    check_usage(usage, name)
    assert streamed.text("reasoning_content") == (dialects.THOUGHT if DIALECTS[name].thinks else "")
    assert token.wait_only_row()["reasoning_tokens"] == 11


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", DIALECTS)
def test_a_tool_loop_of_two_turns_keeps_what_the_provider_needs(rig, sdk, name, streamed):
    """The application sends back what it got, as it got it: thoughts are signed, and must not be lost."""
    model, route, token = rig(name, DIALECTS[name].calls, DIALECTS[name].text)
    client, asked = sdk(token), {"model": model, "tools": [WEATHER], "reasoning_effort": "high"}
    if streamed:
        first = client.stream(messages=HELLO, **asked)
        message = {"role": "assistant", "content": None, "tool_calls": first.calls()}
        if blocks := [block for blocks in first.deltas("thinking_blocks") for block in blocks]:
            message["thinking_blocks"] = blocks
    else:
        message = client.chat(messages=HELLO, **asked)["choices"][0]["message"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": f"{number} degrees"}
               for number, call in enumerate(message["tool_calls"])]
    answer = client.chat(messages=[*HELLO, message, *results], **asked)
    assert answer["choices"][0]["message"]["content"] == "Fine."

    sent = route.requests[1].json
    if name == "anthropic":
        thought, *uses = sent["messages"][1]["content"]
        assert thought == {"type": "thinking", "thinking": dialects.THOUGHT, "signature": dialects.SIGNATURE}
        assert [use["input"] for use in uses] == list(dialects.CITIES)
        assert [(block["type"], block["tool_use_id"]) for block in sent["messages"][2]["content"]] == [
            ("tool_result", use["id"]) for use in uses]
    elif name == "gemini":
        calls = [part for part in sent["contents"][1]["parts"] if "functionCall" in part]
        assert [part["functionCall"]["args"] for part in calls] == list(dialects.CITIES)
        assert [part.get("thoughtSignature") for part in calls] == [dialects.SIGNATURE, None]
        answers = [part["functionResponse"] for part in sent["contents"][2]["parts"]]
        assert [(answer["name"], answer["response"]) for answer in answers] == [
            ("weather", {"output": "0 degrees"}), ("weather", {"output": "1 degrees"})]
    else:
        assert sent["messages"][1]["tool_calls"] == message["tool_calls"]
        assert sent["messages"][2:] == results


@pytest.mark.parametrize("name", DIALECTS)
def test_an_image_as_data_arrives(rig, sdk, name):
    model, route, token = rig(name)
    url = f"data:image/png;base64,{PNG}"
    message = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]}
    assert sdk(token).chat(model=model, messages=[message])["choices"][0]["message"]["content"] == "Fine."
    sent = route.requests[0].json
    if name == "anthropic":
        assert sent["messages"][0]["content"][1] == {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    elif name == "gemini":
        assert sent["contents"][0]["parts"][1] == {"inlineData": {"mimeType": "image/png", "data": PNG}}
    else:
        assert sent["messages"] == [message]


@pytest.mark.parametrize("name", DIALECTS)
def test_an_answer_by_a_schema_is_asked_for(rig, sdk, name):
    model, route, token = rig(name)
    wanted = {"type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY_SCHEMA}}
    sdk(token).chat(model=model, messages=HELLO, response_format=wanted)
    sent = route.requests[0].json
    if name == "anthropic":
        assert sent["output_config"]["format"] == {"type": "json_schema", "schema": CITY_SCHEMA}
    elif name == "gemini":
        config = sent["generationConfig"]
        assert config["responseMimeType"] == "application/json"
        assert config["responseJsonSchema"] == CITY_SCHEMA
    else:
        assert sent["response_format"] == wanted


@pytest.mark.parametrize("name", DIALECTS)
def test_effort_is_asked_for_in_the_providers_words(rig, sdk, name):
    model, route, token = rig(name)
    sdk(token).chat(model=model, messages=HELLO, reasoning_effort="high", max_completion_tokens=9000)
    sent = route.requests[0].json
    if name == "anthropic":
        assert sent["thinking"]["type"] == "enabled" and sent["thinking"]["budget_tokens"] == 4096
        assert sent["max_tokens"] == 9000
    elif name == "gemini":
        thinking = sent["generationConfig"]["thinkingConfig"]
        assert thinking["thinkingLevel"].upper() == "HIGH" and thinking["includeThoughts"] is True
        assert "thinkingBudget" not in thinking
    else:
        assert sent["reasoning_effort"] == "high"


@pytest.mark.parametrize(("name", "breaks"), [
    ("anthropic", dialects.ANTHROPIC_BREAKS), ("gemini", dialects.GEMINI_BREAKS),
    ("custom", scripts.broken_stream(["Half"], "event", event=json.dumps({"error": {"message": "Overloaded", "code": 503}}))),
], ids=["anthropic", "gemini", "custom"])
def test_an_error_in_mid_stream_is_raised_by_the_package(rig, sdk, name, breaks):
    model, _, token = rig(name, breaks)
    streamed = sdk(token).stream(model=model, messages=HELLO)
    assert streamed.text() == "Half" and streamed.finishes() == []
    assert streamed.error is not None and streamed.error.name == "APIError"
    row = token.wait_only_row()
    assert (row["end_reason"], row["status"]) == ("upstream_error", 200) and row["quota"] > 0


ERRORS = {
    "anthropic-400": ("anthropic", 400, {"type": "error", "error": {"type": "invalid_request_error", "message": "bad field"}},
                      ("BadRequestError", 400, None)),
    "anthropic-too-long": ("anthropic", 400, {"type": "error", "error": {
        "type": "invalid_request_error", "message": "prompt is too long: 250000 tokens > 200000 maximum"}},
        ("BadRequestError", 400, "context_length_exceeded")),
    "anthropic-401": ("anthropic", 401, {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}},
                      ("InternalServerError", 502, "upstream_auth")),
    "anthropic-429": ("anthropic", 429, {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}},
                      ("RateLimitError", 429, "rate_limit_exceeded")),
    "anthropic-529": ("anthropic", 529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
                      ("InternalServerError", 503, "overloaded")),
    "gemini-400": ("gemini", 400, {"error": {"code": 400, "message": "bad field", "status": "INVALID_ARGUMENT"}},
                   ("BadRequestError", 400, None)),
    "gemini-key": ("gemini", 400, {"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]}},
        ("InternalServerError", 502, "upstream_auth")),
    "gemini-429": ("gemini", 429, {"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17.4s"}]}},
        ("RateLimitError", 429, "rate_limit_exceeded")),
    "azure-filter": ("azure", 400, {"error": {"code": "content_filter", "message": "filtered", "param": "prompt", "type": None,
                                              "status": 400, "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
                     ("BadRequestError", 400, "content_filter")),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_providers_error_is_the_packages_exception(rig, sdk, case):
    name, status, body, (exception, wanted_status, code) = ERRORS[case]
    model, _, token = rig(name, dialects.answer(body, status))
    with pytest.raises(SdkError) as raised:
        sdk(token).chat(model=model, messages=HELLO)
    assert (raised.value.name, raised.value.status) == (exception, wanted_status), raised.value
    if code is not None:
        assert raised.value.code == code
    assert token.wait_only_row()["quota"] == 0


def test_a_model_that_the_caller_named_itself_is_the_callers_404(lab, sdk):
    model = lab.model()
    body = {"error": {"message": "no such model", "type": "invalid_request_error", "param": None, "code": "model_not_found"}}
    lab.channel(lab.route(dialects.answer(body, 404)), model, type=OPENAI)
    with pytest.raises(SdkError) as raised:
        sdk(lab.token()).chat(model=model, messages=HELLO)
    assert (raised.value.name, raised.value.status, raised.value.code) == ("NotFoundError", 404, "model_not_found")


@pytest.mark.parametrize("format", [None, "float", "base64"])
@pytest.mark.parametrize("kind", [OPENAI, GEMINI], ids=["openai", "gemini"])
def test_both_packages_read_the_same_vectors(lab, sdk, kind, format):
    vectors = [[0.5, -0.25, 1.0], [0.0, 0.125, -2.0]]
    model = lab.model()
    script = dialects.GEMINI_EMBEDDINGS if kind == GEMINI else scripts.embeddings(vectors)
    mapping = {model: "gemini-embedding-001"} if kind == GEMINI else {}
    lab.channel(lab.route(script), model, type=kind, model_mapping=mapping)
    asked = {} if format is None else {"encoding_format": format}
    answer = sdk(lab.token()).embeddings(model=model, input=["one", "two"], **asked)
    found = [item["embedding"] for item in answer["data"]]
    assert found == ([scripts.as_base64(vector) for vector in vectors] if format == "base64" else vectors)
    assert [item["index"] for item in answer["data"]] == [0, 1]
