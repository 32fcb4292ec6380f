# SPDX-License-Identifier: Apache-2.0
"""The access log: every request an entry, every entry provable, every alteration found."""

import base64
import json
import re

import pytest

import tlog
from client import ANY
from instance import TOP, wait_for

KNOWN = TOP / "tests/data/kat/log300"


def test_the_checker_itself():
    """Known answers: if this checker were wrong, what the others here say would be worth nothing."""
    key = tlog.VerifierKey((KNOWN / "vkeys.txt").read_text().splitlines()[0])
    proof = tlog.Proof((KNOWN / "receipt.tlog-proof").read_text())
    assert proof.check(b"entry 100", key).size == 300
    with pytest.raises(ValueError):
        proof.check(b"entry 101", key)
    known = {"header": '{"actor":"u1","op":"read","v":1}', "header_salt": "11" * 32, "subject_salt": "22" * 32,
             "subject": '{"subject":"1234567890"}',
             "d_subject": tlog.commitment(b"\x22" * 32, '{"subject":"1234567890"}').hex()}
    leaf = tlog.leaf_bytes(known)
    assert leaf.hex() == "01bb75a6faeaada289c5bf7e5b539264c8ca0d5371c480237fe8356d9b802dcfc5"
    assert tlog.leaf_hash(leaf).hex() == "2d180c084d60f248e6981b94a5f2ae0c6a696422f2c46c39e38694a39e7d79af"


def entries_of(auditor, path, count):
    return wait_for(lambda: (rows := auditor.get(path)["data"]) and len(rows) >= count and rows, 10, f"{count} entries")


def test_every_request_is_an_entry(people, auditor, manufacturer, investigator, registry):
    replies = [manufacturer.get("/v1/me"), manufacturer.post("/v1/code-blocks", {"count": 1, "scheme": "R29-8"}),
               manufacturer.post("/v1/code-blocks", {"count": 0, "scheme": "R29-8"}, expect="validation_failed"),
               manufacturer.get("/v1/firearms?limit=0", expect="invalid_request"),
               manufacturer.get("/v1/sales", expect="forbidden"), manufacturer.get("/v1/models")]
    entries = entries_of(auditor, "/v1/log/entries?account=" + manufacturer.account["id"], len(replies))
    assert [e["request_id"] for e in reversed(entries)] == [r.headers["Request-Id"] for r in replies]
    assert [e["status"] for e in reversed(entries)] == [r.status for r in replies]
    assert [e["outcome"] for e in reversed(entries)] == [r.code or "ok" for r in replies]
    assert {e["licence"] for e in entries} == {manufacturer.organization["licence"]}
    question = registry.trace("0" * 8)
    investigator.post("/v1/traces", question)
    entry = entries_of(auditor, "/v1/log/entries?case_number=" + question["case_number"], 1)[0]
    assert (entry["purpose"], entry["role"], entry["operation"]) == ("C", "investigator", "create_trace")


def test_reading_the_log_is_an_entry(auditor, people):
    reply = auditor.get("/v1/log/entries?limit=1")
    index = int(reply.headers["Access-Log-Entry"])
    other = people.auditor()
    entry = other.get(f"/v1/log/entries/{index}")
    assert json.loads(entry["header"])["request_id"] == reply.headers["Request-Id"]


def test_an_entry_rebuilds_its_leaf_and_its_receipt_holds(auditor, investigator, registry, verifier_key):
    question = registry.trace("4H7K 2M9?")
    trace = investigator.post("/v1/traces", question)
    index = trace["receipt"]["entry"]
    entry = auditor.get(f"/v1/log/entries/{index}")
    assert tlog.leaf_hash(tlog.leaf_bytes(entry.body)).hex() == entry["leaf_hash"]
    header = json.loads(entry["header"])
    assert entry["header"] == json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False), "sorted, compact"
    assert header["v"] == 1 and header["case_number"] == question["case_number"] and header["status"] == 201
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", header["time"])
    assert json.loads(entry["subject"]), "what was asked"
    assert question["specimens"][0]["marks"][0]["reading"] in entry["subject"]
    assert entry["batch"]["first"] <= index < entry["batch"]["first"] + entry["batch"]["count"]
    receipt = tlog.Receipt(auditor.get(f"/v1/log/receipts/{index}")["tlog_proof"], verifier_key)
    assert receipt.index == index and receipt.extra["header"] == entry["header"]
    assert receipt.extra["d_subject"] == entry["d_subject"]


def test_receipts_of_old_entries(auditor, verifier_key):
    """Entry 0 has no batch of its own with newer ones: its proof comes out of stored hashes."""
    size = int(auditor.get("/v1/me").headers["Access-Log-Entry"])
    for index in sorted({0, 1, 2, 3, size // 3, size // 2, size - 1, size}):
        receipt = tlog.Receipt(auditor.get(f"/v1/log/receipts/{index}")["tlog_proof"], verifier_key)
        assert receipt.index == index and receipt.checkpoint.size > index
    auditor.get(f"/v1/log/receipts/{size + 10_000}", expect="not_found")
    auditor.get(f"/v1/log/entries/{size + 10_000}", expect="not_found")


def test_entry_0_is_the_beginning(auditor, verifier_key):
    header = json.loads(auditor.get("/v1/log/entries/0")["header"])
    assert header["operation"] == "init" and header["origin"] == verifier_key.name


def test_refused_trace_is_logged(auditor, investigator, registry):
    question = registry.trace("0" * 8, purpose="F")
    reply = investigator.post("/v1/traces", question, expect="purpose_refused")
    entry = entries_of(auditor, "/v1/log/entries?outcome=purpose_refused&account=" + investigator.account["id"], 1)[0]
    assert entry["request_id"] == reply.headers["Request-Id"] and entry["purpose"] == "F"


def test_control_characters_forge_nothing(auditor, investigator, registry, casetrace):
    forged = "26-1\n2026-01-01T00:00:00.000Z keeper[1] error: forged"
    investigator.post("/v1/traces", registry.trace("0" * 8, case_number=forged), expect="validation_failed")
    assert "forged" not in casetrace.log("daemon.log")


def test_published_checkpoint(nobody, verifier_key):
    reply = wait_for(lambda: (r := nobody.get("/log/checkpoint", expect=ANY)).status == 200 and r, 90, "a published checkpoint")
    checkpoint = tlog.Checkpoint(reply.body, verifier_key)
    assert checkpoint.size >= 1
    assert reply.headers["Content-Type"].startswith("text/plain")


def test_lists_can_be_filtered(auditor, manufacturer):
    reply = manufacturer.get("/v1/me")
    mine = "/v1/log/entries?account=" + manufacturer.account["id"]
    entry = entries_of(auditor, mine, 1)[0]
    assert entry["request_id"] == reply.headers["Request-Id"]
    for query in (f"&operation={entry['operation']}", f"&organization={manufacturer.organization['id']}", "&outcome=ok",
                  f"&from={entry['at']}"):
        assert [row["index"] for row in auditor.get(mine + query)["data"]] == [entry["index"]], query
    for query in ("&operation=create_trace", "&outcome=forbidden", f"&to={entry['at']}"):
        assert auditor.get(mine + query)["data"] == [], query


def test_verify_holds(casetrace, auditor):
    auditor.get("/v1/me")
    done = casetrace.verify_log()
    assert done.returncode == 0, done.stdout + done.stderr


# What somebody with all rights to the database might try, and how it is put back.
KEEP = "CREATE TABLE public.kept AS SELECT * FROM registry.{table} WHERE {where}"
ALTERATIONS = {  # table, the row, and what is done to it
    "a header is changed": (
        "log_entry", "idx = 1",
        "UPDATE registry.log_entry SET header = convert_to(replace(convert_from(header, 'UTF8'), "
        "'\"v\":1', '\"v\":2'), 'UTF8') WHERE idx = 1"),
    "a subject's commitment is changed": (
        "log_entry", "idx = 1", "UPDATE registry.log_entry SET d_subject = sha256('x') WHERE idx = 1"),
    "a leaf hash is changed": (
        "log_entry", "idx = 1", "UPDATE registry.log_entry SET leaf_hash = sha256('x') WHERE idx = 1"),
    "an entry is removed": ("log_entry", "idx = 1", "DELETE FROM registry.log_entry WHERE idx = 1"),
    "a batch is removed": ("log_batch", "first_idx = 1", "DELETE FROM registry.log_batch WHERE first_idx = 1"),
    "a root is changed": (
        "log_batch", "first_idx = 1", "UPDATE registry.log_batch SET root = sha256('x') WHERE first_idx = 1"),
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_every_alteration_is_found(casetrace, auditor, what):
    auditor.get("/v1/me")
    table, where, statement = ALTERATIONS[what]
    # Triggers that refuse changes do not stop a superuser who switches them off.
    override = "SET session_replication_role = replica; "
    casetrace.psql(override + KEEP.format(table=table, where=where))
    try:
        casetrace.psql(override + statement)
        done = casetrace.verify_log()
        assert done.returncode == 1, f"{what}: not found\n" + done.stdout
        assert done.stdout + done.stderr
    finally:
        casetrace.psql(override + f"DELETE FROM registry.{table} WHERE {where}; "
                       f"INSERT INTO registry.{table} SELECT * FROM public.kept; DROP TABLE public.kept")
    assert casetrace.verify_log().returncode == 0


def test_a_receipt_without_the_server(casetrace, investigator, registry):
    text = investigator.post("/v1/traces", registry.trace("0" * 8))["receipt"]["tlog_proof"]
    assert casetrace.verify_receipt(text).returncode == 0
    lines = text.split("\n")
    extra = json.loads(base64.b64decode(lines[1][6:]))
    extra["header"] = extra["header"].replace('"v":1', '"v":2')
    lines[1] = "extra " + base64.b64encode(json.dumps(extra).encode()).decode()
    assert casetrace.verify_receipt("\n".join(lines)).returncode == 1
    assert casetrace.verify_receipt("").returncode != 0
    assert casetrace.verify_receipt(text[: len(text) // 2]).returncode != 0
