# SPDX-License-Identifier: Apache-2.0
"""What must not be found: a purchaser in the database or a log, a key anywhere, data at the front."""

import os
import pathlib
import pwd
import subprocess

import pytest

from instance import wait_for

NAME, FAMILY = "Þórhildur-Žofie", "Unfindable-Fünfkirchen"
DOCUMENT, STREET = "UNFINDABLE0815", "4711 Unfindable Terrace"


@pytest.fixture(scope="module")
def traced(people, registry):
    maker, dealer, police = people.manufacturer(), people.dealer(), people.investigator()
    purchaser = {"given_name": NAME, "family_name": FAMILY, "other_names": "Unfindable-Tercera",
                 "date_of_birth": "1981-03-07",
                 "address": {"line1": STREET, "city": "Fresno", "state": "CA", "postal_code": "93701"},
                 "id_document": {"type": "driver_license", "number": DOCUMENT, "issuer": "CA"}}
    firearm = registry.register(maker, dealer)
    dealer.post("/v1/sales", registry.sale(firearm, purchaser), idempotency="privacy-sale")
    dealer.post("/v1/sales", registry.sale(firearm, purchaser), expect=409)
    trace = police.post("/v1/traces", registry.trace(firearm.code), idempotency="privacy-trace")
    assert trace["candidates"][0]["first_purchaser"]["family_name"] == FAMILY
    return maker, dealer, police, firearm


def dump(casetrace):
    state = dict(line.split("=", 1) for line in (casetrace.folder / ".casetrace-instance").read_text().splitlines())
    done = casetrace.as_keeper(state["pg_bin"] + "/pg_dump", "-h", state["socket"], "-U", "postgres", "casetrace",
                               check=True, capture_output=True)
    assert len(done.stdout) > 100_000
    return done.stdout


def test_no_purchaser_in_a_dump(casetrace, traced):
    text = dump(casetrace)
    for word in (NAME, FAMILY, DOCUMENT, STREET, "Unfindable-Tercera"):
        raw = word.encode()
        assert raw not in text, word
        # As bytea would show it, and as JSON would escape it.
        assert raw.hex().encode() not in text.lower(), word
        assert word.encode("unicode_escape") not in text or word.isascii(), word
    assert b"UNFINDABLE" not in text.upper().replace(b" ", b"")


def test_no_key_in_a_dump(casetrace, traced):
    text = dump(casetrace)
    for client in traced[:3]:
        assert client.key.encode() not in text
        assert client.key[4:].encode() not in text
    assert b"ctk_" not in text
    keyring = casetrace.as_keeper("cat", casetrace.folder / "keys/keeper/keyring.json", check=True, capture_output=True)
    secrets = [word for word in keyring.stdout.decode().split('"') if len(word) >= 40 and "/" not in word]
    assert secrets
    for secret in secrets:
        assert secret.encode() not in text


def test_nothing_in_the_operational_logs(casetrace, traced):
    firearm = traced[3]
    for name in ("daemon.log", "postgresql.log"):
        text = casetrace.log(name)
        for word in (NAME, FAMILY, DOCUMENT, STREET, firearm.code, *(client.key for client in traced[:3])):
            assert word not in text, (name, word)


def test_nothing_in_the_metrics(nobody, traced):
    text = nobody.get("/metrics").body
    for word in (FAMILY, traced[3].code, traced[3].serial):
        assert word not in text


def test_the_dealer_never_reads_the_purchaser_back(traced):
    dealer = traced[1]
    for path in ("/v1/sales", "/v1/sales?limit=1"):
        text = dealer.get(path).content.decode()
        assert FAMILY not in text and DOCUMENT not in text
    for sale in dealer.pages("/v1/sales"):
        assert FAMILY not in dealer.get("/v1/sales/" + sale["id"]).content.decode()


def test_log_entries_name_no_purchaser(auditor, traced):
    police = traced[2]
    path = f"/v1/log/entries?account={police.account['id']}&operation=create_trace"
    index = wait_for(lambda: auditor.get(path)["data"], 10, "the entry")[0]["index"]
    entry = auditor.get(f"/v1/log/entries/{index}")
    assert traced[3].serial in entry["subject"] or traced[3].id in entry["subject"], "says what was disclosed"
    for word in (NAME, FAMILY, DOCUMENT, STREET, police.key):
        assert word not in entry.content.decode()


# ---- the front -----------------------------------------------------------------------------------


def test_the_front_has_no_database(casetrace):
    def libraries(name):
        return subprocess.run(["ldd", casetrace.prefix / "libexec/casetrace" / name], check=True, capture_output=True,
                              text=True).stdout
    front, keeper = libraries("casetraced-front"), libraries("casetraced-keeper")
    assert "libmicrohttpd" in front and "libpq" not in front
    assert "libpq" in keeper and "libmicrohttpd" not in keeper
    if os.geteuid() == 0:
        # And what runs has loaded no more than that.
        assert "libpq" not in pathlib.Path(f"/proc/{casetrace.front_pid}/maps").read_text()


def test_the_front_knows_no_secret_path(casetrace):
    """Neither its environment nor its arguments nor its open files tell where the keys are; and only
    root can look there at all."""
    folder = pathlib.Path(f"/proc/{casetrace.front_pid}")
    if os.geteuid() != 0:
        with pytest.raises(PermissionError):
            (folder / "environ").read_bytes()
        return
    told = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
    files = [os.readlink(entry) for entry in (folder / "fd").iterdir()]
    assert b"keyring" not in told
    assert not [name for name in files if "keyring" in name or "anchor" in name or "PGSQL" in name]


@pytest.mark.parametrize("part", ["front", "keeper"])
def test_no_core_dumps_and_no_new_privileges(casetrace, part):
    pid = casetrace.part(part)
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert limits.split("Max core file size")[1].split()[0] == "0"


def test_two_users_or_a_warning(casetrace, nobody):
    separation = {check["name"]: check for check in nobody.get("/readyz")["checks"]}["separation"]
    front, keeper = casetrace.front_pid, casetrace.keeper_pid
    keyring = casetrace.folder / "keys/keeper/keyring.json"
    if os.geteuid() != 0:
        assert separation["state"] == "warning"
        return
    # /proc/PID belongs to root when a process may not be dumped: the user stands in its status.
    users = [int(pathlib.Path(f"/proc/{pid}/status").read_text().split("Uid:")[1].split()[0]) for pid in (front, keeper)]
    assert separation["state"] == "ok"
    assert [pwd.getpwuid(user).pw_name for user in users] == ["casetrace-front", "casetrace"]
    assert oct(keyring.stat().st_mode & 0o777) == "0o600" and keyring.stat().st_uid == users[1]
    for command in (["cat", keyring], ["ls", keyring.parent], ["ls", casetrace.folder / "run"], ["ls", casetrace.folder / "pg"]):
        tried = subprocess.run(["setpriv", f"--reuid={users[0]}", f"--regid={users[0]}", "--clear-groups", *map(str, command)],
                               capture_output=True)
        assert tried.returncode != 0, command
