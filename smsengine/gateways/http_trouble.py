"""What is wrong with a host, in a sentence for whoever asks why a gateway cannot be used; pure."""

from __future__ import annotations

from smsengine.gateways.http_exchange import Phase, Reply, Trouble

#: What to say of a host that gave no answer.
_SENTENCES = {
    Trouble.NOT_FOUND: "cannot be found; look at the url and at this machine's DNS.",
    Trouble.REFUSED: "refuses the connection; look at the port of the url.",
    Trouble.TLS: "has no TLS, or no certificate that this machine trusts.",
    Trouble.TIMEOUT: "does not answer in time; look at the network and the time-outs.",
    Trouble.BROKEN: "breaks the connection off; look at the firewall, or ask the vendor.",
}


def what_is_wrong(host: str, reply: Reply) -> str | None:
    """One sentence for whoever asks why a gateway cannot be used; None where nothing is wrong."""
    if reply.phase is Phase.LOGIN_REFUSED:
        return f"{host} refuses the login ({reply.detail}); look at its user and its secrets."
    if reply.phase is Phase.NO_LOGIN and reply.detail:
        return f"{host} cannot be logged in to now ({reply.detail})."
    if reply.phase is not Phase.ANSWERED:
        return f"{host} {_SENTENCES[reply.trouble or Trouble.BROKEN]}"
    if reply.status in (401, 403):
        return f"{host} refuses the key (HTTP {reply.status}); look at auth and key."
    return None if reply.is_success else f"{host} answers HTTP {reply.status}; look at the url."
