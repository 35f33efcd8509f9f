"""Texts against the registered template of their recipient's network. Pure."""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quoted

from smsengine.config.registered import Registered, Variant
from smsengine.errors import RowError
from smsengine.lifecycle import SkipReason

#: From a text to its template for vendors that take no text, as JSON: ``["id", [["P1", "..."]]]``.
_Proof = Callable[[str], str | None]


class Registrar:
    """Proves texts, and reads out of them what template-only vendors are given."""

    def __init__(self, registered: Registered, name: str) -> None:
        self._registered = registered
        self._name = name
        self._proofs: dict[str, _Proof] = {}

    def template_of(self, text: str, network: str) -> str | None:
        """The registered template that a text is for a network; None where it has no id.

        Raises:
            RowError: the text is none that is registered there; where it departs.
        """
        proof = self._proofs.get(network)
        if proof is None:
            proof = self._proofs[network] = self._proof(network)
        return proof(text)

    def _proof(self, network: str) -> _Proof:
        variant = self._registered.variant_for(network)
        if variant is None:
            return self._refusal(f"has nothing for {network or 'phones of an unknown network'}.")
        wording, written = variant.wording, _writer(variant)

        def prove(text: str) -> str | None:
            params = wording.read(text)
            if params is None:
                departure = wording.departure(text)
                raise self._error(f"is not this text: {departure}.")
            return written(params)

        return prove

    def _refusal(self, why: str) -> _Proof:
        def refuse(_text: str) -> str | None:
            raise self._error(why)

        return refuse

    def _error(self, why: str) -> RowError:
        return RowError(
            f"The registered template {self._name!r} {why}", reason=SkipReason.NOT_REGISTERED
        )


def _writer(variant: Variant) -> Callable[[tuple[str, ...]], str | None]:
    """Writes a template's id and parameters as JSON, the fixed parts made once."""
    if variant.id is None:
        return lambda _params: None
    begin = f"[{quoted(variant.id)}, ["
    before = [f"[{quoted(name)}, " for name in variant.names]

    def write(params: tuple[str, ...]) -> str:
        pairs = [f"{name}{quoted(param)}]" for name, param in zip(before, params, strict=True)]
        return f"{begin}{', '.join(pairs)}]]"

    return write
