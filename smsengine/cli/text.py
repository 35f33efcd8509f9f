"""``smsengine text``: what goes on the wire."""

from __future__ import annotations

import click

from smsengine.cli.options import Exit, as_json, finish
from smsengine.cli.output import say, say_json
from smsengine.errors import TextError
from smsengine.text.gsm import measure
from smsengine.text.plain import fold


@click.command()
@click.argument("words")
@as_json
def text(words: str, *, as_json: bool) -> None:
    """Show how WORDS would go out: plain text, encoding, length, segments, or why not at all."""
    refused: str | None = None
    plain = ""
    try:
        plain = fold(words)
    except TextError as error:
        refused = str(error)
    counted = measure(plain if refused is None else words)
    changed = 0 if refused else sum(a != b for a, b in zip(words, plain, strict=False))
    if as_json:
        say_json(
            {
                "text": None if refused else plain,
                "encoding": counted.encoding,
                "segments": counted.segments,
                "units": counted.units,
                "changed": changed,
                "refused": refused,
            }
        )
    elif refused is None:
        say(plain)
        say(
            f"{counted.units} {'characters' if counted.encoding == 'gsm7' else 'UTF-16 units'} in"
            f" {counted.encoding}, {counted.segments} segment(s)",
            style="dim",
        )
    else:
        say(f"Cannot be sent: {refused}", style="red", stderr=True)
    finish(Exit.DONE if refused is None else Exit.LOOK)
