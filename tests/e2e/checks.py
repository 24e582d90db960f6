"""What every answer must look like."""

from __future__ import annotations

import httpx


def describe(response: httpx.Response) -> str:
    request = response.request
    sent = (request.content or b"")[:300].decode(errors="replace")
    return (f"{request.method} {request.url.raw_path.decode()[:200]} {sent}\n"
            f"-> {response.status_code} {response.text[:1000]}")


def code_of(response: httpx.Response) -> str | None:
    """The code for programs of an error, in whichever envelope."""
    try:
        body = response.json()
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    return error.get("code") if isinstance(error, dict) else body.get("code")


def expect(response: httpx.Response, status: int | tuple[int, ...], code: str | tuple[str, ...] | None = None,
           param: str | None = None) -> httpx.Response:
    """Asserts status, error code and named parameter, and that errors have the route's envelope."""
    statuses = status if isinstance(status, tuple) else (status,)
    assert response.status_code in statuses, f"expected {status}:\n{describe(response)}"
    if response.status_code >= 400:
        assert_error_envelope(response)
    if code is not None:
        codes = code if isinstance(code, tuple) else (code,)
        assert code_of(response) in codes, f"expected code {code}:\n{describe(response)}"
    if param is not None:
        assert response.json()["error"]["param"] == param, f"expected param {param}:\n{describe(response)}"
    return response


def assert_error_envelope(response: httpx.Response) -> None:
    assert "json" in response.headers.get("content-type", ""), f"an error that is not JSON:\n{describe(response)}"
    body = response.json()
    if response.request.url.path.startswith("/v1"):
        assert set(body) == {"error"}, f"not OpenAI's envelope:\n{describe(response)}"
        assert set(body["error"]) == {"message", "type", "param", "code"}, f"the error has exactly four keys:\n{describe(response)}"
        assert body["error"]["message"], f"an error without a message:\n{describe(response)}"
    else:
        assert body.get("success") is False, f"not the API's envelope:\n{describe(response)}"
        assert body.get("message"), f"an error without a message:\n{describe(response)}"
        assert body.get("code"), f"an error without a code:\n{describe(response)}"
