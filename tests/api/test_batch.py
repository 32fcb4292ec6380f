# SPDX-License-Identifier: Apache-2.0
"""What shares a batch: races have one winner, a poisoned request fails alone."""

import concurrent.futures
import json

from client import ANY
from instance import wait_for


def metric(nobody, name):
    for line in nobody.get("/metrics").body.splitlines():
        if line.startswith(f"casetrace_{name} "):
            return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


def test_a_hundred_sales_of_one_firearm(people, registry):
    maker, dealer, police = people.manufacturer(), people.dealer(), people.investigator()
    firearm = registry.register(maker, dealer)
    bodies = [registry.sale(firearm) for _ in range(100)]
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        replies = list(pool.map(lambda body: dealer.post("/v1/sales", body, expect=ANY), bodies))
    won = [body for body, reply in zip(bodies, replies) if reply.status == 201]
    assert len(won) == 1
    assert {reply.code for reply in replies if reply.status != 201} == {"already_sold"}
    first = police.post("/v1/traces", registry.trace(firearm.code))["candidates"][0]["first_purchaser"]
    assert first["family_name"] == won[0]["purchaser"]["family_name"]
    assert len(dealer.pages("/v1/sales")) == 1


def test_a_hundred_registrations_of_one_serial(people, registry):
    """Rows of many requests that claim one serial: one stands, the others are told."""
    maker, dealer = people.manufacturer(), people.dealer()
    rows = [registry.row(maker, code, dealer.organization["licence"], serial="SAME 1") for code in registry.codes(maker, 100)]
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(lambda row: maker.post("/v1/firearms", {"mode": "atomic", "firearms": [row]}, expect=ANY), rows))
    assert sorted(reply.status for reply in replies) == [200] + [422] * 99
    assert len(maker.get("/v1/firearms?serial=SAME%201")["data"]) == 1


def test_many_blocks_share_no_code(people):
    makers = [people.manufacturer() for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        blocks = list(pool.map(lambda n: makers[n % 4].post("/v1/code-blocks", {"count": 200, "scheme": "R29-8"})["codes"], range(40)))
    codes = [code for block in blocks for code in block]
    assert len(set(codes)) == len(codes) == 8000


def test_a_poisoned_request_fails_alone(people, registry, casetrace, nobody, auditor):
    """The database refuses one row for no reason that we know: its request alone gets 500."""
    maker, dealer, police = people.manufacturer(), people.dealer(), people.investigator()
    firearms = registry.register(maker, dealer, 20)
    casetrace.expected_errors.append("poison|batch|internal")
    casetrace.psql("""
        CREATE FUNCTION public.poison() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.transaction_number = 'POISON' THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$;
        GRANT EXECUTE ON FUNCTION public.poison() TO PUBLIC; GRANT USAGE ON SCHEMA public TO casetrace_registry;
        CREATE TRIGGER poison BEFORE INSERT ON registry.sale FOR EACH ROW EXECUTE FUNCTION public.poison()""")
    before = metric(nobody, "batch_halvings_total")
    try:
        bodies = [registry.sale(f) for f in firearms]
        bodies[7]["transaction_number"] = "POISON"
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            sales = [pool.submit(dealer.post, "/v1/sales", body, expect=ANY) for body in bodies]
            traces = [pool.submit(police.post, "/v1/traces", registry.trace(f.code)) for f in firearms]
            replies = [future.result() for future in sales]
            assert all(future.result().status == 201 for future in traces)
    finally:
        casetrace.psql("DROP TRIGGER poison ON registry.sale; DROP FUNCTION public.poison(); "
                       "REVOKE USAGE ON SCHEMA public FROM casetrace_registry")
    assert [reply.status for reply in replies] == [500 if n == 7 else 201 for n in range(20)]
    assert replies[7].code == "internal"
    assert metric(nobody, "batch_halvings_total") >= before
    path = f"/v1/log/entries?account={dealer.account['id']}&outcome=internal"
    entry = wait_for(lambda: auditor.get(path)["data"], 10, "the poisoned request's entry")[0]
    assert entry["request_id"] == replies[7].headers["Request-Id"] and entry["status"] == 500
    # Its account runs alone for a while, and is served.
    dealer.post("/v1/sales", registry.sale(firearms[7]))


def test_mixed_load_keeps_its_promises(people, registry, api):
    """Reads, writes and refusals of many accounts in the same batches, each with its own answer."""
    maker, dealer, police = people.manufacturer(), people.dealer(), people.investigator()
    firearms = registry.register(maker, dealer, 60)
    receipts = api.receipts

    def sell_and_trace(firearm):
        body = registry.sale(firearm)
        dealer.post("/v1/sales", body)
        dealer.post("/v1/traces", {}, expect="forbidden")
        best = police.post("/v1/traces", registry.trace(firearm.code))["candidates"][0]
        assert best["firearm"]["serial"] == firearm.serial
        assert best["first_purchaser"]["family_name"] == body["purchaser"]["family_name"]
        police.post("/v1/traces", {"case_number": 1}, expect="validation_failed")
        assert maker.get("/v1/firearms/" + firearm.id)["serial"] == firearm.serial

    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        list(pool.map(sell_and_trace, firearms))
    assert api.receipts - receipts >= 60


def test_no_retries(nobody):
    """Deadlocks and serialization failures are expected to be zero."""
    assert metric(nobody, "batch_retries_total") == 0


def test_a_large_registration_beside_small_requests(people, registry):
    maker, dealer = people.manufacturer(), people.dealer()
    codes = registry.codes(maker, 2000)
    rows = [registry.row(maker, code, dealer.organization["licence"]) for code in codes]
    body = {"mode": "atomic", "firearms": rows}
    assert len(json.dumps(body)) < 8 << 20
    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        large = pool.submit(maker.post, "/v1/firearms", body)
        while not large.done():
            for future in [pool.submit(dealer.get, "/v1/me") for _ in range(8)]:
                future.result()
    assert large.result()["accepted"] == 2000
