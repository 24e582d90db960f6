"""Gemini's own API."""

from __future__ import annotations

from fake_upstream import Request
from wire import Counts, Say, Speaker, event

SIGNATURE = "AXLI2nz+/A=="
ESCAPE = "skip_thought_signature_validator"


class Gemini(Speaker):
    name = "gemini"
    kind = 24
    model = "gemini-3-flash"
    # 50 of the prompt, of which 40 cached, 5 that its tools read; 6 of the answer and 22 of thoughts.
    counts = Counts(prompt=55, cached=40, written=0, completion=28, reasoning=22)
    translated = True
    # An error comes as it is printed, without `data:`.
    error_event = b'{\n  "error": {\n    "code": 503,\n    "message": "The model is overloaded.",\n    "status": "UNAVAILABLE"\n  }\n}\n'

    def usage(self) -> dict:
        return {"promptTokenCount": 50, "cachedContentTokenCount": 40, "toolUsePromptTokenCount": 5, "candidatesTokenCount": 6,
                "thoughtsTokenCount": 22, "totalTokenCount": 83}

    def answer(self, parts: list[dict], finish: str | None = None, usage: dict | None = None) -> dict:
        # The index 0 is left out, as defaults are.
        candidate: dict = {"content": {"parts": parts, "role": "model"}}
        if finish:
            candidate["finishReason"] = finish
        return {"candidates": [candidate], "modelVersion": self.model, "responseId": "r1", "usageMetadata": usage or {}}

    def parts(self, say: Say) -> list[dict]:
        parts: list[dict] = [{"text": piece, "thought": True} for piece in say.reasoning]
        parts += [{"text": piece} for piece in say.text]
        parts += [{"functionCall": {"name": call.name, "args": call.arguments}} for call in say.calls]
        if say.calls:
            # Of parallel calls only the first has one.
            parts[-len(say.calls)]["thoughtSignature"] = SIGNATURE
        return parts

    def whole(self, say: Say) -> dict:
        return self.answer(self.parts(say), "STOP", self.usage())

    def opening(self, say: Say) -> list[bytes]:
        # What was counted so far; the last one holds.
        sofar = {"promptTokenCount": 50, "cachedContentTokenCount": 40, "thoughtsTokenCount": 9, "totalTokenCount": 59}
        return [event(self.answer([part], usage=sofar), end="\r\n") for part in self.parts(say)]

    def closing(self, say: Say) -> list[bytes]:
        return [event(self.answer([{"text": "", "thoughtSignature": "TGFzdA=="}], "STOP", self.usage()), end="\r\n")]

    def assert_addressed(self, request: Request, key: str, stream: bool) -> None:
        assert request.path.endswith(f"/models/{self.model}:streamGenerateContent?alt=sse" if stream
                                     else f"/models/{self.model}:generateContent")
        assert request.header("x-goog-api-key") == key and key not in request.path
        assert not {"model", "stream"} & set(request.json)

    def assert_loop(self, request: Request, say: Say, results: dict[str, str], kept: bool) -> None:
        user, model, answers = request.json["contents"]
        assert [user["role"], model["role"], answers["role"]] == ["user", "model", "user"]
        first, *others = model["parts"]
        assert [part["functionCall"] for part in model["parts"]] == [{"name": call.name, "args": call.arguments} for call in say.calls]
        assert first["thoughtSignature"] == (SIGNATURE if kept else ESCAPE)
        assert not [part for part in others if "thoughtSignature" in part]
        assert [part["functionResponse"] for part in answers["parts"]] == [
            {"name": call.name, "response": {"output": results[call.id]}} for call in say.calls]

    def image(self, request: Request) -> str:
        part = request.json["contents"][0]["parts"][1]
        if "fileData" in part:
            return part["fileData"]["fileUri"]
        return f"data:{part['inlineData']['mimeType']};base64,{part['inlineData']['data']}"

    def assert_schema(self, request: Request, schema: dict) -> None:
        config = request.json["generationConfig"]
        assert (config["responseMimeType"], config["responseJsonSchema"]) == ("application/json", schema)

    def assert_effort_is_medium(self, request: Request) -> None:
        thinking = request.json["generationConfig"]["thinkingConfig"]
        assert thinking == {"includeThoughts": True, "thinkingLevel": "MEDIUM"}
