"""Which gateway takes which messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsengine.sending.routing import Route, Step, alone, ordered, weighted
from smsengine.store.claims import WHOLE, Part

NETWORKS = ("Viettel", "VinaPhone", "MobiFone", "")
NAMES = ("alpha", "beta", "gamma", "delta")
PLACES = range(1, 101)
ALL = dict.fromkeys(NAMES, 1.0)

GATEWAYS = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)
SOME_NETWORKS = st.lists(st.sampled_from(NETWORKS[:3]), unique=True).map(tuple)
TRUST = st.fixed_dictionaries({name: st.sampled_from([0, 0.25, 0.5, 0.75, 1]) for name in NAMES})


@st.composite
def a_step(draw: st.DrawFn, networks: tuple[str, ...] | None = None) -> Step:
    """Any rule, in order or by weight."""
    found = draw(SOME_NETWORKS) if networks is None else networks
    names = draw(GATEWAYS)
    if draw(st.booleans()):
        return ordered(names, found)
    weights = draw(st.lists(st.integers(1, 300), min_size=len(names), max_size=len(names)))
    return weighted(dict(zip(names, weights, strict=True)), found)


@st.composite
def a_route(draw: st.DrawFn) -> Route:
    """Any route whose last rule is for all networks."""
    steps = draw(st.lists(a_step(), max_size=3))
    return Route(name="both", steps=(*steps, draw(a_step(networks=()))))


def takes(part: Part, network: str, place: int) -> bool:
    """What ``Part.condition`` says in SQL."""
    if part.networks and network not in part.networks:
        return False
    return network not in part.except_networks and part.low <= place % part.whole < part.high


def takers(route: Route, trust: Mapping[str, float], network: str, place: int) -> list[str]:
    """Every gateway that would take a message, once for each part that it is in."""
    return [
        name
        for name in route.gateways
        for part in route.parts(name, trust)
        if takes(part, network, place)
    ]


@given(a_route(), TRUST)
def test_one_trusted_gateway_takes_each_message(route: Route, trust: dict[str, float]) -> None:
    """Parts are disjoint and complete: whoever may have a message, exactly one takes it."""
    parts = {name: route.parts(name, trust) for name in route.gateways}
    for network in NETWORKS:
        for place in PLACES:
            trusted = [name for name in route.order(network, place) if trust[name]]
            found = [name for name in parts for part in parts[name] if takes(part, network, place)]
            assert (bool(trusted), True) == (len(found) == 1, set(found) <= set(trusted))


@given(a_route(), st.fixed_dictionaries({name: st.sampled_from([0.0, 1.0]) for name in NAMES}))
def test_the_first_that_is_trusted_takes_it(route: Route, trust: dict[str, float]) -> None:
    """A gateway that is away loses its messages to the next one of their order."""
    for network in NETWORKS:
        for place in PLACES:
            trusted = [name for name in route.order(network, place) if trust[name]]
            assert trusted[:1] == takers(route, trust, network, place)


@given(a_route())
def test_shares_are_all_of_a_hundred(route: Route) -> None:
    """Rounding neither loses nor doubles a hundredth."""
    assert [100] * len(route.steps) == [sum(share for _, share in s.shares) for s in route.steps]


@given(a_route(), st.sampled_from(NETWORKS), st.integers(1, 10**6))
def test_each_message_has_an_order(route: Route, network: str, place: int) -> None:
    """Each gateway stands once in the order of a message, all of one rule."""
    order = route.order(network, place)
    step = next(each for each in route.steps if not each.networks or network in each.networks)
    assert sorted(name for name, _ in step.shares) == sorted(order)


@given(a_route(), st.sampled_from(NETWORKS), st.integers(1, 10**6))
def test_going_on_to_the_next_ends(route: Route, network: str, place: int) -> None:
    """One that is refused by one gateway after the other has seen each of them once."""
    order = route.order(network, place)
    at: str | None = order[0]
    seen = []
    while at is not None:
        seen.append(at)
        at = route.after(at, network, place)
    assert list(order) == seen


def test_after_a_gateway_that_is_none_of_them_there_is_no_other() -> None:
    """A message that a gateway had by an older configuration is not sent on in a circle."""
    assert alone("alpha").after("omega", "Viettel", 1) is None


def test_an_order_gives_all_to_the_first() -> None:
    """Others only help out."""
    route = Route(name="both", steps=(ordered(["alpha", "beta"]),))
    assert {("alpha",)} == {tuple(takers(route, ALL, "Viettel", place)) for place in PLACES}


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ({"alpha": 1}, [100]),
        ({"alpha": 70, "beta": 30}, [70, 30]),
        ({"alpha": 1, "beta": 1, "gamma": 1}, [33, 33, 34]),
        ({"alpha": 999, "beta": 1}, [99, 1]),
        ({"alpha": 1, "beta": 999}, [0, 100]),
        ({"alpha": 2, "beta": 1}, [66, 34]),
    ],
)
def test_weights_are_hundredths(weights: dict[str, int], shares: list[int]) -> None:
    """Messages are dealt by the hundred, as near to the weights as that goes."""
    assert shares == [share for _, share in weighted(weights).shares]


def test_weights_share_the_messages() -> None:
    """Of every hundred places each gateway takes its share."""
    route = Route(name="both", steps=(weighted({"alpha": 70, "beta": 30}),))
    taken = Counter(takers(route, ALL, "", place)[0] for place in range(1, 1001))
    assert {"alpha": 700, "beta": 300} == taken


@pytest.mark.parametrize(("trust", "alphas"), [(0.25, 25), (0.5, 50), (0.75, 75), (1.0, 100)])
def test_a_gateway_that_came_back_gets_its_share_back(trust: float, alphas: int) -> None:
    """What it is not trusted with yet is taken by the next."""
    route = Route(name="both", steps=(ordered(["alpha", "beta"]),))
    taken = Counter(takers(route, {"alpha": trust, "beta": 1.0}, "", p)[0] for p in PLACES)
    assert (alphas, 100 - alphas) == (taken["alpha"], taken["beta"])


def test_networks_have_their_own_gateways() -> None:
    """The first rule that names a network counts; the rest is for the last one."""
    route = Route(
        name="both",
        steps=(
            ordered(["alpha"], ("Viettel",)),
            ordered(["beta"], ("Viettel", "VinaPhone")),
            ordered(["gamma"]),
        ),
    )
    assert ["alpha", "beta", "gamma", "gamma"] == [
        takers(route, ALL, network, 1)[0] for network in NETWORKS
    ]


def test_a_rule_behind_one_for_all_networks_is_never_reached() -> None:
    """What the first rule takes is not offered to a later one as well."""
    route = Route(
        name="both",
        steps=(ordered(["alpha"]), ordered(["beta"], ("Viettel",)), ordered(["gamma"])),
    )
    assert (["alpha"], (), ()) == (
        takers(route, ALL, "Viettel", 1),
        route.parts("beta", ALL),
        route.parts("gamma", ALL),
    )


@pytest.mark.parametrize(("trust", "parts"), [(1.0, WHOLE), (0.25, WHOLE), (0.0, ())])
def test_a_single_gateway_takes_all_or_nothing(trust: float, parts: tuple[Part, ...]) -> None:
    """Where there is no other, a gateway that came back has everything at once."""
    assert parts == alone("alpha").parts("alpha", {"alpha": trust})


def test_a_gateway_of_which_nothing_is_known_takes_nothing() -> None:
    """A lane that this process does not serve is nobody's."""
    route = Route(name="both", steps=(ordered(["alpha", "beta"]),))
    assert ((), [(0, 100)]) == (
        route.parts("alpha", {"beta": 1.0}),
        [(part.low, part.high) for part in route.parts("beta", {"beta": 1.0})],
    )


def test_a_route_names_each_gateway_once() -> None:
    """Rules that share a gateway make no second lane of it."""
    route = Route(
        name="both", steps=(ordered(["alpha", "beta"], ("Viettel",)), ordered(["beta", "gamma"]))
    )
    assert ("alpha", "beta", "gamma") == route.gateways
