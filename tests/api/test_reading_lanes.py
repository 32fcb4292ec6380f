# SPDX-License-Identifier: Apache-2.0
"""Heavy readings do not hold up exact ones: they wait in the bulk lane, exact ones are served meanwhile."""

import concurrent.futures
import subprocess
import time

import pytest

from client import ANY
from readings import gear, mark, question, specimen, unread

HELD_S = 1.0  # below the time after which what waits for a lock, or for its turn, gives up


class Lock:
    """Holds a lock in the database on what only a code block writes, so that the bulk lane stands still."""

    def __init__(self, casetrace):
        self.process = subprocess.Popen(casetrace.command("psql", "-d", "casetrace", "-At", "-f", "-"), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        self.process.stdin.write("BEGIN; LOCK TABLE registry.code_block IN EXCLUSIVE MODE; SELECT 'held';\n")
        self.process.stdin.flush()
        while self.process.stdout.readline() != "held\n":
            assert self.process.poll() is None
        return self

    def __exit__(self, *_):
        self.process.communicate("ROLLBACK;\n", timeout=20)


def waits_for_lock(casetrace):
    return casetrace.psql("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'registry.code_block'::regclass") != "0"


@pytest.fixture(scope="module")
def pistol(people, registry):
    return registry.register(people.manufacturer(), people.dealer())


def heavy(code):
    """Readings with more than 256 look-ups."""
    teeth = "?" * 20 + gear(code)[20:]
    return {
        "four unread": specimen(mark(unread(code, 1, 3, 5, 7), scheme="R29-8")),
        "three unread": specimen(mark(unread(code, 0, 4, 6), scheme="R29-8")),
        "half a ring": specimen(mark(gear=teeth, scheme="R29-8")),
        "nothing but choices": specimen(mark("".join(f"[{c}0123]" for c in code), scheme="R29-8")),
    }


@pytest.mark.parametrize("name", ["four unread", "three unread", "half a ring"])
def test_exact_ones_are_served_while_heavy_ones_wait(casetrace, people, registry, pistol, name):
    police, maker = people.investigator(), people.manufacturer()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        with Lock(casetrace):
            block = pool.submit(maker.post, "/v1/code-blocks", {"count": 1, "scheme": "R29-8"}, expect=ANY)
            deadline = time.monotonic() + 10
            while not waits_for_lock(casetrace):
                assert time.monotonic() < deadline
            started, served = time.monotonic(), 0
            waiting = pool.submit(police.post, "/v1/traces", question(registry, heavy(pistol.code)[name]), expect=ANY)
            while served < 10 and time.monotonic() - started < HELD_S:
                assert police.post("/v1/traces", question(registry, pistol.code))["state"] == "identified"
                police.post("/v1/traces", question(registry, unread(pistol.code, 2, 6)))
                served += 1
            held = not waiting.done()
        assert held, "the heavy reading did not go through the bulk lane"
        assert served > 0
        assert waiting.result().status == 201, waiting.result()
        assert block.result().status in (201, 503)


def test_many_heavy_ones_at_once(people, registry, pistol):
    """All are answered or told to come back, and none is wrong."""
    police = [people.investigator() for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        bodies = [question(registry, s) for _ in range(8) for s in heavy(pistol.code).values()]
        replies = list(pool.map(lambda n: police[n % 4].post("/v1/traces", bodies[n], expect=ANY), range(len(bodies))))
        exact = list(pool.map(lambda n: police[n % 4].post("/v1/traces", question(registry, pistol.code)), range(32)))
    assert all(reply.status in (201, 503) for reply in replies) and sum(reply.status == 201 for reply in replies) >= 8
    for reply in replies:
        if reply.status == 201:
            assert pistol.serial in [c["firearm"]["serial"] for c in reply["candidates"]]
    assert all(reply["state"] == "identified" for reply in exact)
