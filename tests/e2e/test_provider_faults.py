"""What providers say when they fail, each in its own words: what OpenAI's packages make of it, and what is charged."""

import pytest

import scripts
import sse
from provider_rig import QUESTION, of_row, provider_rig
from rawhttp import RawConnection
from wire import Say, event
from wire.all import BY_NAME, SPEAKERS

TEXT = Say(text=("It rains ", "in Paris."))

each_speaker = pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda speaker: speaker.name)


def openai(message: str, type: str = "invalid_request_error", code: str | None = None, param: str | None = None) -> dict:
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def anthropic(type: str, message: str, **more) -> dict:
    return {"type": "error", "error": {"type": type, "message": message, **more}, "request_id": "req_011"}


def gemini(code: int, status: str, message: str, *details: dict) -> dict:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
COME_LATER = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17.4s"}

# Who says what, with which status and headers; and the status, code and Retry-After that the caller gets.
TABLE = [
    ("openai", 400, {}, openai("bad value", code="invalid_value", param="temperature"), 400, "invalid_value", None),
    ("openai", 400, {}, openai("This model's maximum context length is 8192 tokens.", code="context_length_exceeded", param="messages"),
     400, "context_length_exceeded", None),
    ("openai", 401, {}, openai("Incorrect API key provided: sk-abc***wxyz.", code="invalid_api_key"), 502, "upstream_auth", None),
    ("openai", 403, {}, openai("Country, region, or territory not supported", code="unsupported_country_region_territory"),
     502, "upstream_permission", None),
    ("openai", 404, {}, openai("The model `gpt-5.1` does not exist", code="model_not_found"), 502, "upstream_model_not_found", None),
    ("openai", 413, {}, openai("too large"), 413, "request_too_large", None),
    ("openai", 429, {"retry-after-ms": "1500"}, openai("Rate limit reached", "requests", "rate_limit_exceeded"),
     429, "rate_limit_exceeded", "2"),
    ("openai", 429, {}, openai("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
     429, "insufficient_quota", None),
    ("openai", 500, {}, openai("The server had an error", "server_error"), 502, "upstream_error", None),
    ("openai", 503, {}, openai("slow down", "server_error", "slow_down"), 503, "overloaded", "1"),
    ("azure", 400, {}, {"error": {"message": "filtered", "type": None, "param": "prompt", "code": "content_filter", "status": 400,
                                  "innererror": {"code": "ResponsibleAIPolicyViolation"}}}, 400, "content_filter", None),
    ("azure", 401, {}, {"error": {"code": "401", "message": "Access denied due to invalid subscription key."}}, 502, "upstream_auth", None),
    ("azure", 404, {}, {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}},
     502, "upstream_model_not_found", None),
    ("azure", 429, {}, {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 7 seconds."}, 429, "rate_limit_exceeded", "7"),
    ("anthropic", 400, {}, anthropic("invalid_request_error", "messages: at least one is needed"), 400, "invalid_request_error", None),
    ("anthropic", 400, {}, anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
     400, "context_length_exceeded", None),
    ("anthropic", 400, {}, anthropic("invalid_request_error", "Your credit balance is too low to access the API."),
     502, "upstream_quota", None),
    ("anthropic", 401, {}, anthropic("authentication_error", "invalid x-api-key"), 502, "upstream_auth", None),
    ("anthropic", 403, {}, anthropic("permission_error", "not for you"), 502, "upstream_permission", None),
    ("anthropic", 404, {}, anthropic("not_found_error", "model: claude-sonnet-4-5"), 502, "upstream_model_not_found", None),
    ("anthropic", 413, {}, anthropic("request_too_large", "Request exceeds the maximum size"), 413, "request_too_large", None),
    ("anthropic", 429, {"retry-after": "30"}, anthropic("rate_limit_error", "This would exceed your limit"), 429, "rate_limit_exceeded", "30"),
    ("anthropic", 500, {}, anthropic("api_error", "Internal server error"), 502, "upstream_error", None),
    ("anthropic", 504, {}, anthropic("timeout_error", "Request timed out"), 504, "upstream_timeout", None),
    ("anthropic", 529, {}, anthropic("overloaded_error", "Overloaded"), 503, "overloaded", "1"),
    ("gemini", 400, {}, gemini(400, "INVALID_ARGUMENT", "Invalid value at 'contents'"), 400, "invalid_request_error", None),
    ("gemini", 400, {}, gemini(400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
     400, "context_length_exceeded", None),
    ("gemini", 400, {}, gemini(400, "INVALID_ARGUMENT", "API key not valid.", BAD_KEY), 502, "upstream_auth", None),
    ("gemini", 403, {}, gemini(403, "PERMISSION_DENIED", "The caller does not have permission"), 502, "upstream_permission", None),
    ("gemini", 404, {}, gemini(404, "NOT_FOUND", "models/gemini-3-flash is not found for API version v1beta"),
     502, "upstream_model_not_found", None),
    ("gemini", 429, {}, [gemini(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted", COME_LATER)], 429, "rate_limit_exceeded", "18"),
    ("gemini", 500, {}, gemini(500, "INTERNAL", "An internal error has occurred"), 502, "upstream_error", None),
    ("gemini", 503, {}, gemini(503, "UNAVAILABLE", "The model is overloaded."), 503, "overloaded", "1"),
    ("gemini", 504, {}, gemini(504, "DEADLINE_EXCEEDED", "Deadline expired"), 504, "upstream_timeout", None),
    ("custom", 402, {}, {"error": {"message": "Insufficient credits", "code": 402}}, 502, "upstream_quota", None),
    ("custom", 422, {}, {"detail": [{"loc": ["body", "n"], "msg": "too large", "type": "value_error"}]}, 400, "invalid_request_error", None),
    ("custom", 500, {}, {"detail": "CUDA error"}, 502, "upstream_error", None),
]


# The packages share the names of their classes; for a status without one of its own they take the base of all.
EXCEPTIONS = {400: ("BadRequestError",), 404: ("NotFoundError",), 413: ("APIStatusError", "APIError"), 429: ("RateLimitError",)}


@pytest.mark.parametrize("row", TABLE, ids=[f"{row[0]}-{row[1]}-{row[5]}" for row in TABLE])
def test_an_error_of_a_provider_is_one_that_the_packages_know(lab, sdk, row):
    name, answered, headers, body, status, code, retry_after = row
    speaker = BY_NAME[name]
    rig = provider_rig(lab, speaker, speaker.answers(body, answered, headers))
    told = rig.chat(sdk)
    assert (told.error["status"], told.error["code"]) == (status, code), told.error
    assert told.error["name"] in EXCEPTIONS.get(status, ("InternalServerError",))
    assert told.error["headers"].get("retry-after") == retry_after
    assert "sk-abc" not in told.error["message"] and "wxyz" not in told.error["message"]
    used = rig.row(told)
    assert (used["state"], used["quota"], used["status"]) == ("void", 0, status)
    assert rig.route.calls == 1


MISSING = {
    "openai": openai("The model `x` does not exist", code="model_not_found"),
    "anthropic": anthropic("not_found_error", "model: x"),
    "gemini": gemini(404, "NOT_FOUND", "models/x is not found"),
    "azure": {"error": {"code": "DeploymentNotFound", "message": "The API deployment for this resource does not exist."}},
}


@pytest.mark.parametrize("name", MISSING)
@pytest.mark.parametrize("mapped", [False, True], ids=["by the caller's name", "by the operator's"])
def test_a_model_that_is_not_there_is_the_fault_of_who_named_it(lab, sdk, name, mapped):
    """Of a mapping, or of a deployment, the caller knows nothing."""
    speaker = BY_NAME[name]
    rig = provider_rig(lab, speaker, speaker.answers(MISSING[name], 404), **({} if mapped else {"model_mapping": {}}))
    status, code = (502, "upstream_model_not_found") if mapped or name == "azure" else (404, "model_not_found")
    told = rig.chat(sdk)
    assert (told.error["status"], told.error["code"]) == (status, code)
    assert told.error["name"] == ("NotFoundError" if status == 404 else "InternalServerError")
    assert not mapped or speaker.model not in told.error["message"]
    rig.row(told)
    seen, = lab.site.root.get("/api/log", params={"model": rig.model})["items"]
    assert [failed["fault"] for failed in seen["failures"]] == ["not_found" if status == 404 else "misnamed"]
    tried = lab.site.root.call("POST", f"/api/channel/{rig.channel.id}/test")
    assert tried["error"]["fault"] == ("not_found" if status == 404 else "misnamed")


@each_speaker
@pytest.mark.parametrize("how", ["event", "fin", "rst", "end"])
def test_an_answer_that_breaks_off_is_an_error_in_the_packages(lab, sdk, speaker, how):
    rig = provider_rig(lab, speaker, speaker.broken(TEXT, how))
    told = rig.chat(sdk, stream=True)
    assert (told.error["name"], told.error["status"]) == ("APIError", None), "the answer had begun"
    if how != "rst":
        # What was on its way when a connection is reset may be lost with it.
        assert told.seen == "".join(TEXT.text)
    assert not [choice for chunk in told.chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert not [chunk for chunk in told.chunks if chunk.get("usage")]
    row = rig.row(told)
    assert row["state"] == "settled" and row["quota"] > 0
    assert row["end_reason"] == ("upstream_error" if how == "event" else "upstream_cut")
    if speaker.name in ("anthropic", "gemini") and how != "rst":
        # What was used until then was said.
        assert (row["prompt_tokens"], row["cached_tokens"]) == {"anthropic": (142, 30), "gemini": (50, 40)}[speaker.name]


@each_speaker
def test_nothing_after_a_break_looks_like_an_end(lab, speaker):
    """To the byte: one error, no reason to finish, and no last word."""
    rig = provider_rig(lab, speaker, speaker.broken(TEXT, "end"))
    _, streamed = rig.token.relay.stream(rig.model, max_tokens=50)
    streamed.assert_broken_off("".join(TEXT.text))


def test_a_last_word_without_a_reason_to_finish_is_no_end(lab, sdk):
    speaker = BY_NAME["openai"]
    rig = provider_rig(lab, speaker, speaker.streams([*speaker.opening(TEXT), event("[DONE]")]))
    with rig.token.relay.streaming(rig.model) as reply:
        streamed = sse.parse(reply.read())
    assert streamed.finish_reasons == [] and streamed.content == "".join(TEXT.text)
    assert (streamed.done == 1) != bool(streamed.errors), "one end, as the upstream made it"


ERRORS_OF_SUCCESS = {
    "anthropic": [event(anthropic("overloaded_error", "Overloaded"), "error")],
    "anthropic, after a ping": [event({"type": "ping"}, "ping"), event(anthropic("api_error", "Internal"), "error")],
    "gemini": [event(gemini(503, "UNAVAILABLE", "The model is overloaded."))],
    "gemini, printed": [BY_NAME["gemini"].error_event],
    "openai": [event(openai("The server had an error", "server_error"))],
    "azure": [event({"choices": [], "created": 0, "id": "", "model": "", "prompt_filter_results": []}),
              event(openai("The server had an error", "server_error"))],
    "custom": [event({"error": "out of memory"})],
}


@pytest.mark.parametrize("said", ERRORS_OF_SUCCESS)
def test_an_error_that_comes_as_a_success_is_passed_over(lab, sdk, said):
    speaker = BY_NAME[said.split(",")[0]]
    rig = provider_rig(lab, speaker, speaker.streams(ERRORS_OF_SUCCESS[said]), priority=9)
    second = lab.route(scripts.stream())
    lab.channel(second, rig.model)
    told = rig.chat(sdk, stream=True)
    assert told.message["content"] == "Hello!" and told.error is None
    assert rig.route.calls == second.calls == 1
    assert rig.row(told)["attempts"] == 2


@pytest.mark.parametrize("said", ERRORS_OF_SUCCESS)
def test_an_error_that_comes_as_a_success_is_no_stream_where_nothing_else_is_left(lab, sdk, said):
    speaker = BY_NAME[said.split(",")[0]]
    rig = provider_rig(lab, speaker, speaker.streams(ERRORS_OF_SUCCESS[said]))
    told = rig.chat(sdk, stream=True)
    assert told.chunks == [] and told.error["status"] in (502, 503), told
    assert rig.row(told)["state"] == "void"


@pytest.mark.parametrize("name", ["gemini", "anthropic", "openai", "custom"])
def test_an_error_where_a_whole_answer_should_be_is_passed_over(lab, sdk, name):
    speaker = BY_NAME[name]
    body = {"gemini": gemini(503, "UNAVAILABLE", "overloaded"), "anthropic": anthropic("overloaded_error", "Overloaded")}
    rig = provider_rig(lab, speaker, speaker.answers(body.get(name, openai("no", "server_error"))), priority=9)
    lab.channel(lab.route(scripts.chat()), rig.model)
    assert rig.chat(sdk).message["content"] == "Hello!" and rig.route.calls == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_case_25_a_blocked_prompt_is_an_answer_of_nothing_and_is_not_tried_elsewhere(lab, sdk, stream):
    """Nothing failed: Gemini answered that it does not answer, and was paid for reading."""
    speaker = BY_NAME["gemini"]
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": speaker.model,
               "usageMetadata": {"promptTokenCount": 50, "totalTokenCount": 50}}
    rig = provider_rig(lab, speaker, speaker.streams([event(blocked)]) if stream else speaker.answers(blocked), priority=9)
    second = lab.route(scripts.chat())
    lab.channel(second, rig.model)
    told = rig.chat(sdk, stream)
    assert (told.message["content"] or "", told.choice["finish_reason"]) == ("", "content_filter")
    row = rig.row(told)
    assert (of_row(row).prompt, of_row(row).completion, second.calls) == (50, 0, 0)


def test_what_claude_said_of_the_prompt_is_charged_when_the_client_leaves(lab):
    """It says so at the beginning, long before what the whole answer cost."""
    speaker = BY_NAME["anthropic"]
    rig = provider_rig(lab, speaker, speaker.broken(TEXT, "hang"))
    connection = RawConnection(lab.site.gateway.url)
    connection.post("/v1/chat/completions", rig.token.key, {"model": rig.model, "messages": QUESTION, "stream": True, "max_tokens": 300})
    connection.read_until(b"in Paris.")
    connection.hang_up("rst")
    assert_begun(rig.token.wait_only_row(), "client_gone")


@pytest.mark.own
def test_what_claude_said_of_the_prompt_is_charged_when_it_falls_silent(impatient_lab):
    speaker = BY_NAME["anthropic"]
    rig = provider_rig(impatient_lab, speaker, speaker.broken(TEXT, "hang"))
    reply, streamed = rig.token.relay.stream(rig.model, max_tokens=300)
    streamed.assert_broken_off("".join(TEXT.text))
    assert_begun(rig.token.wait_row(reply), "upstream_idle")


def assert_begun(row: dict, end_reason: str) -> None:
    counts = of_row(row)
    assert (counts.prompt, counts.cached, counts.written, row["end_reason"]) == (142, 30, 100, end_reason)
    # Of the answer it had said no more than that it had begun; what came of it is more than that.
    assert counts.completion == -(-len("".join(TEXT.text)) // 4) and row["estimated"] is False
