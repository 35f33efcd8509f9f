"""The kinds of gateways there are: the built-in table, and what plug-ins add by an entry point.

A module is imported when a gateway of its kind is asked for: one that needs a library which is not
installed is nobody's trouble until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from smsengine.errors import GatewayError
from smsengine.gateways.base import Kind

_GROUP = "smsengine.gateways"
#: Each of these modules has its ``KIND``.
_MODULES = {
    "android": "smsengine.gateways.android",
    "email": "smsengine.gateways.email",
    "esms": "smsengine.gateways.esms",
    "file": "smsengine.gateways.file",
    "fpt": "smsengine.gateways.fpt",
    "http": "smsengine.gateways.http",
    "infobip": "smsengine.gateways.infobip",
    "kannel": "smsengine.gateways.kannel",
    "simulated": "smsengine.gateways.simulated",
    "smpp": "smsengine.gateways.smpp",
    "speedsms": "smsengine.gateways.speedsms",
    "twilio": "smsengine.gateways.twilio",
    "viettel": "smsengine.gateways.viettel",
    "vmg": "smsengine.gateways.vmg",
    "vnpt": "smsengine.gateways.vnpt",
    "zalo-zns": "smsengine.gateways.zalo_zns",
}


def _plug_ins() -> dict[str, EntryPoint]:
    """Plug-ins by their names; a built-in kind cannot be taken over."""
    return {each.name: each for each in entry_points(group=_GROUP) if each.name not in _MODULES}


def kind_names() -> Sequence[str]:
    """Every kind there is."""
    return sorted([*_MODULES, *_plug_ins()])


def kind_of(name: str) -> Kind[Any] | None:
    """A kind by its name; None where there is none.

    Raises:
        GatewayError: it needs something that is not installed, or is no gateway.
    """
    plug_in = None if name in _MODULES else _plug_ins().get(name)
    if name not in _MODULES and plug_in is None:
        return None
    try:
        kind = plug_in.load() if plug_in else import_module(_MODULES[name]).KIND
    except ImportError as error:
        raise GatewayError(
            f"Gateways of kind {name!r} need something that is not installed ({error})."
        ) from error
    if not isinstance(kind, Kind):
        raise GatewayError(f"The plug-in {name!r} is no Kind of gateway.")
    return kind
