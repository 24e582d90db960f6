"""The repository's examples, run as their readers would run them."""

import contextlib

import httpx
import pytest

from checks import expect
from fake_upstream import Exchange
from gateway import ExampleProcess, examples
from world import Lab, Site

pytestmark = pytest.mark.native


@pytest.fixture
def example(tmp_path, canaries):
    """Starts an example by its name."""
    with contextlib.ExitStack() as stack:
        def start(name: str) -> ExampleProcess:
            assert (examples() / name).is_file(), f"build it first: cargo build -p adapter-tokio --example {name}"
            process = ExampleProcess(name, tmp_path, canaries)
            stack.callback(process.stop)
            return process.start()
        yield start


def test_the_gateway_lives_in_another_axum_service(example, upstream, canaries):
    process = example("embed_in_axum")
    own = httpx.get(process.url + "/", trust_env=False)
    assert (own.status_code, own.text) == (200, "my own service")
    assert httpx.get(process.url + "/v1/models", trust_env=False).status_code == 404, "not outside of the nest"

    process.url += "/llm"
    site = Site(process, upstream, canaries)
    lab = Lab(site)
    root = site.root
    root.put("/api/user/1", {"quota": {"grant": 100_000}})
    route, model = lab.route(), lab.model()
    lab.channel(route, model)
    key = canaries.add("a whole API key", root.post("/api/token", {"name": "k", "subnet": "127.0.0.0/8"})["key"])
    answer = expect(site.http.post("/v1/chat/completions", headers={"authorization": f"Bearer {key}"},
                                   json={"model": model, "messages": [{"role": "user", "content": "hi"}]}), 200)
    assert answer.json()["choices"][0]["message"]["content"] == "Hello!"
    unknown = site.http.get("/v1/nothing")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found"), \
        "inside the nest too, /v1 has errors in OpenAI's shape"
    site.close()


async def acme(exchange: Exchange) -> None:
    """The imaginary provider of the example."""
    asked = exchange.request.json
    assert exchange.request.header("acme-key"), "the provider's own credentials"
    if exchange.request.path.endswith("/ask"):
        await exchange.json({"reply": f"{asked['model']} heard: {asked['prompt']}", "tokens_in": 3, "tokens_out": 5})
    else:
        await exchange.open_stream({"Content-Type": "text/plain"})
        for piece in (b"one ", b"two", b"\nthree\n", b"\n"):
            await exchange.piece(piece)
        await exchange.end_stream()


def test_a_provider_of_ones_own(example, upstream, canaries):
    site = Site(example("custom_provider"), upstream, canaries)
    lab = Lab(site)
    assert {"id": "acme", "name": "Acme"} in site.root.get("/api/channel/types/list")
    token = lab.token(lab.user(quota=100_000))
    model = lab.model()
    lab.channel(lab.route(acme), model, type="acme")

    client = token.sdk()
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi"}])
    assert answer.choices[0].message.content == f"{model} heard: hi"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 5)
    assert token.wait_only_row()["quota"] == 3 + 3 * 5

    chunks = list(client.chat.completions.create(
        model=model, stream=True, stream_options={"include_usage": True}, messages=[{"role": "user", "content": "hi"}]))
    assert [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content] == ["one two", "three"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens > 0, "an estimate, because Acme reports none in a stream"

    refused = token.relay.chat(model, messages=[{"role": "user", "content": [{"type": "text", "text": "hi"}]}])
    assert expect(refused, 400).json()["error"]["param"] == "messages"
    site.close()
