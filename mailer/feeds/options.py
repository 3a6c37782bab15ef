"""The [feeds] table of the settings."""

from datetime import timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mailer.core.duration import Duration


class FeedOptions(BaseModel):
    """The [feeds] table of the settings. A field's description is its comment in config.example.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allow_private: bool = Field(
        default=False,
        description="Whether feeds may be fetched from private addresses: this machine, the local network. "
        "Say true only if all feeds are your own.",
    )
    timeout: Duration = Field(
        default=timedelta(seconds=10),
        description="How long a feed may take to be fetched, redirects included: '10s' or a number of seconds.",
    )
    max_bytes: int = Field(
        default=5_000_000,
        ge=1_000,
        le=100_000_000,
        description="How many bytes a feed may have, after decompression. What is larger is not read.",
    )

    poll_soonest: Duration = Field(
        default=timedelta(minutes=10),
        description="`mailer feeds poll --due` asks each feed by its own rhythm: about four times between two changes, "
        "and never before its server wants. This is how soon it asks again at the soonest.",
    )
    poll_latest: Duration = Field(
        default=timedelta(hours=24),
        description="And how late at the latest, however seldom a feed changes. A server that asks for a longer pause "
        "gets it, up to a day.",
    )

    picture_sizes: bool = Field(
        default=True,
        description="Whether the beginnings of new articles' pictures are fetched where a feed doesn't tell their "
        "sizes. Only a picture whose size is known is shown.",
    )

    @field_validator("timeout")
    @classmethod
    def _there_is_time(cls, timeout: timedelta) -> timedelta:
        if not timedelta(milliseconds=10) <= timeout <= timedelta(minutes=5):
            raise ValueError("must be more than 0 and at most 5m")
        return timeout

    @field_validator("poll_soonest", "poll_latest")
    @classmethod
    def _is_polite(cls, wait: timedelta) -> timedelta:
        if not timedelta(minutes=1) <= wait <= timedelta(days=7):
            raise ValueError("must be at least 1m and at most 7d")
        return wait

    @model_validator(mode="after")
    def _soonest_comes_first(self) -> Self:
        if self.poll_soonest > self.poll_latest:
            raise ValueError("poll_soonest must not be longer than poll_latest")
        return self
