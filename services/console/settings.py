"""The settings of the console, read once in `__main__`."""

from pydantic import field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class ConsoleSettings(BaseSettings):
    """`trace_url` leads to a trace: `{trace_id}` in it is replaced. Empty: trace ids are texts."""

    model_config = SettingsConfigDict(env_prefix="TRADEPOST_CONSOLE_", frozen=True)

    trace_url: str = ""

    @field_validator("trace_url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        if url and not (url.startswith(("http://", "https://")) and "{trace_id}" in url):
            raise ValueError("must be a URL that contains {trace_id}")
        return url
