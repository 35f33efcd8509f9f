"""``smsengine jobs``."""

from __future__ import annotations

from dataclasses import asdict

import click

from smsengine.cli.options import Exit, a_period, as_json, finish, with_engine
from smsengine.cli.output import say, say_json, table
from smsengine.cli.show import show_golden
from smsengine.errors import SmsEngineError, UsageError
from smsengine.governance.findings import Language
from smsengine.period import Period
from smsengine.service.bootstrap import Engine
from smsengine.service.checks import Checked, look_at
from smsengine.service.conditions import condition_of
from smsengine.service.people import whoever
from smsengine.service.scaffold import write_new_job
from smsengine.text.numerals import money


@click.group()
def jobs() -> None:
    """The notices of this installation."""


@jobs.command("list")
@as_json
@with_engine
def list_jobs(engine: Engine, *, as_json: bool) -> None:
    """Every job: owner, when, what it would be about today, whether it is approved."""
    rows = []
    broken = 0
    catalogue = engine.catalogue()
    for path in catalogue.paths:
        try:
            loaded, _ = catalogue.load(path)
        except SmsEngineError as error:
            broken += 1
            say(str(error), style="red", stderr=True)
            continue
        job = loaded.job
        due = Period.due(job.period, engine.clock.now())
        when, state = str(job.schedule), condition_of(engine, loaded)
        names = loaded.name, loaded.owner, job.topic
        rows.append((*names, when, str(due), job.gateway, state, job.title))
    header = ("job", "owner", "topic", "when", "period now", "gateway", "approval", "title")
    if as_json:
        for row in rows:
            say_json(dict(zip(header, row, strict=True)))
    else:
        # An office's name stands before its jobs' names.
        table([header[0], *header[2:]], [[row[0], *row[2:]] for row in rows])
    finish(Exit.WRONG if broken else Exit.DONE)


@jobs.command()
@click.argument("names", nargs=-1, metavar="[JOB...]")
@a_period
@click.option(
    "--lang",
    type=click.Choice(["vi", "en"]),
    help="In which to say what is wrong; default: the office's, English for the Centre.",
)
@as_json
@with_engine
def check(
    engine: Engine,
    names: tuple[str, ...],
    period: Period | None,
    lang: Language | None,
    *,
    as_json: bool,
) -> None:
    """Say what is wrong with JOBs (default: all), and show golden rows and three texts of each."""
    catalogue = engine.catalogue()
    paths = [catalogue.path_of(name) for name in names] or catalogue.paths
    faulty = 0
    for path in paths:
        checked = look_at(engine, catalogue, path, whoever(), period)
        checked.language = lang or checked.language
        faulty += bool(checked.faults)
        if as_json:
            say_json(_facts(checked))
        else:
            _show(checked)
    finish(Exit.WRONG if faulty else Exit.DONE)


def _facts(checked: Checked) -> dict[str, object]:
    return {
        "job": checked.name,
        "title": checked.title,
        "period": str(checked.period) if checked.period else None,
        "faults": checked.faults,
        "findings": [
            {
                "rule": each.rule,
                "weight": each.weight,
                "file": each.file,
                "line": each.line,
                "what": each.what.to(checked.language),
                "mend": each.mend.to(checked.language),
            }
            for each in checked.findings
        ],
        "golden": [asdict(each) for each in checked.golden],
        "warnings": checked.warnings,
        "samples": [sample.facts() for sample in checked.samples],
    }


def _show(checked: Checked) -> None:
    about = f" for {checked.period}" if checked.period else ""
    say(f"{checked.name}{about}: {checked.title}", style="bold")
    for fault in checked.faults:
        say(f"  wrong: {fault}", style="red")
    for finding in checked.findings:
        if finding.is_good:
            say(f"  note: {finding.sentence(checked.language)}", style="yellow")
        for whose, words in zip(("ours  ", "theirs"), finding.beside or (), strict=False):
            say(f"    {whose}: {' '.join(words.split())}", style="dim")
    if checked.words:
        say(f"  words: {' '.join(checked.words.split())}")
    for golden in checked.golden:
        show_golden(golden)
    for warning in checked.warnings:
        say(f"  note: {warning}", style="yellow")
    for sample in checked.samples:
        say(f"  {sample.subject}  {sample.phone}  row {sample.row_number}")
        say(f"    {sample.text}")
        say(
            f"    {len(sample.text)} characters, {sample.segments} segment(s),"
            f" {money(sample.cost)} dong",
            style="dim",
        )
    if not checked.faults:
        say(f"  good: {checked.messages} texts, {checked.skipped} skipped", style="green")


@jobs.command()
@click.argument("name")
@click.option("--province", metavar="CODE-NAME", help="The office it belongs to, e.g. 01-hanoi.")
@click.option("--gateway", help="Default: the first of the configuration.")
@as_json
@with_engine
def new(
    engine: Engine, name: str, province: str | None, gateway: str | None, *, as_json: bool
) -> None:
    """Write the files of a new notice: a commented job, its template, a small extract."""
    if gateway and gateway not in engine.settings.gateways:
        known = ", ".join(engine.settings.gateways)
        raise UsageError(f"There is no gateway {gateway!r}; there are: {known}.")
    written = write_new_job(engine, name, province, gateway)
    full_name = f"{province}/{name}" if province else name
    if as_json:
        say_json({"job": full_name, "files": [written.job, written.template, written.extract]})
        return
    say("Written; open them and change what is yours:")
    for path, what in (
        (written.job, "what, when, to whom"),
        (written.template, "the words"),
        (written.extract, "a small extract to try it with"),
    ):
        say(f"  {path}  ({what})")
    say("Then:")
    say(f"  smsengine jobs check {full_name}")
    say(f"  smsengine send {full_name} --period 2026-10 --dry-run")
    if province:
        say(f"  smsengine jobs submit {full_name}")
        say(f"  smsengine jobs approve {full_name}   (somebody else, of the Centre)")
    say(f"  smsengine send {full_name} --period 2026-10")
