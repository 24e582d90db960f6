"""What a translation leaves out is said, and what providers count is charged in the column that it belongs to."""

import pytest

from provider_rig import provider_rig
from wire import Say
from wire.all import BY_NAME, SPEAKERS
from world import Lab

MILLION = 1_000_000
TEXT = Say(text=("It ", "rains."))

each_speaker = pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda speaker: speaker.name)
whole_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])

EXTRAS = {"seed": 7, "frequency_penalty": 0.5, "logit_bias": {"50256": -100}, "store": False, "user": "u-17", "top_p": 0.9,
          "verbosity": "low", "prompt_cache_key": "k", "stop": ["END"], "metadata": {"a": "b"}}
LOST = {
    "openai": set(),
    "azure": set(),
    "anthropic": {"seed", "frequency_penalty", "logit_bias", "store", "verbosity", "prompt_cache_key", "metadata"},
    "gemini": {"frequency_penalty", "logit_bias", "store", "user", "verbosity", "prompt_cache_key", "metadata"},
    "custom": {"logit_bias", "verbosity"},
}
"""What each is not given; of the custom server the operator says so."""


@each_speaker
@whole_and_streamed
def test_what_a_provider_is_not_given_is_said_in_the_answer_and_in_the_row(lab, sdk, speaker, stream):
    config = {**speaker.config, "drop": ["logit_bias", "verbosity"]} if speaker.name == "custom" else speaker.config
    rig = provider_rig(lab, speaker, speaker.script(TEXT, stream), config=config)
    told = rig.chat(sdk, stream, **EXTRAS)
    assert told.message["content"] == "It rains."
    assert told.dropped == LOST[speaker.name]
    assert set(rig.row(told)["dropped"]) == LOST[speaker.name]
    for name in LOST[speaker.name] - {"metadata"}:
        assert name not in rig.route.last.json
    # Claude's has room for who asks, and for nothing else.
    assert rig.route.last.json.get("metadata") == {"anthropic": {"user_id": "u-17"}, "gemini": None}.get(speaker.name, {"a": "b"})
    if not LOST[speaker.name]:
        assert "x-gateway-dropped-params" not in told.headers
        assert {name: rig.route.last.json[name] for name in EXTRAS} == EXTRAS


REFUSED = [("n", {"n": 2}, "unsupported_value"), ("logprobs", {"logprobs": True}, "unsupported_value"),
           ("modalities", {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}, None),
           ("web_search_options", {"web_search_options": {}}, None)]


@pytest.mark.parametrize(("param", "fields", "code"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_claude_cannot_do_and_a_client_would_miss_is_refused(lab, sdk, param, fields, code):
    speaker = BY_NAME["anthropic"]
    rig = provider_rig(lab, speaker, speaker.script(TEXT, False))
    error = rig.chat(sdk, **fields).error
    assert error["status"] == 400 and error["param"] in (param, "audio") and rig.route.calls == 0
    assert code is None or error["code"] == code


@pytest.fixture(scope="module")
def priced_site(running):
    """A gateway whose prices these tests may change."""
    with running() as site:
        yield site


@pytest.mark.own
@each_speaker
@whole_and_streamed
def test_each_token_is_charged_in_its_column(priced_site, sdk, speaker, stream):
    lab = Lab(priced_site)
    rig = provider_rig(lab, speaker, speaker.script(TEXT, stream))
    price = {"prompt": 3 * MILLION, "cached": 300_000, "cache_write": 3_750_000, "completion": 15 * MILLION}
    priced_site.root.put("/api/price", {"prices": [{"model": rig.model, **price}]})
    row = rig.assert_counted(rig.chat(sdk, stream))
    counts = speaker.counts
    plain = counts.prompt - counts.cached - counts.written
    # Reasoning is part of the completion, and not charged twice.
    columns = (plain * price["prompt"] + counts.cached * price["cached"] + counts.written * price["cache_write"]
               + counts.completion * price["completion"])
    assert (row["quota"], row["unbilled"], row["price"]) == (-(-columns // MILLION), 0, price)
    lab.close()
