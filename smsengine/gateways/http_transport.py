"""What every gateway over HTTP has in common: how many connections, how patient, and a log."""

from __future__ import annotations

from pydantic import Field

from smsengine.config.yaml import Model
from smsengine.gateways.base import Site
from smsengine.gateways.http_client import HttpClient
from smsengine.gateways.http_gateway import HttpGateway, Vendor
from smsengine.gateways.http_log import ExchangeLog, Redactor


class TransportOptions(Model):
    """Keys of every gateway over HTTP."""

    connections: int = Field(default=8, ge=1, le=1000, description="requests at one time")
    connect_timeout_seconds: float = Field(default=5, gt=0, le=60)
    read_timeout_seconds: float = Field(default=30, gt=0, le=300)
    exchange_log: str | None = Field(default=None, min_length=1, description="file of exchanges")


def open_http(vendor: Vendor, options: TransportOptions, site: Site) -> HttpGateway:
    """A vendor behind the contract of a gateway; no connection is opened yet."""
    redactor = Redactor(vendor.secrets)
    log = (
        ExchangeLog(site.folder / options.exchange_log, site.name, redactor)
        if options.exchange_log
        else None
    )
    client = HttpClient(
        connections=options.connections,
        connect_seconds=options.connect_timeout_seconds,
        read_seconds=options.read_timeout_seconds,
    )
    return HttpGateway(
        vendor, client=client, clock=site.clock, redactor=redactor, log=log, vault=site.vault
    )
