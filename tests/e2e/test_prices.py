"""What tokens cost: the operator's table, the built-in one, the default; and that a price is a promise to each call."""

from concurrent.futures import ThreadPoolExecutor

import pytest

import scripts
from checks import expect
from world import Lab

pytestmark = pytest.mark.own

MILLION = 1_000_000
DEFAULT = {"prompt": MILLION, "cached": MILLION, "cache_write": MILLION, "completion": 3 * MILLION}
ONE_OF_EACH = scripts.usage_of(70, 100, prompt_tokens_details={"cached_tokens": 40, "cache_write_tokens": 20})
"""10 plain tokens, 40 that were cached, 20 that were written to a cache, and 100 of the answer. No more of
the prompt than is held for it: what lies above a hold is not charged."""


@pytest.fixture(scope="module")
def priced_site(running):
    """A gateway whose prices these tests may change."""
    with running() as site:
        yield site


@pytest.fixture
def lab(priced_site):
    put(priced_site, [])
    lab = Lab(priced_site)
    yield lab
    lab.close()


def price(model: str, prompt: int, completion: int, **more: int) -> dict:
    return {"model": model, "prompt": prompt, "completion": completion, **more}


def put(site, prices: list[dict], **more) -> dict:
    return site.root.put("/api/price", {"prices": prices, **more})


def cost(price: dict, plain: int, cached: int, written: int, completion: int) -> int:
    """Units, rounded up once, over all columns."""
    columns = plain * price["prompt"] + cached * price["cached"] + written * price["cache_write"] + completion * price["completion"]
    return -(-columns // MILLION)


def charged(rig, **body) -> dict:
    return rig.wait_row(expect(rig.chat(**body), 200))


def test_each_column_is_charged_to_the_unit(lab):
    rig = lab.rig(scripts.chat(usage=ONE_OF_EACH))
    table = price(rig.model, 2_000_001, 7_000_003, cached=200_007, cache_write=2_500_009)
    put(lab.site, [table])
    row = charged(rig)
    assert row["quota"] == cost(table, 10, 40, 20, 100) == 21 + 8 + 50 + 700, row
    assert (row["prompt_tokens"], row["cached_tokens"], row["cache_write_tokens"], row["completion_tokens"]) == (70, 40, 20, 100)
    assert row["price"] == {name: table[name] for name in DEFAULT}


@pytest.mark.parametrize(("column", "tokens"), [("prompt", 10), ("cached", 40), ("cache_write", 20), ("completion", 100)])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_each_column_alone(lab, column, tokens, stream):
    rig = lab.rig(scripts.stream(usage=ONE_OF_EACH) if stream else scripts.chat(usage=ONE_OF_EACH))
    put(lab.site, [{"model": rig.model, **dict.fromkeys(DEFAULT, 0), column: 3 * MILLION}])
    row = rig.wait_row(rig.stream()[0]) if stream else charged(rig)
    assert row["quota"] == 3 * tokens


def test_absent_columns_cost_as_much_as_the_prompt(lab):
    rig = lab.rig(scripts.chat(usage=ONE_OF_EACH))
    shown = put(lab.site, [price(rig.model, 5 * MILLION, 0)])["prices"]
    assert shown == [{"model": rig.model, "prompt": 5 * MILLION, "cached": 5 * MILLION, "cache_write": 5 * MILLION, "completion": 0}]
    assert charged(rig)["quota"] == 5 * 70


@pytest.mark.parametrize(("units", "tokens", "quota"), [(1, 1, 1), (1, MILLION, 1), (1, MILLION + 1, 2), (0, 1000, 0), (999_999, 1, 1)])
def test_a_cost_is_rounded_up_and_free_only_if_the_price_is(lab, units, tokens, quota):
    rig = lab.rig(scripts.chat(usage=scripts.usage_of(tokens, 0)))
    put(lab.site, [price(rig.model, units, MILLION)])
    row = charged(rig)
    assert (row["quota"], row["unbilled"], row["state"]) == (quota, 0, "settled"), row


def test_embeddings_cost_their_prompt(lab):
    rig = lab.rig(scripts.embeddings(prompt=70))
    put(lab.site, [price(rig.model, 2 * MILLION, 0)])
    assert rig.wait_row(expect(rig.relay.embed(rig.model), 200))["quota"] == 140


def test_the_most_specific_entry_counts(lab):
    stem = lab.model()
    table = [price(pattern.replace("M", stem), units, units) for pattern, units in
             [("*", 1), ("M*", 2), ("M-mini*", 3), ("*-late", 4), ("M-mini-0", 5), ("M-*-pro", 6), ("m*", 7)]]
    put(lab.site, table)
    for name, units in [("M", 2), ("M-mini", 3), ("M-mini-1", 3), ("M-mini-0", 5), ("M-mini-0x", 3), ("M-x-pro", 6),
                        ("M-late", 2), ("x-M-late", 4), ("x-M", 1)]:
        model = name.replace("M", stem)
        route = lab.route()
        lab.channel(route, model)
        token = lab.token()
        row = token.wait_row(expect(token.relay.chat(model), 200))
        assert row["price"]["prompt"] == units, f"{model}: {row['price']}"


def test_the_price_is_that_of_the_public_name(lab):
    rig = lab.rig()
    rig.site.root.put(f"/api/channel/{rig.channel.id}", {"model_mapping": {rig.model: "gpt-4o"}})
    put(lab.site, [price(rig.model, 2 * MILLION, 2 * MILLION)])
    assert charged(rig)["quota"] == 2 * (scripts.PROMPT + scripts.COMPLETION)


def test_a_call_keeps_the_price_it_began_with(lab):
    gate = lab.gate()
    rig = lab.rig(scripts.chat(gate=gate))
    before = put(lab.site, [price(rig.model, MILLION, MILLION)])["version"]
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(rig.chat)
        gate.wait_arrived()
        after = put(lab.site, [price(rig.model, 10 * MILLION, 10 * MILLION)])["version"]
        gate.open()
        row = rig.wait_row(expect(first.result(), 200))
    tokens = scripts.PROMPT + scripts.COMPLETION
    assert (row["quota"], row["price"]["prompt"], row["price_version"]) == (tokens, MILLION, before)
    row = charged(rig)
    assert (row["quota"], row["price"]["prompt"], row["price_version"]) == (10 * tokens, 10 * MILLION, after)
    # Rows are history: what prices become later changes no old one.
    put(lab.site, [])
    assert [row["quota"] for row in rig.token.rows()] == [10 * tokens, tokens]


def test_what_is_held_follows_the_price(lab):
    rig = lab.rig(owner=lab.user(quota=1000))
    put(lab.site, [price(rig.model, MILLION, 3 * MILLION)])
    charged(rig, max_tokens=100)
    put(lab.site, [price(rig.model, MILLION, 30 * MILLION)])
    expect(rig.chat(max_tokens=100), 403, "insufficient_quota")
    charged(rig)
    assert rig.route.last.json["max_tokens"] == (1000 - scripts.cost() - 77) // 30
    # A prompt may all be written to a cache: it is held at the dearest of its prices.
    put(lab.site, [price(rig.model, MILLION, 0, cache_write=100 * MILLION)])
    expect(rig.chat(max_tokens=1), 403, "insufficient_quota")


def test_versions_count_and_a_stale_one_is_a_conflict(lab):
    first = put(lab.site, [price("a", 1, 1)])["version"]
    second = put(lab.site, [price("b", 1, 1)], version=first)["version"]
    assert second > first
    reply = lab.site.root.refused("PUT", "/api/price", 409, "prices_changed", json={"prices": [], "version": first})
    assert "read them again" in reply.json()["message"]
    shown = lab.site.root.get("/api/price")
    assert (shown["version"], [entry["model"] for entry in shown["prices"]]) == (second, ["b"])
    # Whoever names no version replaces whatever is there.
    assert put(lab.site, [price("c", 1, 1)])["version"] > second
    lab.site.root.refused("PUT", "/api/price", 409, "prices_changed", json={"prices": [], "version": 10**9})


def test_of_changes_of_one_version_only_one_is_made(lab):
    version = lab.site.root.get("/api/price")["version"]

    def change(number: int) -> int:
        body = {"prices": [price(f"m{number}", number, 1)], "version": version}
        return expect(lab.site.root.raw("PUT", "/api/price", json=body), (200, 409)).status_code

    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(change, range(20)))
    assert sorted(statuses) == [200] + [409] * 19
    made, = lab.site.root.get("/api/price")["prices"]
    assert made["model"] == f"m{statuses.index(200)}"


def test_what_was_read_can_be_written_back(lab):
    put(lab.site, [price("z*", 3, 4, cached=1), price("gpt-4o", 1, 2), price("*", 0, 0)])
    shown = lab.site.root.get("/api/price")
    assert [entry["model"] for entry in shown["prices"]] == ["gpt-4o", "z*", "*"], "in the order in which they are tried"
    again = put(lab.site, shown["prices"], version=shown["version"])
    assert again["prices"] == shown["prices"]
    assert put(lab.site, [])["prices"] == []


BUILTIN = [
    # What is known of these models does not change any more.
    ("gpt-4o", {"prompt": 1_250_000, "cached": 625_000, "cache_write": 1_250_000, "completion": 5_000_000}),
    ("gpt-4o-2024-08-06", {"prompt": 1_250_000, "cached": 625_000, "cache_write": 1_250_000, "completion": 5_000_000}),
    ("gpt-3.5-turbo", {"prompt": 250_000, "cached": 250_000, "cache_write": 250_000, "completion": 750_000}),
    ("claude-sonnet-4-5-20250929", {"prompt": 1_500_000, "cached": 150_000, "cache_write": 1_875_000, "completion": 7_500_000}),
    ("gemini-2.5-pro", {"prompt": 625_000, "cached": 62_500, "cache_write": 625_000, "completion": 5_000_000}),
]


@pytest.mark.parametrize(("model", "known"), BUILTIN, ids=[model for model, _ in BUILTIN])
def test_well_known_models_have_built_in_prices(lab, model, known):
    lab.channel(lab.route(scripts.chat(usage=ONE_OF_EACH)), model)
    token = lab.token()
    shown = lab.site.root.get("/api/price")
    row = token.wait_row(expect(token.relay.chat(model), 200))
    assert row["price"] == known and row["price_version"] == shown["builtin_version"] > 20_260_101
    assert row["quota"] == cost(known, 10, 40, 20, 100)


def test_the_built_in_prices_are_shown(lab):
    shown = lab.site.root.get("/api/price")
    assert {"model": "gpt-4o", **BUILTIN[0][1]} in shown["builtin"] and len(shown["builtin"]) > 100
    assert set(shown) == {"version", "prices", "builtin_version", "builtin"}


@pytest.mark.parametrize("pattern", ["gpt-4o-mini", "gpt-*", "*"])
def test_the_operators_prices_go_before_the_built_in_ones(lab, pattern):
    lab.channel(lab.route(), "gpt-4o-mini")
    token = lab.token()
    version = put(lab.site, [price(pattern, 4 * MILLION, 4 * MILLION)])["version"]
    row = token.wait_row(expect(token.relay.chat("gpt-4o-mini"), 200))
    assert (row["quota"], row["price_version"]) == (4 * (scripts.PROMPT + scripts.COMPLETION), version)


def test_a_model_without_a_price_costs_the_default_one(lab):
    rig = lab.rig(scripts.chat(usage=ONE_OF_EACH))
    row = charged(rig)
    assert (row["quota"], row["price"], row["price_version"]) == (70 + 300, DEFAULT, 0)
    before = lab.site.root.get("/api/option")["default_price"]
    assert before == DEFAULT
    other = {"prompt": 2 * MILLION, "cached": MILLION, "cache_write": 0, "completion": MILLION}
    lab.site.root.put("/api/option", {"default_price": other})
    try:
        row = charged(rig)
        assert (row["quota"], row["price"], row["price_version"]) == (20 + 40 + 0 + 100, other, 0)
    finally:
        lab.site.root.put("/api/option", {"default_price": before})


def assert_not_priced(rig) -> None:
    before = rig.route.calls
    for stream in (False, True):
        expect(rig.chat(stream=stream), 503, "model_not_priced")
    assert rig.route.calls == before, "no upstream is called"


def test_models_without_a_price_can_be_refused_while_it_runs(lab):
    rig = lab.rig()
    charged(rig)
    lab.site.root.put("/api/option", {"unpriced_models": "refuse"})
    try:
        assert_not_priced(rig)
        put(lab.site, [price(rig.model, MILLION, MILLION)])
        charged(rig)
    finally:
        lab.site.root.put("/api/option", {"unpriced_models": "charge"})
    put(lab.site, [])
    charged(rig)


def test_models_without_a_price_can_be_refused_from_the_start(spawn):
    site = spawn(UNPRICED_MODELS="refuse")
    lab = Lab(site)
    rig = lab.rig(owner=site.user(quota=100_000))
    assert_not_priced(rig)
    expect(rig.relay.embed(rig.model), 503, "model_not_priced")
    assert rig.token.rows() == [] and rig.user.fresh()["quota"] == 100_000, "nothing was held"
    lab.channel(rig.route, "gpt-4o")
    rig.token.wait_row(expect(rig.relay.chat("gpt-4o"), 200))
    put(site, [price(rig.model[:-2] + "*", MILLION, MILLION)])
    charged(rig)
    assert site.root.get("/api/option")["unpriced_models"] == "refuse"


GOOD = price("good", 1, 1)
BAD = {
    "no-model": [{"prompt": 1, "completion": 1}], "no-prompt": [{"model": "a", "completion": 1}],
    "no-completion": [{"model": "a", "prompt": 1}], "empty": [price("", 1, 1)], "comma": [price("a,b", 1, 1)],
    "control": [price("a\nb", 1, 1)], "nul": [price("a\0", 1, 1)], "long": [price("x" * 257, 1, 1)],
    "negative": [price("a", -1, 1)], "fraction": [price("a", 1.5, 1)], "text": [price("a", "1", 1)], "null": [price("a", None, 1)],
    "dear": [price("a", 10**12 + 1, 1)], "dear-cache": [price("a", 1, 1, cache_write=10**12 + 1)], "huge": [price("a", 1, 2**64)],
    "twice": [price("a", 1, 1), price("b", 1, 1), price("a", 2, 2)], "pattern-twice": [price("a*", 1, 1)] * 2,
    "unknown": [price("a", 1, 1, image=3)], "an-object": {"a": 1}, "nothing": None, "numbers": [1],
}


@pytest.mark.parametrize("name", BAD)
def test_a_table_that_makes_no_sense_is_refused_whole(lab, name):
    version = put(lab.site, [GOOD])["version"]
    bad = BAD[name]
    body = {"prices": [price("before", 1, 1), *bad] if isinstance(bad, list) else bad}
    lab.site.root.refused("PUT", "/api/price", 400, json=body)
    shown = lab.site.root.get("/api/price")
    assert (shown["version"], len(shown["prices"])) == (version, 1), "nothing of it was taken"


@pytest.mark.parametrize("body", [{}, {"prices": [], "currency": "EUR"}, {"prices": [], "version": -1}, {"prices": [], "version": "1"}, []], ids=str)
def test_a_request_that_makes_no_sense_is_refused(lab, body):
    lab.site.root.refused("PUT", "/api/price", 400, json=body)


def test_a_large_table_that_was_taken_can_be_written_back(lab):
    """As it is shown it is longer: with every column of every entry."""
    put(lab.site, [price(f"model-{number}", 1, 2) for number in range(1200)])
    shown = lab.site.root.get("/api/price")
    assert len(shown["prices"]) == 1200
    assert put(lab.site, shown["prices"], version=shown["version"])["prices"] == shown["prices"]


def test_a_table_has_an_end(lab):
    table = [price(f"m{number}", 1, 2) for number in range(2001)]
    expect(lab.site.root.raw("PUT", "/api/price", json={"prices": table}), (400, 413))
