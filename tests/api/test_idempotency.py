# SPDX-License-Identifier: Apache-2.0
"""The Idempotency-Key: one effect however often a request is repeated."""

import concurrent.futures
import uuid

import pytest

from client import ANY, today
from instance import wait_for


def test_repeated_registration(manufacturer, dealer, registry):
    row = registry.row(manufacturer, registry.codes(manufacturer)[0], dealer.organization["licence"])
    body, key = {"mode": "atomic", "firearms": [row]}, uuid.uuid4().hex
    first = manufacturer.post("/v1/firearms", body, idempotency=key)
    again = manufacturer.post("/v1/firearms", body, idempotency=key)
    assert again.body == first.body and again.status == first.status
    assert again.headers["Request-Id"] != first.headers["Request-Id"]


def test_repeated_code_block_gives_the_same_codes(manufacturer):
    key = uuid.uuid4().hex
    first, again = (manufacturer.post("/v1/code-blocks", {"count": 5, "scheme": "R29-8"}, idempotency=key)
                    for _ in range(2))
    assert first.body == again.body


def test_repeated_sale_and_delivery(manufacturer, dealer, registry):
    firearm = registry.register(manufacturer, dealer)
    body, key = registry.sale(firearm, delivered_on=None), uuid.uuid4().hex
    first = dealer.post("/v1/sales", body, idempotency=key)
    assert dealer.post("/v1/sales", body, idempotency=key).body == first.body
    key = uuid.uuid4().hex
    path = f"/v1/sales/{first['id']}/delivery"
    delivered = dealer.post(path, {"delivered_on": today(-3)}, idempotency=key)
    assert dealer.post(path, {"delivered_on": today(-3)}, idempotency=key).body == delivered.body
    dealer.post(path, {"delivered_on": today(-3)}, expect="sale_not_pending")


def test_repeated_trace(manufacturer, dealer, investigator, registry):
    firearm = registry.register(manufacturer, dealer)
    dealer.post("/v1/sales", registry.sale(firearm))
    body, key = registry.trace(firearm.code), uuid.uuid4().hex
    first = investigator.post("/v1/traces", body, idempotency=key)
    again = investigator.post("/v1/traces", body, idempotency=key)
    assert again["id"] == first["id"] and again["candidates"] == first["candidates"]
    assert again["receipt"]["entry"] > first["receipt"]["entry"], "an entry of its own"
    other = investigator.post("/v1/traces", body)
    assert other["id"] != first["id"]


def test_a_repetition_is_an_entry_that_names_the_first(manufacturer, auditor, admin):
    key = uuid.uuid4().hex
    replies = [manufacturer.post("/v1/code-blocks", {"count": 1, "scheme": "R29-8"}, idempotency=key) for _ in range(2)]
    path = f"/v1/log/entries?account={manufacturer.account['id']}&operation=create_code_block"
    entries = wait_for(lambda: (rows := auditor.get(path)["data"]) and len(rows) == 2 and rows, 10, "two entries")
    assert [e["request_id"] for e in entries] == [r.headers["Request-Id"] for r in reversed(replies)]
    assert [e["outcome"] for e in entries] == ["replayed", "ok"], [auditor.get(f"/v1/log/entries/{e['index']}")["header"] for e in entries]
    replayed = auditor.get(f"/v1/log/entries/{entries[0]['index']}")
    assert str(entries[1]["index"]) in replayed["header"] + (replayed["subject"] or "")


def test_another_request_under_the_key(manufacturer):
    key = uuid.uuid4().hex
    manufacturer.post("/v1/code-blocks", {"count": 1, "scheme": "R29-8"}, idempotency=key)
    manufacturer.post("/v1/code-blocks", {"count": 2, "scheme": "R29-8"}, idempotency=key, expect="idempotency_mismatch")
    # The key belongs to an operation and an account: elsewhere it is another key.
    manufacturer.post("/v1/models", {"name": "Model K"}, idempotency=key)


def test_keys_of_two_accounts_do_not_meet(people):
    key = uuid.uuid4().hex
    one, two = people.manufacturer(), people.manufacturer()
    blocks = [account.post("/v1/code-blocks", {"count": 1, "scheme": "R29-8"}, idempotency=key) for account in (one, two)]
    assert blocks[0]["codes"] != blocks[1]["codes"]


def test_refusals_leave_nothing(manufacturer, dealer, registry):
    key = uuid.uuid4().hex
    row = registry.row(manufacturer, "00000001", dealer.organization["licence"])
    manufacturer.post("/v1/firearms", {"mode": "atomic", "firearms": [row]}, idempotency=key, expect=422)
    row["marks"][0]["code"] = registry.codes(manufacturer)[0]
    manufacturer.post("/v1/firearms", {"mode": "atomic", "firearms": [row]}, idempotency=key)


def test_required_and_refused(manufacturer, admin):
    manufacturer.post("/v1/code-blocks", {"count": 1, "scheme": "R29-8"}, idempotency=None,
                      expect="idempotency_key_required")
    admin.post(f"/v1/accounts/{manufacturer.account['id']}/keys", {"name": "x"}, idempotency="k",
               expect="idempotency_key_refused")


@pytest.mark.parametrize("key", ["k" * 129, "a b", "tab\there", "ö".encode().decode("latin-1")])
def test_malformed_keys(manufacturer, key):
    reply = manufacturer.post("/v1/code-blocks", {"count": 1, "scheme": "R29-8"}, idempotency=key, expect=400)
    assert reply.code in ("invalid_request", "malformed_http")


def test_a_hundred_at_once_have_one_effect(people, registry):
    manufacturer, key = people.manufacturer(), uuid.uuid4().hex
    body = {"count": 3, "scheme": "R29-8"}

    def ask(_):
        reply = manufacturer.call("POST", "/v1/code-blocks", body, idempotency=key, expect=ANY)
        # Those that had to wait too long are told so; repeated, they get the same outcome.
        while reply.code == "idempotency_in_flight":
            reply = manufacturer.call("POST", "/v1/code-blocks", body, idempotency=key, expect=ANY)
        return reply

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        replies = list(pool.map(ask, range(100)))
    assert {reply.status for reply in replies} == {201}
    assert len({reply.content for reply in replies}) == 1

