# SPDX-License-Identifier: Apache-2.0
"""Consistency proofs, and receipts as files."""

import base64
import os

import pytest

import tlog
from client import ANY
from instance import TOP

KNOWN = TOP / "tests/data/kat/log300"


def test_the_checker_itself():
    """All known proofs up to size 40 hold, and none does with a hash changed, missing or too many."""
    roots = dict(line.split() for line in (KNOWN / "roots.txt").read_text().splitlines())
    roots = {int(size): base64.b64decode(root) for size, root in roots.items()}
    cases = [line.split() for line in (KNOWN / "cons.txt").read_text().splitlines()]
    assert len(cases) > 700
    for new, old, *proof in cases:
        old, new, proof = int(old), int(new), [base64.b64decode(text) for text in proof]
        tlog.check_consistency(old, roots[old], new, roots[new], proof)
        wrong = [proof[:-1], [*proof, roots[1]], [*proof[:-1], roots[300]]] if proof else [[roots[1]]]
        for spoilt in wrong:
            with pytest.raises(ValueError):
                tlog.check_consistency(old, roots[old], new, roots[new], spoilt)


def checkpoint_of(reply, key):
    return tlog.Checkpoint(reply["tlog_proof"].partition("\n\n")[2], key)


def hashes(reply):
    return [base64.b64decode(text, validate=True) for text in reply["proof"]]


@pytest.fixture
def checkpoints(auditor, verifier_key):
    """Some that were signed one after the other."""
    found = []
    for _ in range(6):
        index = auditor.get("/v1/me").headers["Access-Log-Entry"]
        found.append(checkpoint_of(auditor.get(f"/v1/log/receipts/{index}"), verifier_key))
    return sorted({c.size: c for c in found}.values(), key=lambda c: c.size)


def test_between_any_two_checkpoints(auditor, checkpoints):
    assert len(checkpoints) > 2
    for old in checkpoints:
        for new in checkpoints:
            if old.size > new.size:
                continue
            reply = auditor.get(f"/v1/log/consistency?from={old.size}&to={new.size}")
            assert (reply["from"], reply["to"]) == (old.size, new.size)
            tlog.check_consistency(old.size, old.root, new.size, new.root, hashes(reply))
            if old.size < new.size:
                with pytest.raises(ValueError):
                    tlog.check_consistency(old.size, new.root, new.size, new.root, hashes(reply))


def test_up_to_the_newest(auditor, checkpoints, verifier_key):
    old = checkpoints[0]
    reply = auditor.get(f"/v1/log/consistency?from={old.size}")
    newest = tlog.Checkpoint(reply["checkpoint"], verifier_key)
    assert newest.size == reply["to"] > checkpoints[-1].size
    tlog.check_consistency(old.size, old.root, newest.size, newest.root, hashes(reply))
    assert auditor.get(f"/v1/log/consistency?from={old.size}&to={checkpoints[1].size}")["checkpoint"] is None
    assert auditor.get("/v1/log/consistency?from=0")["proof"] == []


@pytest.mark.parametrize("query, pointer", [
    ("", "/query/from"), ("to=1", "/query/from"), ("from=x", "/query/from"), ("from=-1", "/query/from"), ("from=1&to=1.5", "/query/to"),
    ("from=1&to=", "/query/to"), ("from=2&to=1", "/query/from"), ("from=1&to=999999999", "/query/to"), ("from=999999999", "/query/from"),
    ("from=999999999&to=9999999999", "/query/to"), ("from=1&to=9007199254740992", "/query/to"),
    ("from=18446744073709551617", "/query/from"), ("from=1&size=2", "/query/size"), ("from=1&from=2", "/query/from")])
def test_what_is_refused_names_the_field(auditor, query, pointer):
    reply = auditor.get("/v1/log/consistency?" + query, expect="invalid_request")
    assert [error["pointer"] for error in reply["errors"]] == [pointer]


def test_of_what_is_not_signed_nothing_is_proved(auditor):
    """One more than the newest: this very request is signed only when it is answered."""
    index = int(auditor.get("/v1/me").headers["Access-Log-Entry"])
    auditor.get(f"/v1/log/consistency?from=1&to={index + 1}")
    auditor.get(f"/v1/log/consistency?from=1&to={index + 10_000}", expect="invalid_request")


def test_who_holds_receipts_may_ask(people, auditor):
    for role, kind in (("investigator", "agency"), ("supervisor", "agency"), ("reviewer", "agency"), ("examiner", "laboratory")):
        asker = people.account(people.organization(kind), role)
        index = asker.get("/v1/log/consistency?from=1").headers["Access-Log-Entry"]
        entry = auditor.get(f"/v1/log/entries/{index}")
        assert '"operation":"get_log_consistency"' in entry["header"] and f'"role":"{role}"' in entry["header"]
        assert '"from":1' in entry["subject"]
    people.dealer().get("/v1/log/consistency?from=1", expect="forbidden")


# ---- receipts as files -------------------------------------------------------------------------------


def test_json_unless_asked_otherwise(auditor, verifier_key):
    for accept in (None, "*/*", "application/json", "text/plain;q=0.5, application/json", "text/html", "application/json, text/plain"):
        reply = auditor.get("/v1/log/receipts/0", headers={"Accept": accept})
        assert reply.headers["Content-Type"] == "application/json" and "Content-Disposition" not in reply.headers
        assert tlog.Receipt(reply["tlog_proof"], verifier_key).index == 0
    assert auditor.get("/v1/log/receipts/0?format=json", headers={"Accept": "text/plain"})["entry"] == 0


@pytest.mark.parametrize("query, accept", [("?format=tlog-proof", None), ("?format=tlog-proof", "application/json"), ("", "text/plain"),
                                           ("", "text/plain, */*;q=0.1")])
def test_as_a_file(auditor, verifier_key, casetrace, query, accept):
    index = int(auditor.get("/v1/me").headers["Access-Log-Entry"])
    reply = auditor.get(f"/v1/log/receipts/{index}{query}", headers={"Accept": accept})
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert reply.headers["Content-Disposition"] == f'attachment; filename="entry-{index}.tlog-proof"'
    receipt = tlog.Receipt(reply.body, verifier_key)
    assert receipt.index == index
    lines = reply.body.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1" and lines[1].startswith("extra ") and lines[2] == f"index {index}"
    assert reply.body.endswith("\n") and "\r" not in reply.body
    assert casetrace.verify_receipt(reply.body).returncode == 0


def test_refusals_are_problems_all_the_same(auditor):
    auditor.get("/v1/log/receipts/999999999?format=tlog-proof", expect="not_found")
    reply = auditor.get("/v1/log/receipts/0?format=pdf", expect="invalid_request")
    assert reply["errors"][0]["pointer"] == "/query/format"


def test_the_tool_saves_it(casetrace, auditor):
    """As it came, to a new file, which the offline check takes."""
    index = int(auditor.get("/v1/me").headers["Access-Log-Entry"])
    folder = casetrace.folder / "keys/keeper"  # the tool runs as the keeper's user
    login, file = folder / "auditor.key", folder / f"entry-{index}.tlog-proof"
    login.write_text(auditor.key)
    os.chmod(login, 0o600)
    owner = (casetrace.folder / "keys/keeper/anchor").stat()
    os.chown(login, owner.st_uid, owner.st_gid)
    options = ["--url", casetrace.url, "--cacert", casetrace.certificate, "--key-file", login]
    done = casetrace.tool("log", "receipt", str(index), "--output", file, *options)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    vkey = (casetrace.folder / "verifier.key").read_text().splitlines()[0]
    assert casetrace.tool("log", "verify", "--vkey", vkey, "--receipt", file).returncode == 0
    again = casetrace.tool("log", "receipt", str(index), "--output", file, *options)
    assert again.returncode == 1 and "exists already" in again.stderr
    shown = casetrace.tool("log", "receipt", str(index), *options)
    assert shown.returncode == 0 and shown.stdout.startswith("c2sp.org/tlog-proof@v1\n")
    proof = casetrace.tool("log", "consistency", "--from", "1", *options)
    assert proof.returncode == 0 and '"proof"' in proof.stdout, proof.stderr
    file.unlink()
    login.unlink()
