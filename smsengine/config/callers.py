"""Addresses of those who may call: networks such as ``203.0.113.0/24``."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Any

from pydantic import BeforeValidator

Network = IPv4Network | IPv6Network


def _network(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return ip_network(value.strip())
    except ValueError:
        raise ValueError(
            f"is {value!r}; write an address or a network such as 203.0.113.0/24."
        ) from None


#: A key of the configuration.
NetworkField = Annotated[Network, BeforeValidator(_network)]


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Say whether an address is of one of these networks; what is no address is of none."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)
