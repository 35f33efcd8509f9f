"""The command ``smsengine``."""

from __future__ import annotations

import os
import signal
import sys
from importlib.metadata import version

import click

from smsengine.cli.audit import audit
from smsengine.cli.demo import demo
from smsengine.cli.doctor import doctor
from smsengine.cli.gateways import gateways
from smsengine.cli.jobs import jobs
from smsengine.cli.ledger import db
from smsengine.cli.messages import messages
from smsengine.cli.notices import COMMANDS
from smsengine.cli.options import Exit
from smsengine.cli.output import say
from smsengine.cli.payments import payments
from smsengine.cli.payments_daily import daily
from smsengine.cli.run import run
from smsengine.cli.runs import runs
from smsengine.cli.send import preview, send
from smsengine.cli.suppressions import suppressions
from smsengine.cli.text import text
from smsengine.cli.watch import watch
from smsengine.errors import SmsEngineError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("smsengine"), prog_name="smsengine")
def cli() -> None:
    """Monthly notices of a social insurance as text messages.

    Exit codes: 0 done, 1 done with failures to look at, 2 wrong usage or configuration, 3 refused
    by a guard.
    """


for command in (
    demo,
    run,
    preview,
    send,
    runs,
    messages,
    jobs,
    gateways,
    text,
    db,
    doctor,
    audit,
    suppressions,
    payments,
):
    cli.add_command(command)
for command in COMMANDS:
    jobs.add_command(command)
runs.add_command(watch)
payments.add_command(daily)


def _stop(_signal: int, _frame: object) -> None:
    """End like Ctrl-C: what is under way is waited for and settled."""
    raise KeyboardInterrupt


def main() -> None:
    """Run the command; every error is one sentence on the error stream."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        code = cli.main(standalone_mode=False)
    except SmsEngineError as error:
        say(str(error), style="red", stderr=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = Exit.WRONG
    except (click.Abort, KeyboardInterrupt):
        say("Stopped; start the same command again to go on.", stderr=True)
        code = Exit.LOOK
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the last flush
        code = Exit.DONE
    except Exception as error:
        if os.environ.get("SMSENGINE_DEBUG"):
            raise
        say(
            f"Unexpected: {type(error).__name__}: {error} (SMSENGINE_DEBUG=1 shows where).",
            style="red",
            stderr=True,
        )
        code = Exit.WRONG
    sys.exit(code or 0)
