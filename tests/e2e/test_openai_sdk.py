"""The official openai package, as its users use it."""

import asyncio
import json

import openai
import pytest

import scripts
from transport import openai_client
from world import HELLO


def test_an_answer_arrives_whole(lab):
    rig = lab.rig(scripts.chat("Good day."))
    answer = rig.sdk().chat.completions.create(model=rig.model, messages=HELLO, temperature=0.5)
    assert answer.object == "chat.completion" and answer.model == rig.model
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == "Good day."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == scripts.PROMPT + scripts.COMPLETION
    assert rig.route.last.path.endswith("/v1/chat/completions")
    assert rig.route.last.json["temperature"] == 0.5
    assert rig.wait_row(answer._request_id)["status"] == 200


def test_a_stream_without_usage_has_none(lab):
    rig = lab.rig(scripts.stream(["a", "b", "c"]))
    chunks = list(rig.sdk().chat.completions.create(model=rig.model, messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "abc"
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert not [chunk for chunk in chunks if "usage" in chunk.model_fields_set], "the client did not ask for usage"
    assert rig.route.last.json["stream_options"] == {"include_usage": True}, "the gateway needs it for the bill"


def test_a_stream_with_usage_has_it_once(lab):
    rig = lab.rig(scripts.stream(["a", "b"]))
    chunks = list(rig.sdk().chat.completions.create(
        model=rig.model, messages=HELLO, stream=True, stream_options={"include_usage": True}))
    with_usage = [chunk for chunk in chunks if chunk.usage is not None]
    assert len(with_usage) == 1 and with_usage[0] is chunks[-1] and chunks[-1].choices == []
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (scripts.PROMPT, scripts.COMPLETION)


def test_usage_is_made_up_for_a_client_that_wants_it_when_the_upstream_has_none(lab):
    rig = lab.rig(scripts.stream(["a", "b"], reports_usage=False))
    stream = rig.sdk().chat.completions.create(
        model=rig.model, messages=HELLO, stream=True, stream_options={"include_usage": True})
    request_id = stream.response.headers["x-request-id"]
    chunks = list(stream)
    assert sum(chunk.usage is not None for chunk in chunks) == 1
    usage = chunks[-1].usage
    row = rig.wait_row(request_id)
    assert row["estimated"] is True
    assert (row["prompt_tokens"], row["completion_tokens"]) == (usage.prompt_tokens, usage.completion_tokens)
    assert row["quota"] == scripts.cost(usage.prompt_tokens, usage.completion_tokens) > 0


def test_tool_calls_survive_a_stream(lab):
    def delta(**value):
        return scripts.chunk("any", {"tool_calls": [{"index": 0, **value}]})

    frames = [
        delta(id="call_1", type="function", function={"name": "weather", "arguments": ""}),
        delta(function={"arguments": '{"city":'}), delta(function={"arguments": '"Bern"}'}),
        scripts.chunk("any", {}, "tool_calls"), scripts.chunk("any", None, usage=scripts.usage_of()),
    ]
    text = b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames) + b"data: [DONE]\n\n"
    rig = lab.rig(scripts.sse_body(text))
    chunks = list(rig.sdk().chat.completions.create(model=rig.model, messages=HELLO, stream=True, tools=[
        {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]))
    calls = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
    assert calls[0].id == "call_1" and calls[0].function.name == "weather"
    assert "".join(call.function.arguments or "" for call in calls) == '{"city":"Bern"}'
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_the_asynchronous_client_works_too(lab):
    rig = lab.rig(scripts.stream(["x", "y"]))

    async def run() -> str:
        async with openai.AsyncOpenAI(base_url=f"{rig.site.gateway.url}/v1", api_key=rig.token.key, max_retries=0) as client:
            stream = await client.chat.completions.create(model=rig.model, messages=HELLO, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert asyncio.run(run()) == "xy"


VECTOR = [0.5, -0.25, 1.0, 2.0]


@pytest.mark.parametrize("ignores_base64", [False, True], ids=["upstream-encodes", "upstream-sends-floats"])
def test_embeddings_by_default_are_base64_on_the_wire(lab, ignores_base64):
    """The SDK asks for base64 and decodes it; a server that sends floats instead would do for
    Python, but not for Node: what was asked for must be what comes."""
    rig = lab.rig(scripts.embeddings([VECTOR], ignore_base64=ignores_base64))
    answer = rig.sdk().embeddings.create(model=rig.model, input="some text")
    assert answer.data[0].embedding == VECTOR
    assert rig.route.last.json["encoding_format"] == "base64"
    assert rig.route.last.path.endswith("/v1/embeddings")
    raw = rig.relay.embed(rig.model, encoding_format="base64").json()
    assert raw["data"][0]["embedding"] == scripts.as_base64(VECTOR)


def test_embeddings_as_floats(lab):
    rig = lab.rig(scripts.embeddings([VECTOR, [1.0, 0.0, 0.0, 0.0]]))
    answer = rig.sdk().embeddings.create(model=rig.model, input=["one", "two"], encoding_format="float")
    assert [item.embedding for item in answer.data] == [VECTOR, [1.0, 0.0, 0.0, 0.0]]
    assert [item.index for item in answer.data] == [0, 1]
    assert answer.usage.prompt_tokens == 7
    raw = rig.relay.embed(rig.model).json()
    assert raw["data"][0]["embedding"] == VECTOR, "without encoding_format: floats"


def test_embeddings_are_charged_for_their_prompt(lab):
    rig = lab.rig(scripts.embeddings(prompt=23))
    reply = rig.relay.embed(rig.model)
    row = rig.wait_row(reply)
    assert (row["prompt_tokens"], row["completion_tokens"], row["quota"]) == (23, 0, 23)


def test_models_can_be_listed_and_retrieved(lab):
    rig = lab.rig()
    sdk = rig.sdk()
    listed = {model.id: model for model in sdk.models.list()}
    assert rig.model in listed
    assert listed[rig.model].object == "model" and isinstance(listed[rig.model].created, int)
    assert sdk.models.retrieve(rig.model).id == rig.model
    with pytest.raises(openai.NotFoundError) as refused:
        sdk.models.retrieve("no-such-model")
    assert refused.value.code == "model_not_found"


def test_a_model_with_a_slash_can_be_retrieved(lab):
    model = lab.model() + "/large"
    lab.channel(lab.route(), model)
    assert lab.token().sdk().models.retrieve(model).id == model


def test_the_list_of_models_is_the_keys_own(lab):
    mine, other = lab.rig(), lab.rig()
    restricted = lab.token(models=mine.model)
    listed = {model.id for model in restricted.sdk().models.list()}
    assert mine.model in listed and other.model not in listed
    with pytest.raises((openai.NotFoundError, openai.PermissionDeniedError)):
        restricted.sdk().models.retrieve(other.model)


def test_a_model_without_an_enabled_channel_is_not_listed(lab):
    rig = lab.rig()
    rig.site.root.put(f"/api/channel/{rig.channel.id}", {"status": 0})
    assert rig.model not in {model.id for model in rig.sdk().models.list()}


def test_listing_models_costs_nothing(lab):
    token = lab.token(lab.user())
    token.sdk().models.list()
    assert token.owner.fresh()["used_quota"] == 0 and token.rows() == []


@pytest.mark.parametrize(("script", "expected", "code"), [
    (scripts.error(400, "bad temperature", "bad_temperature", "invalid_request_error", "temperature"),
     openai.BadRequestError, "bad_temperature"),
    (scripts.error(401, "bad key"), openai.InternalServerError, "upstream_auth"),
    (scripts.error(403, "not here"), openai.InternalServerError, "upstream_permission"),
    (scripts.error(429, "slow down"), openai.RateLimitError, "rate_limit_exceeded"),
    (scripts.error(500), openai.InternalServerError, "upstream_error"),
    (scripts.error(503), openai.InternalServerError, "overloaded"),
    (scripts.answer(200, b"<html>", "text/html"), openai.InternalServerError, "upstream_malformed"),
], ids=["400", "401", "403", "429", "500", "503", "html"])
def test_upstream_errors_are_the_sdks_exceptions(lab, script, expected, code):
    rig = lab.rig(script)
    with pytest.raises(expected) as raised:
        rig.sdk().chat.completions.create(model=rig.model, messages=HELLO)
    assert raised.value.code == code
    assert raised.value.request_id


def test_the_gateways_own_errors_are_the_sdks_exceptions(lab):
    rig = lab.rig()
    sdk = rig.sdk()
    with pytest.raises(openai.NotFoundError) as unknown:
        sdk.chat.completions.create(model="no-such-model", messages=HELLO)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as bad:
        sdk.chat.completions.create(model=rig.model, messages=[])
    assert bad.value.param == "messages"
    with pytest.raises(openai.PermissionDeniedError) as forbidden:
        lab.token(models="other").sdk().chat.completions.create(model=rig.model, messages=HELLO)
    assert forbidden.value.code == "model_not_allowed"
    with pytest.raises(openai.PermissionDeniedError) as poor:
        lab.token(lab.user(quota=0)).sdk().chat.completions.create(model=rig.model, messages=HELLO)
    assert poor.value.code == "insufficient_quota"
    assert rig.route.calls == 0


def test_an_error_in_mid_stream_is_raised(lab):
    gate = lab.gate()
    rig = lab.rig(scripts.broken_stream(["half an ans"], "fin", gate))
    seen = ""
    with pytest.raises(openai.APIError):
        for chunk in rig.sdk().chat.completions.create(model=rig.model, messages=HELLO, stream=True):
            seen += chunk.choices[0].delta.content or ""
            if seen:
                gate.open()
    assert seen == "half an ans"


def test_a_user_without_money_is_not_retried(lab):
    """The SDK retries by itself what looks temporary; this is not."""
    rig = lab.rig()
    client = openai_client(rig.site.gateway.url, lab.token(lab.user(quota=0)).key, rig.site.canaries, max_retries=2)
    with pytest.raises(openai.PermissionDeniedError) as refused:
        client.chat.completions.create(model=rig.model, messages=HELLO)
    assert refused.value.response.headers["x-should-retry"] == "false"


def test_the_sdks_own_retry_succeeds_and_is_charged_once(lab):
    rig = lab.rig(scripts.error(500), scripts.chat("at last"))
    answer = rig.sdk(max_retries=2).chat.completions.create(model=rig.model, messages=HELLO)
    assert answer.choices[0].message.content == "at last"
    assert rig.wait_row(answer._request_id)["quota"] == scripts.cost()
    assert sum(row["quota"] for row in rig.token.rows()) == scripts.cost()
