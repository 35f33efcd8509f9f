"""Who acts: people of the configuration, known by the account under which a command is run."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass

from smsengine.config.job import CENTRAL
from smsengine.config.offices import May, Person
from smsengine.config.settings import Settings
from smsengine.errors import RefusedError, UsageError

#: Instead of an account: the person works under whichever it is.
ANY = "any"


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A person, and the account under which the person works now."""

    name: str
    account: str
    office: str


def own_account() -> str:
    """The account of this process, as the system knows it, whatever the environment says."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:  # a container may run under a number without a name
        return f"uid-{number}"


def whoever() -> Actor:
    """Who works under this account, where it does not matter which person that is."""
    account = own_account()
    return Actor(name=account, account=account, office="")


def program() -> Actor:
    """The program itself, for what no person does."""
    return Actor(name="smsengine", account=own_account(), office=CENTRAL)


def acting(settings: Settings, may: May, *, named: str | None, account: str) -> Actor:
    """The person who acts.

    Args:
        settings: with the people.
        may: what the person wants to do.
        named: the person whom the command names; None to take the only one of the account.
        account: the account under which the command is run.

    Raises:
        UsageError: nobody, or several, can be meant.
        RefusedError: the person works under another account, or may not do it.
    """
    if named is not None:
        person = settings.people.get(named)
        if person is None:
            there = ", ".join(settings.people) or "nobody"
            raise UsageError(f"config.yaml: people: lacks {named!r}; there are: {there}.")
        if not _works_under(person, account):
            raise RefusedError(f"{named} does not work under the account {account}.")
        if may not in person.may:
            raise RefusedError(f"{named} may not {may}; config.yaml: people: says who may.")
        return Actor(name=named, account=account, office=person.office)
    able = [
        Actor(name=name, account=account, office=person.office)
        for name, person in settings.people.items()
        if _works_under(person, account) and may in person.may
    ]
    if not able:
        raise UsageError(
            f"Nobody who works under the account {account} may {may}; config.yaml: people: says who"
            " may."
        )
    if len(able) > 1:
        names = ", ".join(each.name for each in able)
        raise UsageError(f"Under the account {account} work {names}; say who you are with --as.")
    return able[0]


def _works_under(person: Person, account: str) -> bool:
    return account in person.accounts or ANY in person.accounts
