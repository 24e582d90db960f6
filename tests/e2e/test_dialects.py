"""Claude and Gemini behind OpenAI's API: OpenAI's own package reads what other dialects answer."""

import json

import openai
import pytest

import dialects
import scripts
from checks import expect
from world import HELLO

ANTHROPIC, GEMINI, AZURE = 14, 24, 3

TOOLS = [{"type": "function", "function": {
    "name": "weather", "description": "The weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}}]

# What answers, and prompt, completion, cached and cache-write tokens of it.
CASES = {
    "anthropic": (ANTHROPIC, "claude-sonnet-4-5", dialects.ANTHROPIC_ANSWER, dialects.ANTHROPIC_STREAM, (142, 25, 30, 100)),
    "gemini": (GEMINI, "gemini-2.5-flash", dialects.GEMINI_ANSWER, dialects.GEMINI_STREAM, (50, 28, 40, 0)),
}


def dialect_rig(lab, kind: int, upstream_model: str, script):
    model = lab.model()
    route = lab.route(script)
    lab.channel(route, model, type=kind, model_mapping={model: upstream_model})
    token = lab.token()
    return model, route, token


@pytest.mark.parametrize("name", CASES)
def test_the_sdk_reads_a_whole_answer_of_another_dialect(lab, name):
    kind, upstream_model, whole, _, (prompt, completion, cached, written) = CASES[name]
    model, route, token = dialect_rig(lab, kind, upstream_model, whole)
    answer = token.sdk().chat.completions.with_raw_response.create(
        model=model, messages=HELLO, tools=TOOLS, max_tokens=300, seed=7)
    assert "seed" in answer.headers.get("x-gateway-dropped-params", "") or name == "gemini"
    request_id, answer = answer.headers["x-request-id"], answer.parse()
    choice = answer.choices[0]
    assert (answer.model, choice.message.content, choice.finish_reason) == (model, "It rains.", "tool_calls")
    call, = choice.message.tool_calls
    assert call.function.name == "weather" and json.loads(call.function.arguments) == dialects.TOOL_INPUT
    assert 0 < len(call.id) <= 40
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (prompt, completion)
    row = token.wait_row(request_id)
    assert (row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"], row["cache_write_tokens"]) == (
        prompt, completion, cached, written)
    assert row["quota"] == scripts.cost(prompt, completion) and row["estimated"] is False
    if name == "anthropic":
        assert row["dropped"] == ["seed"]
    sent = route.requests[0]
    assert upstream_model in sent.path or sent.json["model"] == upstream_model


@pytest.mark.parametrize("name", CASES)
def test_the_sdk_reads_a_stream_of_another_dialect(lab, name):
    kind, upstream_model, _, stream, (prompt, completion, *_) = CASES[name]
    model, _, token = dialect_rig(lab, kind, upstream_model, stream)
    text, arguments, names, finishes, usage = "", "", [], [], None
    for chunk in token.sdk().chat.completions.create(model=model, messages=HELLO, tools=TOOLS, max_tokens=300, stream=True,
                                                     stream_options={"include_usage": True}):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for call in choice.delta.tool_calls or []:
                names += [call.function.name] if call.function.name else []
                arguments += call.function.arguments or ""
            finishes += [choice.finish_reason] if choice.finish_reason else []
    assert (text, names, finishes) == ("It rains.", ["weather"], ["tool_calls"])
    assert json.loads(arguments) == dialects.TOOL_INPUT
    assert (usage.prompt_tokens, usage.completion_tokens) == (prompt, completion)
    assert token.wait_only_row()["quota"] == scripts.cost(prompt, completion)


def test_an_overloaded_claude_is_passed_over(lab):
    """It says 200 and then that it is overloaded: nothing has been sent to the client yet."""
    model = lab.model()
    first, second = lab.route(dialects.ANTHROPIC_OVERLOADED), lab.route(scripts.stream())
    lab.channel(first, model, type=ANTHROPIC, priority=9)
    lab.channel(second, model)
    token = lab.token()
    response, streamed = token.relay.stream(model, max_tokens=50)
    assert len(first.requests) == len(second.requests) == 1
    assert token.wait_row(response)["quota"] == scripts.cost()


def test_an_error_of_another_dialect_is_openais(lab):
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: too large"}}
    model, _, token = dialect_rig(lab, ANTHROPIC, "claude-sonnet-4-5", dialects.answer(body, 400))
    with pytest.raises(openai.BadRequestError, match="too large"):
        token.sdk().chat.completions.create(model=model, messages=HELLO, max_tokens=50)
    assert token.wait_only_row()["state"] == "void"


def test_embeddings_of_gemini_are_openais(lab):
    model, route, token = dialect_rig(lab, GEMINI, "gemini-embedding-001", dialects.GEMINI_EMBEDDINGS)
    answer = token.sdk().embeddings.create(model=model, input=["one", "two"])
    assert [item.embedding for item in answer.data] == [[0.5, -0.25, 1.0], [0.0, 0.125, -2.0]]
    assert ":batchEmbedContents" in route.requests[0].path


def test_azure_is_asked_by_its_deployment(lab):
    model, route, token = dialect_rig(lab, AZURE, "my-deployment", scripts.chat())
    expect(token.relay.chat(model, max_tokens=20), 200)
    sent = route.requests[0]
    assert "/openai/deployments/my-deployment/chat/completions?api-version=" in sent.path
    names = {name.lower() for name, _ in sent.headers}
    assert "api-key" in names and "authorization" not in names


def test_a_channel_can_be_tried(lab):
    model = lab.model()
    good = lab.channel(lab.route(dialects.ANTHROPIC_ANSWER), model, type=ANTHROPIC)
    bad = lab.channel(lab.route(dialects.answer({"error": {"type": "authentication_error", "message": "bad key"}}, 401)), model,
                      type=ANTHROPIC)
    root = lab.site.root
    tried = root.call("POST", f"/api/channel/{good.id}/test")
    assert tried["ok"] is True and tried["model"] == model and tried["error"] is None
    tried = root.call("POST", f"/api/channel/{bad.id}/test")
    assert tried["ok"] is False and tried["error"]["fault"] == "auth" and "bad key" in tried["error"]["message"]
    root.refused("POST", "/api/channel/999999999/test", 404)
