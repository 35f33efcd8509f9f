"""SMPP 3.4: a telco's own protocol, over connections that stay open."""

from __future__ import annotations

from smsengine.gateways.smpp.gateway import KIND
from smsengine.gateways.smpp.options import Options

__all__ = ["KIND", "Options"]
