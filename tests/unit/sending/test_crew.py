"""The threads of a lane."""

from __future__ import annotations

import threading

from smsengine.sending.crew import Inline, Threads

PATIENCE = 20


def test_a_task_is_done_on_the_spot() -> None:
    """Rehearsals and tests need no threads."""
    done: list[int] = []
    crew = Inline()
    crew.give(lambda: done.append(threading.get_ident()))
    assert ([threading.get_ident()], True) == (done, crew.close(0))


def test_several_tasks_are_at_work_at_once() -> None:
    """As many as the crew has threads: each waits for the other."""
    crew, meeting = Threads(2, "trial"), threading.Barrier(3)
    for _ in range(2):
        crew.give(lambda: meeting.wait(PATIENCE))
    meeting.wait(PATIENCE)
    assert crew.close(PATIENCE)


def test_tasks_are_done_in_the_order_in_which_they_are_given() -> None:
    """What was claimed first leaves first."""
    crew, done = Threads(1, "trial"), list[int]()
    for number in range(100):
        crew.give(lambda number=number: done.append(number))  # type: ignore[misc]
    assert (True, list(range(100))) == (crew.close(PATIENCE), done)


def test_a_crew_ends_when_its_tasks_are_done() -> None:
    """Everything that was given before the end is done."""
    crew, done = Threads(3, "trial"), list[int]()
    for number in range(50):
        crew.give(lambda number=number: done.append(number))  # type: ignore[misc]
    assert (True, 50) == (crew.close(PATIENCE), len(done))


def test_a_task_that_does_not_end_is_told() -> None:
    """Whoever closes the crew is not kept for ever, and knows that somebody is still at work."""
    crew, released = Threads(1, "trial"), threading.Event()
    crew.give(lambda: released.wait(PATIENCE) and None)
    told = crew.close(0)
    released.set()
    assert (False, True) == (told, crew.close(PATIENCE))


def test_threads_are_called_like_their_lane() -> None:
    """Who looks at a process sees what its threads do."""
    crew, names = Threads(1, "trial"), list[str]()
    crew.give(lambda: names.append(threading.current_thread().name))
    crew.close(PATIENCE)
    assert ["trial-1"] == names
