"""Whom a TLS connection trusts: whom this machine trusts, and whom ``requests`` brings along."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH


def trusting() -> ssl.SSLContext:
    """A context that verifies; takes some 70 ms."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


def trusted_pem() -> str:
    """The same certificates as text, for whoever does not take a context."""
    context = trusting()
    folder = ssl.get_default_verify_paths().capath  # OpenSSL looks into it when it needs one
    for each in Path(folder).iterdir() if folder else ():
        with suppress(OSError):  # such as what is no certificate
            context.load_verify_locations(each)
    return "".join(map(ssl.DER_cert_to_PEM_cert, context.get_ca_certs(binary_form=True)))
