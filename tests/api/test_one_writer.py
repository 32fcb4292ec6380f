# SPDX-License-Identifier: Apache-2.0
"""Two hosts on one database: whoever must not write does not, however the other one went; and who takes over
knows, or is told, what was released last."""

import json
import os
import re
import signal
import tempfile

import pytest

from client import ANY, People
from instance import Instance, free_port, pause, wait_for
from standby import LIMITS, TAKEOVER_S, Standby, World, load_on, power_cut, serves, stands_by
from test_commit_lost import Proxy
from test_takeover import check_takeover, keep, put_back, refused_to_start

SILENT_S = LIMITS["SILENT_WRITER"] + LIMITS["LOCK"] + TAKEOVER_S


def made(contract, settings=(), before=lambda instance: None):
    with tempfile.TemporaryDirectory(prefix="casetrace-writer-") as folder:
        os.chmod(folder, 0o755)
        instance = Instance(folder, settings=["keeper.name=first", *settings])
        world = None
        try:
            instance.prepare()
            before(instance)
            instance.start()
            world = World(instance, contract)
            yield world
        finally:
            world.stop() if world else instance.stop()


@pytest.fixture
def world(contract):
    yield from made(contract)


@pytest.fixture
def reached(contract):
    """A first daemon that reaches the database by a way that can be cut; the second has its own."""
    port, proxies = free_port(), []
    way = f"host=127.0.0.1 port={port} sslmode=disable"
    try:
        for world in made(contract, [f"database.connection={way} dbname=casetrace user=casetrace_keeper"],
                          lambda instance: proxies.append(Proxy(instance, port))):
            world.proxy = lambda: proxies.append(Proxy(world.first, port))
            world.cut = lambda: proxies[-1].stop()
            world.way = way
            yield world
    finally:
        proxies[-1].stop()


def check_answers(world, load):
    """An answer has its entry, and what was refused as not done has none."""
    logged = {header.get("request_id") for header in world.headers()}
    assert not {name for status, _, name in load.replies if status == 200} - logged
    assert not {name for status, code, name in load.replies if status == 503 and code != "outcome_unknown"} & logged


def test_a_writer_that_is_stopped_and_comes_back(world):
    """Nobody ends its sessions: a writer that is silent for too long loses the lock by itself."""
    first = world.first
    second = world.standby()
    client = world.client(second)
    with load_on(world.admin) as load:
        wait_for(lambda: len(load.replies) > 100, 20, "load")
        before, keeper = world.head(), first.keeper_pid
        pause(keeper)
        try:
            wait_for(lambda: serves(client), SILENT_S, "the second serves")
        finally:
            os.kill(keeper, signal.SIGCONT)
        wait_for(lambda: stands_by(first), TAKEOVER_S, "the first stands by")
    check_takeover(world, before, "second")
    check_answers(world, load)
    world.verify()


def test_a_writer_that_loses_its_way_to_the_database(reached):
    world, first = reached, reached.first
    second = Standby(first)
    world.seconds.append(second)
    state = dict(line.split("=", 1) for line in (first.folder / ".casetrace-instance").read_text().splitlines())
    second.configuration.write_text(second.configuration.read_text().replace(world.way, f"host={state['socket']}"))
    world.give_anchor(second)
    second.start_daemon()
    wait_for(lambda: stands_by(second), TAKEOVER_S, "the second stands by")
    client = world.client(second)
    with load_on(world.admin) as load:
        wait_for(lambda: len(load.replies) > 100, 20, "load")
        before = world.head()
        world.cut()
        wait_for(lambda: serves(client), TAKEOVER_S, "the second serves")
        cut = len(load.replies)
        wait_for(lambda: len(load.replies) > cut + 10, 20, "refusals")
        assert {status for status, _, _ in load.replies[cut:]} == {503}
        world.proxy()
        wait_for(lambda: stands_by(first), TAKEOVER_S, "the first stands by")
    assert serves(client)
    check_takeover(world, before, "second")
    check_answers(world, load)
    world.verify()


# ---- who vouches for the log -------------------------------------------------------------------------


def override(instance, epoch, reason="the disk of the first host burned"):
    return instance.tool("log", "override", "--config", instance.configuration, "--epoch", epoch, "--reason", reason)


def takeovers(world):
    return [(index, header) for index, header in enumerate(world.headers()) if header["operation"] == "takeover"]


def test_an_empty_anchor_needs_an_override(world):
    second = Standby(world.first)
    world.seconds.append(second)
    empty = "the anchor is empty, so it is not known what the writer of epoch 1, first, released last"
    refused_to_start(second, empty)  # while the first one serves, too
    assert serves(world.admin)
    power_cut(world.first)
    before = world.head()
    refused_to_start(second, empty)
    assert f"casetrace log override --epoch {before[1]}" in second.log("daemon.log")
    assert override(second, before[1] + 1).returncode == 0
    refused_to_start(second, empty)
    assert "the override is for epoch 2 and the head has epoch 1" in second.log("daemon.log")
    again = override(second, before[1])
    assert again.returncode == 1 and "override" in again.stderr, "one that waits is not replaced"
    world.first.as_keeper("rm", second.anchor + ".override", check=True)
    assert world.head() == before, "nothing was appended"

    assert override(second, before[1]).returncode == 0
    second.start_daemon()
    client = world.client(second)
    wait_for(lambda: serves(client), TAKEOVER_S, "the second serves")
    index, header = takeovers(world)[-1]
    assert (header["server"], header["epoch"], header["outcome"]) == ("second", 2, "overridden")
    entry = People(client).auditor().get(f"/v1/log/entries/{index}")
    said = json.loads(entry["subject"])["override"]
    assert said["reason"] == "the disk of the first host burned" and said["by"] and said["at"]
    assert not os.path.exists(second.anchor + ".override"), "it was for once"
    world.verify()


def test_a_host_that_did_not_see_the_last_writer(world):
    """It was away while another one took over and went: its own anchor says nothing of what that released."""
    first = world.first
    second = world.standby()
    power_cut(first)
    client = world.client(second)
    wait_for(lambda: serves(client), TAKEOVER_S, "the second serves")
    power_cut(second)
    before = world.head()
    former = world.anchor + ".former"

    def refused():
        (first.folder / "daemon.log").write_text("")
        first.start_daemon()
        wait_for(lambda: "this host does not know what the writer of epoch 2, second, released last" in first.log("daemon.log"),
                 20, "the refusal")
        assert first.readiness()[0] == 503
        assert world.admin.get("/v1/me", expect=ANY).status == 503
        assert world.head() == before, "nothing was appended"
    refused()
    first.stop_daemon()
    first.as_keeper("cp", world.anchor, former, check=True)
    refused()  # an anchor of an earlier epoch is no help
    first.stop_daemon()
    first.as_keeper("sh", "-c", f"tr A-Z a-z <{second.anchor} >{former}", check=True)
    refused_to_start(first, "former holds no checkpoint that this keyring signed")
    first.as_keeper("rm", former, check=True)
    # Once it is told, it goes on by itself.
    refused()
    first.as_keeper("cp", second.anchor, former + ".new", check=True)
    first.as_keeper("mv", former + ".new", former, check=True)
    wait_for(lambda: serves(world.admin), TAKEOVER_S, "the first serves")
    check_takeover(world, before, "first")
    world.verify()


def test_who_stands_by_knows_what_was_released(world):
    """The database is put back while the writer is gone: the one that stood by does not go on with it."""
    first = world.first
    first.stop_daemon()
    keep(world)
    first.start_daemon()
    first.wait_ready()
    second = world.standby()
    for _ in range(20):
        assert serves(world.admin)
    released = world.head()[2]

    def followed():
        line = open(second.anchor, "rb").read()
        return f"\n{released}\n".encode() in line
    wait_for(followed, TAKEOVER_S, "the second has the first's last checkpoint")
    power_cut(first)
    daemon, second.daemon = second.daemon, None
    daemon.terminate()
    daemon.wait()
    epoch_before = world.head()[1]
    put_back(world)
    older = world.head()
    assert older[1] <= epoch_before
    refused_to_start(second, "the database was put back to an older state")
    log = second.log("daemon.log")
    assert re.search(rf"the anchor \S+ has size \d+, root [0-9a-f]{{64}}", log)
    assert re.search(rf"the database has size {older[2]}, root [0-9a-f]{{64}}, epoch {older[1]} of first", log)
    assert world.head() == older, "nothing was appended"
