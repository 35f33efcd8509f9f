"""A gateway for any vendor whose HTTP interface can be described as a table.

What can be described stands in ``http_options.py``; a vendor that needs more than that, such as a
login or a token that expires, gets an adapter of its own on the same seam, ``http_gateway.py``.
"""

from __future__ import annotations

from pathlib import Path

from smsengine.clock import Clock
from smsengine.gateways.base import Kind
from smsengine.gateways.http_client import HttpClient
from smsengine.gateways.http_gateway import HttpGateway
from smsengine.gateways.http_log import ExchangeLog, Redactor
from smsengine.gateways.http_options import HttpOptions as Options
from smsengine.gateways.http_table import TableVendor

__all__ = ["KIND", "HttpTableGateway", "Options"]


class HttpTableGateway(HttpGateway):
    """A vendor that is nothing but its options."""

    def __init__(self, options: Options, folder: Path, name: str, clock: Clock) -> None:
        """Open no connection yet.

        Args:
            options: the vendor.
            folder: where the path of the exchange log starts.
            name: the gateway's name, for the exchange log.
            clock: for balances, pauses and the exchange log.
        """
        vendor = TableVendor(options)
        redactor = Redactor(vendor.secrets)
        log = (
            ExchangeLog(folder / options.exchange_log, name, redactor)
            if options.exchange_log
            else None
        )
        super().__init__(
            vendor,
            client=HttpClient(
                connections=options.connections,
                connect_seconds=options.connect_timeout_seconds,
                read_seconds=options.read_timeout_seconds,
            ),
            clock=clock,
            redactor=redactor,
            log=log,
        )


KIND = Kind(
    options=Options,
    open=lambda options, site: HttpTableGateway(options, site.folder, site.name, site.clock),
)
