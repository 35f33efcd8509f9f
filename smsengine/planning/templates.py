"""Message templates: Jinja in a sandbox, folded once, printing only what is certain.

The words of a template are folded to plain letters when it is compiled; values are folded as they
are printed. Only a short list of the language is allowed: no loops, no calls, no includes, no
``*``; so a template ends quickly and its text stays small.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from smsengine.errors import ConfigError, RowError, TextError
from smsengine.lifecycle import SkipReason
from smsengine.period import Period
from smsengine.text.numerals import money
from smsengine.text.plain import fold, is_plain

#: A longer text is refused, whatever the job allows.
MAX_CHARACTERS = 2_000
_MAX_SOURCE = 10_000

_ALLOWED_NODES = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Getattr,
    nodes.Filter,
    nodes.Test,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Add,
    nodes.Sub,
    nodes.FloorDiv,
    nodes.Neg,
    nodes.Assign,
)
_ALLOWED_TESTS = ("defined", "none", "eq", "equalto", "ne", "gt", "ge", "lt", "le", "in")
_CANNOT_FILL = (UndefinedError, SecurityError, TypeError, AttributeError, ZeroDivisionError)
_PERIOD_PARTS = ("month", "year", "previous", "next")


def _money(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RowError(f"The filter needs a whole number and got {value!r}.")
    return money(value)


def _m_yyyy(value: Period) -> str:
    """``4/2019``, as in the letter's message to facilities."""
    return f"{value.month}/{value.year}"


def _mm_yyyy(value: Period) -> str:
    """``05/2019``, as in the letter's message to employers."""
    return f"{value.month:02d}/{value.year}"


def _dd_mm_yyyy(value: Period) -> str:
    return value.first_day.strftime("%d/%m/%Y")


_FILTERS: Mapping[str, Any] = {
    "money": _money,
    "count": _money,
    "m_yyyy": _m_yyyy,
    "mm_yyyy": _mm_yyyy,
    "dd_mm_yyyy": _dd_mm_yyyy,
    "upper": str.upper,
    "lower": str.lower,
    "trim": str.strip,
}


def _printed(value: object) -> str:
    """What ``{{ value }}`` prints; called by Jinja for every expression."""
    if isinstance(value, str):
        return value if is_plain(value) else fold(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, StrictUndefined):
        str(value)
    if value is None:
        raise RowError("The text would hold an empty value.", reason=SkipReason.EMPTY_VALUE)
    if isinstance(value, Period):
        raise RowError("A period is printed with | m_yyyy, | mm_yyyy or | dd_mm_yyyy.")
    raise RowError(f"A {type(value).__name__} cannot be printed in a text.")


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+"})

    def is_safe_attribute(self, obj: Any, attr: str, _value: Any) -> bool:
        return isinstance(obj, Period) and attr in _PERIOD_PARTS

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Add; ``{% set a = a + a %}`` must not double a text again and again."""
        result = super().call_binop(context, operator, left, right)
        if isinstance(result, str) and len(result) > MAX_CHARACTERS:
            raise _too_long()
        return result


def _too_long() -> RowError:
    return RowError(
        f"The text is longer than {MAX_CHARACTERS} characters.", reason=SkipReason.TOO_LONG
    )


def _environment() -> _Sandbox:
    environment = _Sandbox(
        undefined=StrictUndefined, finalize=_printed, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters = dict(_FILTERS)
    environment.tests = {name: environment.tests[name] for name in _ALLOWED_TESTS}
    environment.globals = {}
    return environment


class MessageTemplate:
    """One compiled template."""

    def __init__(self, source: str, name: str, period: Period | None = None) -> None:
        """Compile a template.

        Args:
            source: its text, with accents.
            name: what to call it in a sentence, usually its path.
            period: what the run is about, where it is known: what depends on nothing else is
                rendered once, not for each row.

        Raises:
            ConfigError: one sentence with ``name:line``.
        """
        self.name = name
        self.source = source
        if len(source) > _MAX_SOURCE:
            raise ConfigError(f"{name}: is longer than {_MAX_SOURCE} characters.")
        environment = _environment()
        try:
            tree = environment.parse(source, name)
            self._check(tree)
            self.variables = self._find_variables(tree)
            if period is not None:
                _settle_period(tree, environment, period)
            code = environment.compile(tree, name, name)
        except TemplateSyntaxError as error:
            raise ConfigError(f"{name}:{error.lineno}: {error.message}") from error
        except RowError as error:
            raise ConfigError(f"{name}: {error}") from error
        except (RecursionError, SyntaxError) as error:
            raise ConfigError(f"{name}: is nested too deeply.") from error
        template = Template.from_code(environment, code, {})
        self._render = template.root_render_func
        self._context = template.new_context

    def _check(self, tree: nodes.Template) -> None:
        for node in _walk(tree):
            if not isinstance(node, _ALLOWED_NODES):
                what = type(node).__name__.lower()
                line = next(each.lineno for each in _walk(node) if each.lineno)
                raise ConfigError(
                    f"{self.name}:{line}: '{what}' is not allowed in a message template;"
                    " use text, {{ values }}, filters and {% if %}."
                )
            if isinstance(node, nodes.TemplateData):
                node.data = self._folded(node)
            elif isinstance(node, nodes.Filter):
                self._check_known(node, _FILTERS)
            elif isinstance(node, nodes.Test):
                self._check_known(node, _ALLOWED_TESTS)
            elif isinstance(node, nodes.Getattr) and node.attr not in _PERIOD_PARTS:
                raise ConfigError(
                    f"{self.name}:{node.lineno}: there is no attribute {node.attr!r};"
                    f" there are: {', '.join(_PERIOD_PARTS)}."
                )
            elif isinstance(node, nodes.Name) and (node.name, node.ctx) == ("period", "store"):
                raise ConfigError(f"{self.name}:{node.lineno}: 'period' cannot be set anew.")

    def _check_known(self, node: nodes.Filter | nodes.Test, known: Collection[str]) -> None:
        # Jinja itself looks for a filter inside {% if %} only when it gets there.
        if node.name not in known:
            what = type(node).__name__.lower()
            raise ConfigError(
                f"{self.name}:{node.lineno}: there is no {what} {node.name!r};"
                f" there are: {', '.join(known)}."
            )

    def _folded(self, node: nodes.TemplateData) -> str:
        try:
            return fold(node.data)
        except TextError:
            for number, words in enumerate(node.data.split("\n"), start=node.lineno):
                self._check_words(words, number)
            raise

    def _check_words(self, words: str, line: int) -> None:
        try:
            fold(words)
        except TextError as error:
            raise ConfigError(f"{self.name}:{line}: {error}") from error

    def _find_variables(self, tree: nodes.Template) -> Mapping[str, int]:
        """Every name the template takes from outside, with the line of its first use."""
        outside = meta.find_undeclared_variables(tree)
        lines: dict[str, int] = {}
        for node in tree.find_all(nodes.Name):
            if node.name in outside:
                lines.setdefault(node.name, node.lineno)
        return lines

    def require(self, columns: Collection[str]) -> None:
        """Make sure that every name the template uses is given.

        Raises:
            ConfigError: the first name that is not, with its line and the names there are.
        """
        for name, line in sorted(self.variables.items(), key=lambda item: item[1]):
            if name not in columns:
                raise ConfigError(
                    f"{self.name}:{line}: uses {name!r}, which the job's columns lack;"
                    f" there are: {', '.join(sorted(columns))}."
                )

    def render(self, values: Mapping[str, object]) -> str:
        """Make one text.

        Args:
            values: the row's values by name, and ``period``.

        Returns:
            Plain ASCII, without spaces at its ends.

        Raises:
            RowError: a value is empty or cannot be sent.
        """
        try:
            # Without loops, calls and "*", and with "+" watched, a text ends early.
            text = "".join(self._render(self._context(values))).strip()  # type: ignore[arg-type]
        except _CANNOT_FILL as error:
            raise RowError(f"The template cannot be filled: {error}.") from error
        if len(text) > MAX_CHARACTERS:
            raise _too_long()
        return text


def _settle_period(tree: nodes.Template, environment: _Sandbox, period: Period) -> None:
    """Render what is printed of the period alone, and put it into the tree as words."""
    for output in tree.find_all(nodes.Output):
        for place, printed in enumerate(output.nodes):
            names = {name.name for name in printed.find_all(nodes.Name)}
            if isinstance(printed, nodes.Name):
                names.add(printed.name)
            if names != {"period"}:
                continue
            alone = nodes.Template([nodes.Output([printed])], lineno=printed.lineno)
            alone.set_environment(environment)
            code = environment.compile(alone, None, None)
            try:
                text = Template.from_code(environment, code, {}).render(period=period)
            except (RowError, *_CANNOT_FILL) as error:
                raise TemplateSyntaxError(str(error), printed.lineno) from error
            output.nodes[place] = nodes.TemplateData(text, lineno=printed.lineno)


def _walk(node: nodes.Node) -> list[nodes.Node]:
    found = [node]
    for child in node.iter_child_nodes():
        found.extend(_walk(child))
    return found
