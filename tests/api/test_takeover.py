# SPDX-License-Identifier: Apache-2.0
"""One keeper writes the log and another one takes over; a log that was put back is never gone on with;
a database that is away is waited for within bounds."""

import concurrent.futures
import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time

import pytest
import requests

from client import ANY
from instance import Instance, children, pause, process_stat, wait_for
from standby import LIMITS, REFUSED_S, TAKEOVER_S, Standby, World, load_on, power_cut, refuses, serves, stands_by
from written_log import Tree, literal

RECOVERY_S = 10
REFUSED = 78  # status of a keeper that must not be started again by a machine
WRITER_LOCK = "locktype = 'advisory' AND classid = 4849523 AND objid = 1 AND objsubid = 2"


@pytest.fixture
def world(contract):
    with tempfile.TemporaryDirectory(prefix="casetrace-takeover-") as folder:
        os.chmod(folder, 0o755)  # as root the parts run as other users
        instance = Instance(folder, settings=["keeper.name=first"])
        made = None
        try:
            instance.start()
            made = World(instance, contract)
            made.admin.get("/v1/me")
            yield made
        finally:
            made.stop() if made else instance.stop()


def check_takeover(world, before, writer):
    """Since that head there is one takeover, by that writer under the next epoch, and nothing of the former."""
    _, epoch, size = before
    headers = world.headers(size)
    places = [i for i, header in enumerate(headers) if header["operation"] == "takeover"]
    assert len(places) == 1, headers
    takeover = headers[places[0]]
    assert (takeover["epoch"], takeover["server"], takeover["outcome"]) == (epoch + 1, writer, "ok")
    for header in headers[places[0]:]:
        assert (header["epoch"], header["server"]) == (epoch + 1, writer), header
    for header in headers[:places[0]]:
        assert header["epoch"] == epoch, header
    assert world.head()[:2] == (writer, epoch + 1)


# ---- taking over -------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["", ".former"])
def test_taken_over_from_a_dead_daemon(world, given):
    first = world.first
    second = world.standby(given)
    client = world.client(second)
    refuses(client, "standby")
    assert serves(world.admin), "the one that stands by disturbs nobody"
    before = world.head()
    assert before[:2] == ("first", 1)

    power_cut(first)
    wait_for(lambda: serves(client), TAKEOVER_S, "the second serves")
    second.wait_ready(TAKEOVER_S)
    client.post("/v1/organizations", {"name": "after", "kind": "agency", "ori": "CA0000002"})
    check_takeover(world, before, "second")
    world.verify()

    first.start_daemon()
    wait_for(lambda: stands_by(first), TAKEOVER_S, "the first stands by")
    refuses(world.admin, "standby")
    assert serves(client)
    check_takeover(world, before, "second")

    # And back, after an end in order.
    before = world.head()
    assert second.stop_daemon() == 0
    wait_for(lambda: serves(world.admin), TAKEOVER_S, "the first serves again")
    check_takeover(world, before, "first")
    world.verify()
    world.check_logs()


def sessions_of_the_writer(world, connections):
    """SQL: the writer's sessions; a daemon that stands by has none of the lanes'."""
    holder = f"pid IN (SELECT pid FROM pg_locks WHERE granted AND {WRITER_LOCK})"
    return f"FROM pg_stat_activity WHERE {holder}" + (
        " OR application_name LIKE 'casetrace lane%'" if connections == "all" else "")


@pytest.mark.parametrize("connections", ["all", "worker"])
def test_a_keeper_that_wakes_up_too_late(world, connections):
    """Stopped in the midst of work, it loses the lock; when it goes on, others have taken over. With its
    lanes' connections still open, only the head's epoch stands between it and the log."""
    first = world.first
    second = world.standby()
    client = world.client(second)
    with load_on(world.admin) as load:
        wait_for(lambda: len(load.replies) > 200, 20, "load")
        keeper = first.keeper_pid
        pause(keeper)
        try:
            before = world.head()
            ended = first.psql("SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) "
                               + sessions_of_the_writer(world, connections))
            assert int(ended) >= (2 if connections == "all" else 1)
            wait_for(lambda: serves(client), TAKEOVER_S, "the second serves")
            waiting = len(load.replies)
        finally:
            os.kill(keeper, signal.SIGCONT)
        wait_for(lambda: stands_by(first), TAKEOVER_S, "the first stands by")
        wait_for(lambda: sum(code == "standby" for _, code, _ in load.replies[waiting:]) > 20, 20, "refusals")
        assert serves(client)
    # What was on its way when it was stopped may have been committed before its session ended.
    check_takeover(world, before, "second")
    logged = {header.get("request_id") for header in world.headers()}
    answered = [name for status, _, name in load.replies if status == 200]
    assert len(answered) > 200 and not set(answered) - logged, "an answer without an entry"
    refused = {name for status, code, name in load.replies if status == 503 and code != "outcome_unknown"}
    assert refused and not refused & logged, "an entry of what was refused as not done"
    assert {status for status, _, _ in load.replies} <= {200, 503}
    world.verify()
    # Later the second ends, and the first can take over as anybody.
    before = world.head()
    second.stop_daemon()
    wait_for(lambda: serves(world.admin), TAKEOVER_S, "the first serves again")
    check_takeover(world, before, "first")
    world.verify()
    world.check_logs()


def test_a_lost_lock_that_nobody_took(world):
    """Only the worker's session ends: the keeper comes back as the same writer, without a takeover."""
    before = world.head()
    with load_on(world.admin) as load:
        wait_for(lambda: len(load.replies) > 50, 20, "load")
        world.first.psql("SELECT pg_terminate_backend(pid) " + sessions_of_the_writer(world, "worker"))
        wait_for(lambda: any(status == 503 for status, _, _ in load.replies), TAKEOVER_S, "the loss is noticed")
        wait_for(lambda: load.replies[-1][0] == 200 and load.replies[-20][0] == 200, TAKEOVER_S, "it serves again")
    assert world.head()[:2] == before[:2]
    world.verify()
    world.check_logs()


def test_what_was_answered_as_not_attempted_is_not_done_later(world):
    keeper = world.first.keeper_pid
    pause(keeper)
    try:
        replies = [world.admin.get("/v1/me", expect="not_attempted")]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            body = {"name": "never", "kind": "agency", "ori": "CA0000003"}
            replies += pool.map(lambda _: world.admin.post("/v1/organizations", body, expect="not_attempted"), range(4))
    finally:
        os.kill(keeper, signal.SIGCONT)
    # Both lanes have been through what waited before these are answered. A keeper that was silent for so long may
    # have to take its lock again.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: wait_for(lambda: serves(world.admin), RECOVERY_S, "an answer"), range(64)))
    logged = {header.get("request_id") for header in world.headers()}
    assert not {reply.headers["Request-Id"] for reply in replies} & logged
    assert world.first.psql("SELECT count(*) FROM registry.organization WHERE name = 'never'") == "0"
    world.verify()


def test_two_daemons_with_one_anchor(world):
    """The second is refused with a word on why, and the first is not disturbed; once that has been killed,
    whoever comes next gets the anchor."""
    first = world.first
    second = Standby(first)
    world.seconds.append(second)
    shared = second.anchor.removesuffix("-second")
    second.configuration.write_text(second.configuration.read_text().replace(second.anchor, shared))
    second.anchor = shared
    refused_to_start(second, f"the anchor {re.escape(shared)} is in use by another keeper: each needs its own")
    assert serves(world.admin)
    os.kill(first.keeper_pid, signal.SIGKILL)
    wait_for(lambda: serves(world.admin), RECOVERY_S, "a killed keeper is started again")
    power_cut(first)
    second.start_daemon()
    second.wait_ready()
    assert serves(world.client(second))
    world.verify()


# ---- a database that was put back ----------------------------------------------------------------


def keep(world):
    """A copy of the database as it is now; nobody may be connected."""
    world.first.psql("CREATE DATABASE kept TEMPLATE casetrace", "postgres")


def put_back(world):
    world.first.psql("DROP DATABASE casetrace WITH (FORCE)", "postgres")
    world.first.psql("ALTER DATABASE kept RENAME TO casetrace", "postgres")


def refused_to_start(instance, pattern):
    instance.start_daemon()
    daemon, instance.daemon = instance.daemon, None
    try:
        status = daemon.wait(20)
    except subprocess.TimeoutExpired:
        daemon.terminate()
        daemon.wait()
        raise
    assert status == REFUSED
    lines = [line for line in instance.log("daemon.log").splitlines() if " error: " in line]
    assert any(re.search(pattern, line) for line in lines), "\n".join(lines)


def test_put_back_to_an_older_state(world):
    first = world.first
    first.stop_daemon()
    keep(world)
    first.start_daemon()
    first.wait_ready()
    assert serves(world.admin)
    released = world.head()[2]
    first.stop_daemon()
    put_back(world)
    older = world.head()
    assert older[2] < released
    refused_to_start(first, rf"the log has {older[2]} entries, and a checkpoint of {released} was released from here: "
                            "the database was put back to an older state")
    assert world.head() == older, "nothing was appended"
    done = first.verify_log()
    assert done.returncode == 1 and f"the log ends at size {older[2]}" in done.stderr


def test_put_back_and_gone_on_with_elsewhere(world):
    """Grown beyond what was released here, but differently: a fork."""
    first = world.first
    first.stop_daemon()
    keep(world)
    first.start_daemon()
    first.wait_ready()
    assert serves(world.admin)
    released = world.head()[2]
    first.stop_daemon()
    put_back(world)
    elsewhere = Standby(first, "elsewhere")  # its anchor is empty, and somebody says that all is well
    world.seconds.append(elsewhere)
    elsewhere.tool("log", "override", "--config", elsewhere.configuration, "--epoch", world.head()[1],
                   "--reason", "a mistake", check=True)
    elsewhere.start_daemon()
    elsewhere.wait_ready()
    wait_for(lambda: serves(world.client(elsewhere)) and world.head()[2] > released, 20, "a longer log")
    elsewhere.stop_daemon()
    forked = world.head()
    refused_to_start(first, f"the log does not extend the checkpoint of size {released} released from here")
    assert world.head() == forked, "nothing was appended"
    # Whose anchor agrees with it goes on.
    elsewhere.start_daemon()
    elsewhere.wait_ready()
    done = first.verify_log()
    assert done.returncode == 1 and "the log was rewritten or forked" in done.stderr


def test_put_back_under_a_running_daemon(world):
    first = world.first
    first.stop_daemon()
    keep(world)
    first.start_daemon()
    first.wait_ready()
    assert serves(world.admin)
    put_back(world)
    older = world.head()

    def ended():
        with contextlib.suppress(requests.exceptions.RequestException):
            reply = world.admin.get("/v1/me", expect=ANY)
            assert reply.status == 503, f"answered from a log that was put back: {reply}"
        return first.daemon.poll() is not None
    wait_for(ended, 20, "the daemon ends")
    assert first.daemon.returncode == REFUSED
    assert "the database was put back to an older state" in first.log("daemon.log")
    assert world.head() == older, "nothing was appended"


def test_cut_off_under_a_running_daemon(world):
    """Writer and epoch stay as they were, so only what the keeper remembers of the head tells."""
    first = world.first
    size = world.head()[2]
    assert serves(world.admin)
    released = world.head()[2]
    assert released > size
    tree = Tree()
    for leaf in first.psql("SELECT encode(leaf_hash, 'hex') FROM registry.log_entry ORDER BY idx").splitlines()[:size]:
        tree.append(bytes.fromhex(leaf))
    first.psql("SET session_replication_role = replica; "
               f"DELETE FROM registry.log_signature WHERE size > {size}; DELETE FROM registry.log_batch WHERE size > {size}; "
               f"DELETE FROM registry.log_entry WHERE idx >= {size}; "
               f"UPDATE registry.log_head SET size = {size}, frontier = {literal(tree.frontier)}")
    older = world.head()
    assert older == ("first", 1, size)
    world.admin.get("/v1/me", expect="standby")
    assert first.daemon.wait(20) == REFUSED
    assert "the log's head is not as this keeper left it" in first.log("daemon.log")
    assert re.search(f"has {size} entries, and a checkpoint of {released} was released", first.log("daemon.log"))
    assert world.head() == older, "nothing was appended"


DAMAGES = {
    "the frontier": ("UPDATE registry.log_head SET frontier = set_byte(frontier, 3, (get_byte(frontier, 3) + 1) % 256)",
                     "the stored frontier is not that of the last batch's root"),
    "its length": ("UPDATE registry.log_head SET frontier = frontier || sha256('x')",
                   "the stored frontier does not fit the log's size"),
    "the last root": ("UPDATE registry.log_batch SET root = sha256('x') WHERE size = (SELECT size FROM registry.log_head)",
                      "the stored frontier is not that of the last batch's root"),
    "the last entry": ("DELETE FROM registry.log_entry WHERE idx = (SELECT size - 1 FROM registry.log_head)",
                       "the log has entries up to"),
    "the last signature": ("UPDATE registry.log_signature SET line = (SELECT line FROM registry.log_signature ORDER BY size LIMIT 1) "
                           "WHERE size = (SELECT max(size) FROM registry.log_signature)", "the stored signature of size"),
    "a released leaf": ("UPDATE registry.log_entry SET leaf_hash = sha256('x') WHERE idx = {anchored} - 1",
                        "the log does not extend the checkpoint of size"),
}


def test_a_damaged_head(world):
    """Whatever does not fit, it refuses, says so and changes nothing."""
    first = world.first
    wait_for(lambda: first.psql("SELECT count(*) FROM registry.log_signature") != "1", 20, "a second stored signature")
    first.stop_daemon()
    anchored = world.head()[2]
    # One more run under another anchor, so that the first's lies below the head.
    other = Standby(first, "other")
    world.seconds.append(other)
    world.give_anchor(other)
    other.start_daemon()
    other.wait_ready()
    serves(world.client(other))
    other.stop_daemon()
    keep(world)
    for what, (statement, said) in DAMAGES.items():
        first.psql("SET session_replication_role = replica; " + statement.format(anchored=anchored))
        before = world.head()
        (first.folder / "daemon.log").write_text("")
        refused_to_start(first, said)
        assert world.head() == before, what
        put_back(world)
        keep(world)
    first.as_keeper("cp", other.anchor, world.anchor + ".former", check=True)
    first.start_daemon()
    first.wait_ready()
    assert serves(world.admin)
    world.verify()


# ---- a database that is away ---------------------------------------------------------------------


def checked_recovery(world, before):
    wait_for(lambda: serves(world.admin), RECOVERY_S, "it serves again")
    world.first.wait_ready(RECOVERY_S)
    assert world.head()[:2] == before[:2], "the same writer: nobody took over"
    world.verify()
    world.check_logs()


def test_postgresql_stopped(world):
    first = world.first
    before = world.head()
    first.stop_database()
    for _ in range(3):
        refuses(world.admin, {"database_unavailable", "not_attempted"})
    wait_for(lambda: first.readiness()[0] == 503, REFUSED_S, "it says that it is not ready")
    first.start_database()
    checked_recovery(world, before)


def test_postgresql_killed_under_load(world):
    first = world.first
    before = world.head()
    with load_on(world.admin) as load:
        wait_for(lambda: len(load.replies) > 50, 20, "load")
        first.kill_database()
        wait_for(lambda: load.replies[-1][0] == 503, REFUSED_S, "refusals")
        first.start_database()
        checked_recovery(world, before)
    logged = {header.get("request_id") for header in world.headers()}
    assert not {name for status, _, name in load.replies if status == 200} - logged
    assert not {name for status, code, name in load.replies if status == 503 and code != "outcome_unknown"} & logged


def test_postgresql_hangs(world):
    """Connections stay open and nothing is answered: every wait has its bound."""
    first = world.first
    before = world.head()
    pids = [first.database.pid, *children(first.database.pid)]

    def signal_all(number):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # a worker that had ended by itself
                os.kill(pid, number)
    signal_all(signal.SIGSTOP)
    try:
        for _ in range(3):
            refuses(world.admin, {"database_unavailable", "not_attempted", "outcome_unknown"}, LIMITS["ANSWER"] + 1)
    finally:
        signal_all(signal.SIGCONT)
    checked_recovery(world, before)


def asked_at_once(client, count, call):
    """Starts that many requests, each in a thread of its own; a function that waits for (reply, seconds) of each."""
    pool = concurrent.futures.ThreadPoolExecutor(count)

    def one():
        start = time.monotonic()
        return call(client), time.monotonic() - start
    running = [pool.submit(one) for _ in range(count)]

    def answered():
        with pool:
            return [future.result() for future in running]
    return answered


def me(client):
    return client.get("/v1/me", expect=ANY)


def lanes_waiting(world, event):
    return world.first.psql("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'casetrace lane%' AND " + event).split()


def wait_until_idle(pid):
    """Until a process has used no processor for a while."""
    seen = [None, 0.0]

    def idle():
        ticks = process_stat(pid)[2]
        if ticks != seen[0]:
            seen[:] = [ticks, time.monotonic()]
        return time.monotonic() - seen[1] > 0.3
    wait_for(idle, 20, "an idle process")


@contextlib.contextmanager
def held_head(world):
    """Somebody else has locked the log's head."""
    first = world.first
    hold = subprocess.Popen(first.command("psql", "-d", "casetrace", "-c", "BEGIN; SELECT FROM registry.log_head FOR UPDATE; "
                                          "SELECT pg_sleep(600)"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sleeper = "FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    try:
        wait_for(lambda: first.psql("SELECT pid " + sleeper), 20, "the lock")
        yield
    finally:
        first.psql("SELECT pg_terminate_backend(pid) " + sleeper)
        hold.wait()


def test_a_keeper_that_ends_answers_what_waits(world):
    """At once, and not when the batches that run are through."""
    first = world.first
    before = world.head()
    keeper, answered_at = first.keeper_pid, {}

    def ask(name):
        reply = me(world.client(first))
        answered_at[name] = time.monotonic()
        return reply

    def busy():
        return int(first.psql("SELECT count(*) FROM pg_stat_activity WHERE application_name IN "
                              "('casetrace lane 0', 'casetrace lane 1') AND xact_start IS NOT NULL"))
    with held_head(world), concurrent.futures.ThreadPoolExecutor(12) as pool:
        taken = []
        for lane in (1, 2):
            taken.append(pool.submit(ask, f"lane {lane}"))
            wait_for(lambda: busy() == lane, 2, f"{lane} batches under way")
        waiting = [pool.submit(ask, n) for n in range(10)]
        wait_for(lambda: "casetrace_queue_length 10.000" in first.metrics(), 2, "ten that wait")
        os.kill(keeper, signal.SIGTERM)
        assert {future.result().code for future in waiting} == {"not_attempted"}
        assert {future.result().status for future in taken} == {503}
    assert max(answered_at[n] for n in range(10)) < min(answered_at["lane 1"], answered_at["lane 2"])
    wait_for(lambda: serves(world.admin), RECOVERY_S, "it serves again")
    assert world.head()[0] == "first" and first.keeper_pid != keeper
    logged = {header.get("request_id") for header in world.headers(before[2])}
    assert not {future.result().headers["Request-Id"] for future in waiting} & logged
    world.verify()
    world.check_logs()


def test_the_head_is_locked_by_somebody_else(world):
    """Nobody's request is to blame: all are refused within the bound, and none is carried out later."""
    first = world.first
    before = world.head()
    keeper, front = first.keeper_pid, first.front_pid
    with held_head(world):
        pause(keeper)  # so that it finds many at once, for one batch
        try:
            answered = asked_at_once(world.admin, 40, me)
            wait_until_idle(front)
        finally:
            os.kill(keeper, signal.SIGCONT)
        replies = answered()
    bound = LIMITS["QUEUE"] + LIMITS["SPLIT"] + LIMITS["LOCK"] + LIMITS["STATEMENT"] + 1
    for reply, seconds in replies:
        assert reply.status == 503 and reply.code != "outcome_unknown", "nothing was, and that is known"
        assert int(reply.headers["Retry-After"]) >= 1 and seconds <= bound, f"{reply.code} after {seconds:.1f} s"
    assert re.search(r"a batch of \d\d did not succeed", first.log("daemon.log"))
    checked_recovery(world, before)
    logged = {header.get("request_id") for header in world.headers()}
    assert not {reply.headers["Request-Id"] for reply, _ in replies} & logged


def test_a_commit_that_the_standby_did_not_confirm(world):
    """A cancelled wait for a synchronous standby commits with a warning: no answer may rest on it."""
    first = world.first
    before = world.head()
    body = {"name": "once", "kind": "agency", "ori": "CA0000004"}

    def create(client):
        return client.post("/v1/organizations", body, idempotency="the-same-key-twice", expect=ANY)
    first.psql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "postgres")
    try:
        first.psql("SELECT pg_reload_conf()", "postgres")
        wait_for(lambda: first.psql("SHOW synchronous_standby_names") == "nobody", 5, "a standby that is waited for")
        answered = asked_at_once(world.admin, 1, create)
        lane = wait_for(lambda: lanes_waiting(world, "wait_event = 'SyncRep'"), 5, "a commit that waits")
        first.psql(f"SELECT pg_cancel_backend({lane[0]})")
        (reply, _), = answered()
        assert reply.status == 503 and reply.code == "outcome_unknown", reply
    finally:
        first.psql("ALTER SYSTEM RESET synchronous_standby_names", "postgres")
        first.psql("SELECT pg_reload_conf()", "postgres")
    wait_for(lambda: serves(world.admin), RECOVERY_S, "it serves again")
    assert create(world.admin).status == 201
    assert first.psql("SELECT count(*) FROM registry.organization WHERE name = 'once'") == "1"
    checked_recovery(world, before)


def test_started_before_postgresql(world):
    first = world.first
    before = world.head()
    first.stop_daemon()
    first.stop_database()
    first.start_daemon()
    wait_for(lambda: first.readiness()[0] == 503, 20, "it runs")
    refuses(world.admin, {"database_unavailable", "not_attempted"})
    first.start_database()
    wait_for(lambda: serves(world.admin), RECOVERY_S, "it serves")
    check_takeover(world, before, "first")
    world.verify()
    world.check_logs()
