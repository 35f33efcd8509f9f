"""A gateway for any vendor whose HTTP interface can be described as a table.

What can be described stands in ``http_options.py``; a vendor that needs more than that gets an
adapter of its own on the same seam, ``http_gateway.py``.
"""

from __future__ import annotations

from smsengine.gateways.base import Kind
from smsengine.gateways.http_options import HttpOptions as Options
from smsengine.gateways.http_table import TableVendor
from smsengine.gateways.http_transport import open_http

__all__ = ["KIND", "Options"]

KIND = Kind(
    options=Options, open=lambda options, site: open_http(TableVendor(options), options, site)
)
