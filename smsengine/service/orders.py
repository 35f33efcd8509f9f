"""From a job to a recipe for its texts, and to an order for the planner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from smsengine.clock import day_begins
from smsengine.config.files import Files, Role
from smsengine.config.job import CENTRAL, Job, LoadedJob
from smsengine.config.registered import Registered, load_registered, registered_path
from smsengine.period import Period
from smsengine.planning.listing import ListComposer
from smsengine.planning.manifest import Warnings
from smsengine.planning.messages import ListRecipe, Recipe
from smsengine.planning.order import Order, Quota, Resend
from smsengine.planning.recipients import Contacts, find_columns, load_contacts
from smsengine.planning.templates import MessageTemplate
from smsengine.planning.withholding import Caps
from smsengine.provinces import covered
from smsengine.service import overlapping
from smsengine.service.bootstrap import Engine
from smsengine.service.extracts import Extract, Extracts
from smsengine.sources.base import Source
from smsengine.waves import StopRules


def _contacts(engine: Engine, loaded: LoadedJob, period: Period) -> Contacts | None:
    """The table that says which phones belong to a subject; None where the rows hold them."""
    declared = loaded.job.recipient.contacts
    if declared is None:
        return None
    table = Extracts(engine, loaded, period).source(declared.source)
    return load_contacts(table, declared.subject, declared.phones)


def recipe_for(
    engine: Engine,
    loaded: LoadedJob,
    period: Period,
    source: Source,
    *,
    key: bytes,
    only: Sequence[str] = (),
    files: Files | None = None,
) -> Recipe:
    """Everything that turns this job's rows into texts, with hashes made with ``key``.

    Template and registered wording are read through ``files``; without them anew.

    Raises:
        ConfigError: the template does not fit.
        SourceError: a column is missing, or the contacts cannot be read.
    """
    job, recipient = loaded.job, loaded.job.recipient
    columns = [column.from_column for column in job.columns.values()]
    places = find_columns(source, [*columns, *recipient.phones, *recipient.emails])
    files = files or loaded.files.anew()
    made = Recipe(
        topic=job.topic,
        period=period,
        key=key,
        columns=job.columns,
        places=dict(zip(job.columns, places, strict=False)),
        subject=recipient.subject,
        cells=tuple(places[len(columns) :]),
        contacts=_contacts(engine, loaded, period),
        numbers=job.source.numbers,
        template=_template(loaded, files),
        template_name=str(loaded.template_path),
        extra_prefixes=engine.settings.phones.extra_prefixes,
        max_segments=job.guards.max_segments,
        money=job.guards.money,
        rules=engine.house_rules(job.gateway),
        is_email=bool(recipient.emails),
        registered=_registered(engine, job.registered, files, Role.REGISTERED),
        registered_name=job.registered or "",
        office=None if loaded.owner == CENTRAL else recipient.office,
        provinces=covered(loaded.owner[:2], engine.today),
        only=frozenset(only),
        listed=_list_recipe(engine, loaded, files),
    )
    return _rehearsed(made)


def _rehearsed(recipe: Recipe) -> Recipe:
    """A text about many subjects is tried before the first row is read."""
    if recipe.listed is not None:
        ListComposer(recipe).rehearse()
    return recipe


def _template(loaded: LoadedJob, files: Files) -> str:
    template = MessageTemplate(loaded.template(files), str(loaded.template_path))
    template.require([*loaded.job.columns, "period"])
    return template.source


def _list_recipe(engine: Engine, loaded: LoadedJob, files: Files) -> ListRecipe | None:
    """How phones of many subjects are told; None where each subject has a text of its own."""
    merged = loaded.job.merged
    if merged is None:
        return None
    return ListRecipe(
        template=loaded.merged_template(files),
        template_name=str(loaded.merged_path),
        line=merged.line,
        line_name=f"{loaded.path} (merged.line)",
        between=merged.between,
        registered=_registered(engine, merged.registered, files, Role.MERGED_REGISTERED),
        registered_name=merged.registered or "",
    )


def order_for(
    engine: Engine,
    loaded: LoadedJob,
    period: Period,
    *,
    only: Sequence[str] = (),
    resend: Resend | None = None,
    reason: str = "",
) -> Order:
    """What the planner is asked to do.

    Raises:
        ConfigError, SourceError: something that the job names is wrong or not there.
    """
    job, files = loaded.job, loaded.files.anew()
    source = Extracts(engine, loaded, period).open()
    recipe = recipe_for(engine, loaded, period, source, key=engine.key, only=only, files=files)
    return Order(
        job=loaded.name,
        owner=loaded.owner,
        gateway=job.gateway,
        priority=job.priority,
        prices=engine.prices_today(job.gateway),
        guards=job.guards,
        needs_approval=job.approval == "required",
        recipe=recipe,
        source_name=source.name,
        rows=source.rows(),
        job_hash=files.hash_of(Role.JOB),
        template_hash=files.hash_of(Role.TEMPLATE),
        registered_hash=files.hash_of(Role.REGISTERED),
        warnings=source.warnings if isinstance(source, Extract) else Warnings(),
        without_figures=_others_of(recipe.contacts) if recipe.contacts is not None else None,
        resend=resend,
        reason=reason,
        resend_cap=job.resend_cap,
        waves=job.waves,
        stop=_stop_rules(job),
        version=loaded.version,
        quota=_quota(engine, loaded),
        series=None if job.merge == "none" else job.series,
        overlaps=overlapping.of_job(engine, loaded, files),
        caps=Caps(per_day=engine.settings.caps.per_day, per_month=engine.settings.caps.per_month),
        valid_seconds=int(job.validity.total_seconds()) if job.validity else None,
    )


def _others_of(contacts: Contacts) -> Callable[[set[str]], Iterable[str]]:
    """Finds the subjects that have contacts and were not told."""
    return lambda told: sorted(set(contacts) - told)


def _quota(engine: Engine, loaded: LoadedJob) -> Quota | None:
    """How much an office may plan today; None for the Centre."""
    office = engine.settings.offices.get(loaded.owner)
    if office is None or loaded.owner == CENTRAL:
        return None
    return Quota(since=day_begins(engine.clock.now()), most=office.daily)


def _stop_rules(job: Job) -> StopRules:
    """The job's limits as numbers."""
    stop = job.stop
    return StopRules(
        refused=_number(stop.refused),
        unknown=_number(stop.unknown),
        undelivered=_number(stop.undelivered),
        least=stop.least,
        wait_seconds=int(stop.wait.total_seconds()) if stop.wait else 0,
    )


def _number(share: Decimal | None) -> float | None:
    return None if share is None else float(share)


def _registered(engine: Engine, name: str | None, files: Files, role: Role) -> Registered | None:
    if name is None:
        return None
    path = registered_path(engine.settings.templates, name)
    return load_registered(path, engine.networks, files, role)
