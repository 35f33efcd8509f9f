"""How the daemon can be watched: where it answers questions, and what it writes down."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from smsengine.config.callers import NetworkField
from smsengine.config.yaml import Model

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["auto", "json", "text"]


class WebSettings(Model):
    """Where ``/metrics``, ``/healthz`` and ``/readyz`` are, and where gateways call."""

    host: str = Field(
        default="127.0.0.1", min_length=1, description="the address on which the daemon answers"
    )
    port: int = Field(default=8320, ge=0, le=65_535, description="0 takes any free port")
    public_url: str = Field(
        default="",
        pattern=r"^$|^https?://[^\s/?#]+(/[^\s?#]*)?$",
        description="the address under which gateways reach the daemon, e.g."
        " https://sms.example.vn; some sign it",
    )
    proxies: tuple[NetworkField, ...] = Field(
        default=(), description="our own proxies, whose X-Forwarded-For is believed"
    )


class LogSettings(Model):
    """What the daemon writes to its standard output."""

    level: Level = Field(default="info", description="the least important events that are written")
    form: Form = Field(
        default="auto", description="auto is text on a terminal and JSON everywhere else"
    )
