"""Every provider there is."""

from wire.anthropic import Anthropic
from wire.gemini import Gemini
from wire.openai import Azure, Custom, OpenAi

SPEAKERS = [OpenAi(), Azure(), Anthropic(), Gemini(), Custom()]
TRANSLATED = [speaker for speaker in SPEAKERS if speaker.translated]
BY_NAME = {speaker.name: speaker for speaker in SPEAKERS}
