"""What every gateway over HTTP has in common: how many connections, how patient, and a log."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field

from smsengine.config.secret import SecretField
from smsengine.config.yaml import Model
from smsengine.errors import MissingExtraError
from smsengine.gateways.base import Capabilities, Site
from smsengine.gateways.http_client import HttpClient
from smsengine.gateways.http_gateway import HttpGateway, Vendor
from smsengine.gateways.http_log import ExchangeLog, Redactor
from smsengine.gateways.http_login import Client


class TransportOptions(Model):
    """Keys of every gateway over HTTP."""

    transport: Literal["requests", "curl"] = Field(
        default="requests", description="who carries the requests; curl carries thousands a second"
    )
    connections: int = Field(default=8, ge=1, le=1000, description="requests at one time")
    connect_timeout_seconds: float = Field(default=5, gt=0, le=60)
    read_timeout_seconds: float = Field(default=30, gt=0, le=300)
    exchange_log: str | None = Field(default=None, min_length=1, description="file of exchanges")


class TokenOptions(TransportOptions):
    """Keys of those whose vendor signs nothing: a callback is known by the end of its path."""

    callback_token: SecretField | None = Field(
        default=None, description="last part of the callback's path; without it none is believed"
    )


def open_http(vendor: Vendor, options: TransportOptions, site: Site) -> HttpGateway:
    """A vendor behind the contract of a gateway; no connection is opened yet.

    Raises:
        MissingExtraError: its transport is not installed.
    """
    redactor = Redactor(vendor.secrets)
    log = (
        ExchangeLog(site.folder / options.exchange_log, site.name, redactor)
        if options.exchange_log
        else None
    )
    client, sheet = _carrier(options, vendor, site)
    vendor.capabilities = sheet
    return HttpGateway(
        vendor, client=client, clock=site.clock, redactor=redactor, log=log, vault=site.vault
    )


def _carrier(options: TransportOptions, vendor: Vendor, site: Site) -> tuple[Client, Capabilities]:
    """Who carries the requests, and what the sheet is then: libcurl's threads carry several."""
    patience = {
        "connect_seconds": options.connect_timeout_seconds,
        "read_seconds": options.read_timeout_seconds,
    }
    sheet = vendor.capabilities
    if options.transport == "requests":
        return HttpClient(connections=options.connections, **patience), sheet
    try:
        from smsengine.gateways.http_curl import CurlClient, shares
    except ImportError as error:
        raise MissingExtraError(
            f"Gateway {site.name!r} has transport 'curl', and the Python library {error.name} is"
            " missing; it comes with pip install 'smsengine[fast]'."
        ) from error
    connections = min(options.connections, sheet.concurrency)
    threads, each = shares(connections)
    at_once = max(sheet.max_batch, vendor.per_request * each)
    return CurlClient(connections=connections, **patience), replace(
        sheet, max_batch=at_once, concurrency=threads
    )
