# SPDX-License-Identifier: Apache-2.0
"""New keys: two sign during the overlap and the log says so; what was signed and sealed before stays good."""

import concurrent.futures
import json
import pathlib

import tlog
from client import People
from instance import wait_for
from standby import serves
from test_one_writer import world  # noqa: F401  the fixture: a daemon of its own


def rotate(world, *what, status=0):
    done = world.first.tool("keys", "rotate", "--config", world.first.configuration, *what)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def restart(world):
    world.first.stop_daemon()
    world.first.start_daemon()
    world.first.wait_ready()


def verifies(world, receipt, key):
    path = world.first.folder / "receipt.txt"
    path.write_text(receipt)
    return world.first.tool("log", "verify", "--vkey", key, "--receipt", path).returncode == 0


def announced(world):
    return [header["verifier"] for header in world.headers() if header["operation"] == "key"]


def receipt_of_the_last(world, auditor):
    return auditor.get(f"/v1/log/receipts/{world.head()[2] - 1}")["tlog_proof"]


def test_a_new_log_key(world):
    first = world.first
    auditor = People(world.admin).auditor()
    old = (first.folder / "verifier.key").read_text().strip()
    receipts = [receipt_of_the_last(world, auditor)]
    assert announced(world) == []
    rotate(world, "--log", "--finish", status=1)
    said = rotate(world, "--log").stdout.splitlines()
    keys = [line.split(": ", 1)[1] for line in said if line.startswith("verifier key: ")]
    assert keys[0] == old and len(keys) == 2
    new = keys[1]
    assert "has begun already" in rotate(world, "--log", status=1).stderr
    assert serves(world.admin), "the keeper has what it has loaded"
    assert verifies(world, receipt_of_the_last(world, auditor), old)
    assert announced(world) == []

    restart(world)
    assert announced(world) == [new], "the log says which key is new"
    # Of two that sign, one that is known is enough, whichever it is.
    receipts.append(receipt_of_the_last(world, auditor))
    assert all(verifies(world, receipts[1], key) for key in keys)
    wait_for(lambda: first.psql("SELECT line FROM registry.log_signature ORDER BY size DESC LIMIT 1").count("\u2014 ") == 2,
             10, "a stored signature of both")
    restart(world)
    assert announced(world) == [new], "once"
    world.verify()

    rotate(world, "--log", "--finish")
    restart(world)
    world.key = tlog.VerifierKey(new)
    auditor.api.key = world.key
    world.admin.api.key = world.key
    receipts.append(receipt_of_the_last(world, auditor))
    assert verifies(world, receipts[2], new) and not verifies(world, receipts[2], old)
    assert verifies(world, receipts[0], old) and not verifies(world, receipts[0], new)
    assert announced(world) == [new]
    # The verifier of the whole log is told of both: each signed a part.
    (first.folder / "verifier.key").write_text(f"{old}\n{new}\n")
    world.verify()
    world.check_logs()


def sealed_under(world, index):
    """The id of the subject key that sealed an entry."""
    return world.first.psql(f"SELECT encode(substr(subject_sealed, 1, 4), 'hex') FROM registry.log_entry WHERE idx = {index}")


def test_a_new_subject_key(world):
    first = world.first
    auditor = People(world.admin).auditor()
    before = world.head()[2] - 1
    path = pathlib.Path(world.anchor).parent / "keyring.json"
    about = path.stat()
    rotate(world, "--subject")
    assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode) == (about.st_uid, about.st_gid, about.st_mode)
    restart(world)
    assert serves(world.admin)
    after = world.head()[2] - 1
    keyring = json.loads(path.read_text())
    assert [key["id"] for key in keyring["subject_keys"]] == [sealed_under(world, before), sealed_under(world, after)]
    assert keyring["current"]["subject_key"] == sealed_under(world, after)
    for index in (before, after):
        assert json.loads(auditor.get(f"/v1/log/entries/{index}")["subject"])["address"] == "127.0.0.1"
    assert announced(world) == []
    world.verify()
    world.check_logs()


def test_two_who_rotate_at_once(world):
    """Each key is there, or its rotation was refused: none is lost."""
    first = world.first
    path = pathlib.Path(world.anchor).parent / "keyring.json"

    def once(_):
        return first.tool("keys", "rotate", "--config", first.configuration, "--subject").returncode
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(once, range(16)))
    assert set(statuses) <= {0, 1} and 0 in statuses
    keyring = json.loads(path.read_text())
    assert len(keyring["subject_keys"]) == 1 + statuses.count(0)
    assert not [name for name in path.parent.iterdir() if name.name.endswith(".new")]
