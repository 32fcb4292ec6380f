# SPDX-License-Identifier: Apache-2.0
"""The daemon runs on the schema that it was built for, waits while that is made, and refuses any other."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import pytest
import requests

from client import ANY
from instance import Instance, process_stat, wait_for
from standby import World, refuses, serves
from test_takeover import REFUSED, refused_to_start

ZEROS = "0" * 64
END_S = 20


@pytest.fixture
def world(contract):
    with tempfile.TemporaryDirectory(prefix="casetrace-schema-") as folder:
        os.chmod(folder, 0o755)  # as root the parts run as other users
        instance = Instance(folder)
        made = None
        try:
            instance.start()
            made = World(instance, contract)
            assert serves(made.admin)
            yield made
        finally:
            made.stop() if made else instance.stop()


def digest_of(instance):
    return instance.psql("SELECT digest FROM registry.schema_ready WHERE ready")


def set_digest(instance, digest):
    """As if the functions were another release's."""
    instance.psql(f"UPDATE registry.schema_ready SET digest = '{digest}'")


def begin_migration(instance, *options, inject=None):
    environment = {**os.environ, **({"CASETRACE_INJECT": inject} if inject else {})}
    return subprocess.Popen(instance.command("as-keeper", instance.prefix / "bin/casetrace", "migrate", "--config",
                                             instance.configuration, *options),
                            env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stopped_migration(instance):
    """Process id of casetrace migrate once it has stopped itself."""
    wanted = ["migrate", "--config", str(instance.configuration)]

    def find():
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = pathlib.Path(f"/proc/{name}/cmdline").read_bytes().decode(errors="replace").split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if words[0].endswith("/casetrace") and words[1:4] == wanted and (process_stat(name) or "-")[0] == "T":
                return int(name)
        return None
    return wait_for(find, 20, "a migration that has stopped")


def says(client, code):
    try:
        return client.get("/v1/me", expect=ANY).code == code
    except requests.exceptions.RequestException:
        return False


def test_refused_on_another_schema(world):
    first = world.first
    ours = digest_of(first)
    first.stop_daemon()
    before = world.head()
    set_digest(first, ZEROS)
    refused_to_start(first, f"the schema's digest is {ZEROS}, and this release needs {ours}: run its casetrace migrate, "
                            "or start the release of that schema")
    first.psql("UPDATE registry.schema_ready SET ready = false")
    refused_to_start(first, "the database's schema is not ready: run casetrace migrate")
    first.psql("DROP SCHEMA api CASCADE")
    (first.folder / "daemon.log").write_text("")
    refused_to_start(first, "the database's schema is not ready: run casetrace migrate")
    assert world.head() == before, "nothing was appended"
    assert begin_migration(first).wait() == 0
    first.start_daemon()
    first.wait_ready()
    assert serves(world.admin) and digest_of(first) == ours


def test_a_keeper_that_starts_during_a_migration(world):
    """It waits, and serves when the migration is done."""
    first = world.first
    set_digest(first, ZEROS)
    migration = begin_migration(first, inject="migrate_deployed=stop")
    try:
        pid = stopped_migration(first)
        refuses(world.admin, "schema_stale")
        keeper = first.keeper_pid
        os.kill(keeper, signal.SIGKILL)
        wait_for(lambda: first.daemon.poll() is not None or says(world.admin, "schema_stale") and first.keeper_pid != keeper,
                 END_S, "another keeper that waits")
        assert first.daemon.poll() is None, first.log("daemon.log")[-1000:]
        refuses(world.admin, "schema_stale")
        os.kill(pid, signal.SIGCONT)
        assert migration.wait(60) == 0
    finally:
        if migration.poll() is None:
            os.kill(pid, signal.SIGKILL)
            migration.wait()
    wait_for(lambda: serves(world.admin), END_S, "it serves")
    world.verify()
    world.check_logs()


def test_a_migration_that_was_killed(world):
    """Whoever ran waits until somebody has completed it."""
    first = world.first
    set_digest(first, ZEROS)
    assert begin_migration(first, inject="migrate_unready=kill").wait() != 0
    wait_for(lambda: says(world.admin, "schema_stale"), END_S, "refusals")
    wait_for(lambda: "the database's schema is not ready: run casetrace migrate" in first.log("daemon.log"), END_S,
             "a word on what to do")
    refuses(world.admin, "schema_stale")
    assert begin_migration(first).wait() == 0
    wait_for(lambda: serves(world.admin), END_S, "it serves")
    world.check_logs()


def test_migrated_to_another_release(world):
    """What comes out is not ours: the daemon says so and ends."""
    first = world.first
    ours = digest_of(first)
    theirs = first.folder / "schema"
    shutil.copytree(first.prefix / "share/casetrace/schema", theirs)
    for path in (theirs, *theirs.iterdir()):
        path.chmod(0o755)
    with open(theirs / "traces.sql", "a") as file:
        file.write("-- of another release\n")
    assert begin_migration(first, "--schema", theirs).wait() == 0
    other = digest_of(first)
    assert re.fullmatch("[0-9a-f]{64}", other) and other != ours

    def ended():
        try:
            reply = world.admin.get("/v1/me", expect=ANY)
            assert reply.status == 503, f"answered on a schema of another release: {reply}"
        except requests.exceptions.RequestException:
            pass
        return first.daemon.poll() is not None
    wait_for(ended, END_S, "the daemon ends")
    assert first.daemon.returncode == REFUSED
    assert f"the schema's digest is {other}, and this release needs {ours}" in first.log("daemon.log")
    assert begin_migration(first).wait() == 0
    first.start_daemon()
    first.wait_ready()
    assert serves(world.admin)
