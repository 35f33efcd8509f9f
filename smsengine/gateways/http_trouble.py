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
    match reply.phase:
        case Phase.ANSWERED:
            said = None if reply.is_success else _of_status(reply.status)
        case Phase.LOCKED_OUT:
            return reply.detail
        case Phase.LOGIN_REFUSED:
            said = f"refuses the login ({reply.detail}); look at its user and its secrets."
        case Phase.NO_LOGIN if reply.detail:
            said = f"cannot be logged in to now ({reply.detail}); try again later."
        case _:
            said = _SENTENCES[reply.trouble or Trouble.BROKEN]
    return f"{host} {said}" if said else None


def _of_status(status: int) -> str:
    if status in (401, 403):
        return (
            f"refuses the key (HTTP {status}); look at its secrets, and whether the vendor takes"
            " this machine's address."
        )
    if status == 429:
        return "answers HTTP 429; it is asked too often, try again in a minute."
    if status >= 500:
        return f"answers HTTP {status}; the trouble is its own, try again later or ask the vendor."
    return f"answers HTTP {status}; look at the url, and at the key."
