"""Secrets that must never come out again, and the search for them.

Every secret that a run makes up (provider keys, passwords, the JWT secret, whole API keys, login
tokens) is noted here. All responses are scanned as they arrive; what the gateway printed and
stored is scanned when it has ended.
"""

from __future__ import annotations

import base64
import re
import secrets
import threading
from pathlib import Path

HEAD = 12


class Canaries:
    def __init__(self):
        self._lock = threading.Lock()
        self._everywhere: dict[bytes, dict[bytes, str]] = {}
        self._at_rest: dict[bytes, dict[bytes, str]] = {}
        self._patterns: dict[int, tuple[int, re.Pattern[bytes]]] = {}
        self.violations: list[str] = []

    def make(self, label: str, prefix: str = "Pw-") -> str:
        """A new secret that is easy to recognise."""
        return self.add(label, f"{prefix}c4n4ry-{secrets.token_hex(12)}")

    def add(self, label: str, secret: str, in_responses: bool = True) -> str:
        """Notes a secret; `in_responses=False`: the API may hand it out, but not log or store it."""
        assert len(secret) >= HEAD, f"{label}: too short to be searched for"
        with self._lock:
            for form in (secret.encode(), base64.b64encode(secret.encode()).rstrip(b"=")):
                if in_responses:
                    self._everywhere.setdefault(form[:HEAD], {})[form] = label
                self._at_rest.setdefault(form[:HEAD], {})[form] = label
        return secret

    def check_response(self, where: str, data: bytes) -> None:
        self.violations += [f"{label} in the answer of {where}" for label in self._find(self._everywhere, data)]

    def check_files(self, files: list[Path]) -> list[str]:
        """What was found where; empty if all is well."""
        found = []
        for file in files:
            data = file.read_bytes()
            found += [f"{label} in {file.name}" for label in sorted(self._find(self._at_rest, data))]
        return found

    def _find(self, secrets_by_head: dict[bytes, dict[bytes, str]], data: bytes) -> set[str]:
        with self._lock:
            if not secrets_by_head:
                return set()
            pattern = self._pattern(secrets_by_head)
            found = set()
            for match in pattern.finditer(data):
                at = match.start()
                for secret, label in secrets_by_head.get(data[at:at + HEAD], {}).items():
                    if data.startswith(secret, at):
                        found.add(label)
            return found

    def _pattern(self, secrets_by_head: dict[bytes, dict[bytes, str]]) -> re.Pattern[bytes]:
        """Finds where a secret may begin: a look-ahead for any of the few three-byte beginnings."""
        known = self._patterns.get(id(secrets_by_head))
        if known is None or known[0] != len(secrets_by_head):
            starts = sorted({re.escape(head[:3]) for head in secrets_by_head})
            known = (len(secrets_by_head), re.compile(b"(?=" + b"|".join(starts) + b")"))
            self._patterns[id(secrets_by_head)] = known
        return known[1]
