"""One application, written for OpenAI's packages, in front of every provider: it cannot tell them apart."""

import json

import pytest

import scripts
from provider_rig import QUESTION, TOOLS, provider_rig
from wire import Call, Say
from wire.all import BY_NAME, SPEAKERS, TRANSLATED

TEXT = Say(text=("It rains ", "in Paris \U0001f327."))
THOUGHT = Say(reasoning=("Look ", "outside."), text=("It ", "rains."))
CALLS = Say(reasoning=("I have ", "to ask."), calls=(
    Call("toolu_01A", "weather", {"city": "Paris \u2028", "days": 3}), Call("toolu_01B", "clock", {"city": "Tokyo"})))
RESULTS = {"toolu_01A": "rain", "toolu_01B": "noon"}
PNG = "data:image/png;base64,iVBORw0KGgo="

each_speaker = pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda speaker: speaker.name)
whole_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@each_speaker
@whole_and_streamed
def test_an_answer_reads_as_openais(lab, sdk, speaker, stream):
    rig = provider_rig(lab, speaker, speaker.script(TEXT, stream))
    told = rig.chat(sdk, stream)
    assert (told.message["role"], told.message["content"], told.choice["finish_reason"]) == ("assistant", "".join(TEXT.text), "stop")
    assert told.answer["object"] == "chat.completion" and told.answer["id"] and told.answer["created"] > 0
    assert not told.calls
    rig.assert_counted(told)
    speaker.assert_addressed(rig.route.last, rig.channel.key, stream)
    if not stream or speaker.name != "custom":
        assert told.answer["model"] == rig.model
    if stream:
        assert {chunk["id"] for chunk in told.chunks} == {told.answer["id"]}
        assert sum("role" in delta for delta in told.deltas) == 1
        assert all(chunk["choices"] for chunk in told.chunks[:-1]), "only usage comes without choices"


@each_speaker
@whole_and_streamed
def test_tools_are_called_side_by_side(lab, sdk, speaker, stream):
    rig = provider_rig(lab, speaker, speaker.script(CALLS, stream))
    told = rig.chat(sdk, stream, tools=TOOLS)
    assert told.choice["finish_reason"] == "tool_calls"
    assert [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in told.calls] == [
        (call.name, call.arguments) for call in CALLS.calls]
    ids = [call["id"] for call in told.calls]
    assert len(set(ids)) == 2 and all(0 < len(made) <= 40 for made in ids)
    assert {call["type"] for call in told.calls} == {"function"}
    rig.assert_counted(told)


def answered(told, keeps: bool) -> list[dict]:
    """The conversation after the tools were run, the last one first. A client may keep what its package does not know."""
    calls = told.calls
    assistant = {"role": "assistant", "content": told.message.get("content"), "tool_calls": calls}
    if keeps:
        assistant |= {name: value for name in ("reasoning_content", "thinking_blocks") if (value := told.extension(name))}
    else:
        assistant["tool_calls"] = [{name: call[name] for name in ("id", "type", "function")} for call in calls]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": result}
               for call, result in zip(calls, RESULTS.values(), strict=True)]
    return [*QUESTION, assistant, *reversed(results)]


@each_speaker
@whole_and_streamed
@pytest.mark.parametrize("keeps", [True, False], ids=["all-kept", "only-what-openai-has"])
def test_a_tool_loop_comes_to_its_end(lab, sdk, speaker, stream, keeps):
    rig = provider_rig(lab, speaker, speaker.script(CALLS, stream), speaker.script(TEXT, stream))
    first = rig.chat(sdk, stream, tools=TOOLS, reasoning_effort="medium")
    second = rig.chat(sdk, stream, tools=TOOLS, reasoning_effort="medium", messages=answered(first, keeps))
    assert second.message["content"] == "".join(TEXT.text)
    speaker.assert_loop(rig.route.last, CALLS, RESULTS, keeps)
    assert rig.route.calls == 2


@each_speaker
@whole_and_streamed
def test_reasoning_is_asked_for_shown_and_counted(lab, sdk, speaker, stream):
    rig = provider_rig(lab, speaker, speaker.script(THOUGHT, stream))
    # The limit by its newer name, which comes first.
    told = rig.chat(sdk, stream, reasoning_effort="medium", max_completion_tokens=9000)
    if speaker.translated:
        assert b"9000" in rig.route.last.body and b"4000" not in rig.route.last.body
    speaker.assert_effort_is_medium(rig.route.last)
    assert told.message["content"] == "It rains."
    # OpenAI and Azure count their thoughts, and never show them.
    shown = None if speaker.name in ("openai", "azure") else "Look outside."
    assert told.extension("reasoning_content") == shown
    assert rig.assert_counted(told)["reasoning_tokens"] == speaker.counts.reasoning > 0


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
          "required": ["city", "days"], "additionalProperties": False}


@each_speaker
@whole_and_streamed
def test_an_answer_has_the_shape_that_was_asked_for(lab, sdk, speaker, stream):
    rig = provider_rig(lab, speaker, speaker.script(Say(text=('{"city":"Pa', 'ris","days":3}')), stream))
    told = rig.chat(sdk, stream, response_format={
        "type": "json_schema", "json_schema": {"name": "forecast", "strict": True, "schema": SCHEMA}})
    assert json.loads(told.message["content"]) == {"city": "Paris", "days": 3}
    speaker.assert_schema(rig.route.last, SCHEMA)


def showing(url: str) -> list[dict]:
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]}]


@each_speaker
@pytest.mark.parametrize("url", [PNG, "https://pictures.example.com/cat.png"], ids=["data", "https"])
def test_images_are_seen(lab, sdk, speaker, url):
    rig = provider_rig(lab, speaker, speaker.script(TEXT, False))
    assert rig.chat(sdk, messages=showing(url)).message["content"]
    assert speaker.image(rig.route.last) == url


NO_IMAGES = ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "gopher://127.0.0.1:70/x",
             "data:image/png;base64,no*base64", "data:image/png;base64,A"]


@pytest.mark.parametrize("speaker", TRANSLATED, ids=lambda speaker: speaker.name)
@pytest.mark.parametrize("url", NO_IMAGES, ids=["link-local", "file", "gopher", "bad-base64", "cut-base64"])
def test_53_54_what_is_no_image_reaches_no_provider(lab, sdk, speaker, url):
    rig = provider_rig(lab, speaker, speaker.script(TEXT, False))
    error = rig.chat(sdk, messages=showing(url)).error
    assert (error["status"], error["code"], error["type"]) == (400, "unsupported_image_url", "invalid_request_error")
    assert error["param"].startswith("messages.[0].content.[1]") and url not in error["message"]
    assert rig.route.calls == 0


def test_an_older_gemini_fetches_no_images(lab, sdk):
    speaker = BY_NAME["gemini"]
    rig = provider_rig(lab, speaker, speaker.script(TEXT, False))
    lab.site.root.put(f"/api/channel/{rig.channel.id}", {"model_mapping": {rig.model: "gemini-2.5-flash"}})
    error = rig.chat(sdk, messages=showing("https://pictures.example.com/cat.png")).error
    assert (error["status"], error["code"]) == (400, "unsupported_image_url") and rig.route.calls == 0


VECTORS = [[0.5, -0.25, 1.0, 2.0], [0.0, 0.125, -2.0, 3.0]]


@pytest.mark.parametrize("name", ["openai", "gemini"])
def test_case_39_embeddings_are_the_same_numbers_in_both_packages(lab, sdk, name):
    """Both ask for base64 unless told otherwise, and only one of them notices floats in its place."""
    speaker = BY_NAME[name]
    floats = {"object": "list", "model": "m", "usage": {"prompt_tokens": 7, "total_tokens": 7},
              "data": [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(VECTORS)]}
    gemini = {"embeddings": [{"values": vector} for vector in VECTORS]}
    rig = provider_rig(lab, speaker, speaker.answers(gemini if name == "gemini" else floats))
    told = sdk.embeddings(rig.token, model=rig.model, input=["one", "two"])
    assert [item["embedding"] for item in told.answer["data"]] == VECTORS
    told = sdk.embeddings(rig.token, model=rig.model, input=["one", "two"], encoding_format="float")
    assert [item["embedding"] for item in told.answer["data"]] == VECTORS
    told = sdk.embeddings(rig.token, model=rig.model, input=["one", "two"], encoding_format="base64")
    assert [item["embedding"] for item in told.answer["data"]] == [scripts.as_base64(vector) for vector in VECTORS]
    assert [item["index"] for item in told.answer["data"]] == [0, 1]


def test_case_40_there_is_no_other_api_than_openais(site):
    """What Anthropic's packages would call; the list of cases in `adapter-providers` says why."""
    reply = site.http.post("/v1/messages", json={"model": "m", "max_tokens": 5, "messages": QUESTION}, headers={"x-api-key": "sk-none"})
    assert reply.status_code == 404
