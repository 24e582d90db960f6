"""Waiting for a condition: never longer than needed, and with a message when it does not come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(probe: Callable[[], T], what: str, timeout: float = 10, every: float = 0.01,
             detail: Callable[[], object] | None = None) -> T:
    """Calls `probe` until it gives something true and returns that."""
    deadline = time.monotonic() + timeout
    while True:
        if value := probe():
            return value
        if time.monotonic() >= deadline:
            seen = f" ({detail()})" if detail else ""
            raise AssertionError(f"waited {timeout:g} s in vain for {what}{seen}")
        time.sleep(every)


def wait_until_steady(read: Callable[[], T], what: str, steady: float = 0.5, timeout: float = 20) -> T:
    """Polls until the value has not changed for `steady` seconds and returns it."""
    deadline = time.monotonic() + timeout
    value, since = read(), time.monotonic()
    while time.monotonic() - since < steady:
        if time.monotonic() >= deadline:
            raise AssertionError(f"{what} did not come to rest within {timeout:g} s (now {value!r})")
        time.sleep(0.02)
        if (now := read()) != value:
            value, since = now, time.monotonic()
    return value
