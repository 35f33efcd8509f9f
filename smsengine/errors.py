"""The one tree of errors.

SmsEngineError
├── ConfigError          a file people write is wrong (file, line, key)
├── UsageError           the command line was used wrongly
├── MissingExtraError    an optional library is not installed
├── SourceError          an extract cannot be read
│   └── AbsentExtractError  … since it is not there yet
├── RowError             one row cannot become a message (carries the skip reason)
│   ├── TextError        a character or a text cannot be sent
│   ├── NumberError      a figure is not what the declared locale says
│   ├── PhoneError       a number cannot receive the notice
│   └── EmailError       an e-mail address cannot receive the notice
├── RefusedError         a guard or a rule refuses the run
│   └── BusyError        … since another process is at it
├── DeposedError         another machine leads now
├── DeliveryError        a daily table did not get there
├── LifecycleError       a state move that the law of lifecycle.py does not allow
├── GatewayError         a gateway cannot be used as it is configured
│   └── SealedError      … since what it keeps was sealed with another key
└── StoreError           the ledger cannot be used
    └── StoreAwayError   … just now: the database is away, full or locked

Every message is one sentence that says what to do. A class's docstring is its default sentence.
"""

from __future__ import annotations

from smsengine.lifecycle import SkipReason


class SmsEngineError(Exception):
    """Something smsengine knows how to explain went wrong."""

    exit_code = 2

    def __init__(self, sentence: str = "") -> None:
        super().__init__(sentence or (self.__doc__ or "").strip())


class ConfigError(SmsEngineError):
    """A file written by a person is not what it must be."""


class UsageError(SmsEngineError):
    """The command was used wrongly."""


class MissingExtraError(SmsEngineError):
    """An optional library is not installed."""


class SourceError(SmsEngineError):
    """The extract cannot be read."""


class AbsentExtractError(SourceError):
    """The extract is not there yet."""


class RowError(SmsEngineError):
    """This row cannot become a message."""

    reason: SkipReason = SkipReason.BAD_VALUE

    def __init__(self, sentence: str = "", *, reason: SkipReason | None = None) -> None:
        super().__init__(sentence)
        if reason is not None:
            self.reason = reason


class TextError(RowError):
    """The text holds a character that cannot be sent."""

    reason = SkipReason.UNSENDABLE_TEXT


class NumberError(RowError):
    """The figure is not a number in the declared locale."""

    reason = SkipReason.BAD_VALUE


class PhoneError(RowError):
    """The number cannot receive this notice."""

    reason = SkipReason.BAD_PHONE


class EmailError(RowError):
    """The address cannot receive this notice."""

    reason = SkipReason.BAD_EMAIL


class RefusedError(SmsEngineError):
    """A rule refuses this run."""

    exit_code = 3


class BusyError(RefusedError):
    """Another process is at it; nothing was lost."""


class DeposedError(SmsEngineError):
    """This process does not lead any more; whoever leads now goes on from the ledger."""


class DeliveryError(SmsEngineError):
    """The table did not get there; it is tried again."""

    def __init__(self, sentence: str = "", *, is_server: bool = False) -> None:
        """Say why.

        Args:
            sentence: what went wrong.
            is_server: the server is at fault, so that nothing else gets there either.
        """
        super().__init__(sentence)
        self.is_server = is_server


class LifecycleError(SmsEngineError):
    """This state move is not lawful."""


class GatewayError(SmsEngineError):
    """The gateway cannot be used."""


class SealedError(GatewayError):
    """What the gateway keeps was sealed with another key."""


class StoreError(SmsEngineError):
    """The ledger cannot be used."""


class StoreAwayError(StoreError):
    """The ledger cannot be used just now."""
