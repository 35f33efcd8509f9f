"""What ``doctor`` says of this machine beside others: whose ledger, whose clock, who leads."""

from __future__ import annotations

from smsengine.errors import ConfigError, RefusedError
from smsengine.service import fence
from smsengine.service.bootstrap import Engine
from smsengine.service.leader import LEADER
from smsengine.store import lanes, leases, members

#: Clocks that differ by more are not set by the network.
_MOST_SKEW_SECONDS = 2.0


def belonging(engine: Engine) -> str:
    """How many machines work on the ledger, this one among them.

    Raises:
        RefusedError: nothing may be sent from here.
    """
    because = fence.check(engine)
    if because:
        raise RefusedError(because)
    with engine.store.read() as connection:
        known = members.everyone(connection)
    if not known:
        return "the ledger is new; the first machine that sends is taken in"
    others = f" and {len(known) - 1} more" if len(known) > 1 else ""
    return f"the ledger belongs to this machine{others}"


def clocks(engine: Engine) -> str:
    """How far this machine's clock is from the database's.

    Raises:
        ConfigError: farther than clocks are that the network sets.
    """
    if engine.store.engine.dialect.name == "sqlite":
        return "this machine's clock is the only one"
    with engine.store.read() as connection:
        before = engine.clock.now().timestamp()
        theirs = lanes.present(connection, before)
        after = engine.clock.now().timestamp()
    ahead = (before + after) / 2 - theirs
    if abs(ahead) > _MOST_SKEW_SECONDS:
        where = "ahead of" if ahead > 0 else "behind"
        raise ConfigError(
            f"This machine's clock is {abs(ahead):,.1f} s {where} the database's; have both set by"
            " the network (NTP)."
        )
    return f"this machine's and the database's differ by {abs(ahead):.1f} s"


def leading(engine: Engine) -> str:
    """Which daemon leads now."""
    now = engine.clock.now().timestamp()
    with engine.store.read() as connection:
        lease = leases.current(connection, LEADER, now=now)
        present = lanes.present(connection, now)
    if lease is None:
        return "nobody leads: no daemon is at work"
    host, _, rest = lease.holder.partition(":")
    number = rest.partition(":")[0]
    return f"process {number} on {host} leads, for {lease.until - present:.0f} s unless it reports"
