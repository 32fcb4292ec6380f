# SPDX-License-Identifier: Apache-2.0
"""What an account and its agency may spend on traces a day, what is found by counting, and that none of it
is lost with the keeper."""

import concurrent.futures
import os
import signal
import tempfile

import pytest

import tlog
from client import ANY, Api, Client, People, Registry
from instance import Instance, wait_for

NOBODYS = "0000 0001"  # not a word of the scheme


@pytest.fixture(scope="module")
def small(contract):
    """An instance on which a day is soon spent."""
    with tempfile.TemporaryDirectory(prefix="casetrace-budget-") as folder:
        os.chmod(folder, 0o755)
        instance = Instance(folder, settings=["keeper.trace_budget_account=25", "keeper.trace_budget_agency=60",
                                              "keeper.trace_no_match_limit=22"])
        try:
            instance.start()
            yield instance
            verified = instance.verify_log()
            assert verified.returncode == 0, verified.stdout + verified.stderr
        finally:
            instance.stop()


@pytest.fixture(scope="module")
def world(small, contract):
    class World:
        api = Api(small, contract, tlog.VerifierKey((small.folder / "verifier.key").read_text().splitlines()[0]))
        people = People(Client(api, small.administrator_key))
        registry = Registry()
        auditor = people.auditor()
        firearm = registry.register(people.manufacturer(), people.dealer())
    return World


def log_size(world):
    return world.auditor.get("/v1/log/entries?limit=1").headers["Access-Log-Entry"]


def findings(world, **wanted):
    query = "&".join(f"{name}={value}" for name, value in wanted.items())
    return world.auditor.get("/v1/log/findings?" + query)["data"]


def found(world, **wanted):
    return wait_for(lambda: findings(world, **wanted), 10, f"the finding {wanted}")


def test_never_overspent(small, world):
    """64 at once: exactly as many answers as there are units, and what is refused leaves nothing."""
    client = world.people.investigator()
    before = int(log_size(world))

    def ask(_):
        return client.call("POST", "/v1/traces", world.registry.trace(world.firearm.code), expect=ANY)

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        replies = list(pool.map(ask, range(128)))
    assert sorted({reply.status for reply in replies}) == [201, 429]
    assert sum(reply.status == 201 for reply in replies) == 25
    refused = next(reply for reply in replies if reply.status == 429)
    assert refused.code == "budget_spent" and "renews at" in refused["detail"] and "T00:00:00" in refused["detail"]
    assert 0 < int(refused.headers["Retry-After"]) <= 86400
    assert "Access-Log-Entry" not in refused.headers
    assert int(log_size(world)) == before + 26  # those answered, and the question that counted them
    assert small.psql("SELECT count(*) FROM registry.trace WHERE account_id = "
                      f"'{client.account['id'][4:]}'").strip() == "25"
    assert 'casetrace_answers_total{outcome="budget_spent"}' in small.metrics()
    # What else the account does is not of this budget.
    client.get("/v1/traces")
    row = found(world, kind="budget_spent", account=client.account["id"])[0]
    assert row["count"] == 25 and row["entries"]["last"] - row["entries"]["first"] == 24


def test_an_agency_spends_together(world):
    agency = world.people.organization("agency")
    clients = [world.people.account(agency, "investigator") for _ in range(3)]
    answered = [sum(client.call("POST", "/v1/traces", world.registry.trace(world.firearm.code), expect=ANY).status == 201
                    for _ in range(26)) for client in clients]
    assert answered == [25, 25, 10]
    row = found(world, kind="agency_budget_spent", organization=agency["id"])[0]
    assert row["account"] is None and row["count"] == 60


def test_comparisons_are_of_the_same_budget(world):
    client = world.people.investigator()
    other = world.registry.register(world.people.manufacturer(), world.people.dealer())
    answered = 0
    for firearm, count in ((world.firearm, 14), (other, 14)):
        for _ in range(count):
            asked = {**world.registry.trace(firearm.code), "firearm": firearm.ref}
            del asked["urgency"]
            answered += client.post("/v1/comparisons", asked, expect=ANY).status == 201
    assert answered == 25
    client.post("/v1/traces", world.registry.trace(world.firearm.code), expect="budget_spent")


def test_what_is_refused_costs_nothing(world):
    client = world.people.investigator()
    for _ in range(30):
        client.post("/v1/traces", world.registry.trace("not a reading"), expect="reading_invalid")
        client.post("/v1/traces", {**world.registry.trace(world.firearm.code), "purpose": "D"}, expect="purpose_refused")
    question = world.registry.trace(world.firearm.code)
    for _ in range(30):  # and what is repeated costs once
        client.post("/v1/traces", question, idempotency="the-same")
    answered = sum(client.call("POST", "/v1/traces", world.registry.trace(world.firearm.code), expect=ANY).status == 201
                   for _ in range(30))
    assert answered == 24


def test_new_readings_cost_as_much(world):
    client = world.people.investigator()
    question = world.registry.trace(world.firearm.code)
    trace = client.post("/v1/traces", question)
    body = {"specimens": question["specimens"], "reason": "again"}
    path = f"/v1/traces/{trace['id']}/readings"
    client.post("/v1/traces/trc_" + "0" * 32 + "/readings", body, expect="not_found")
    answered = sum(client.call("POST", path, body, expect=ANY).status == 201 for _ in range(30))
    assert answered == 24
    client.post(path, body, expect="budget_spent")


def test_no_match(small, world):
    client = world.people.investigator()
    for number in range(22):
        assert client.post("/v1/traces", world.registry.trace(NOBODYS))["state"] == "no_match", number
        if number == 18:
            assert findings(world, account=client.account["id"]) == []
    refused = client.post("/v1/traces", world.registry.trace(world.firearm.code), expect="no_match_limit")
    assert refused.status == 429 and 0 < int(refused.headers["Retry-After"]) <= 86400
    found(world, kind="no_match_limit", account=client.account["id"])
    row = found(world, kind="no_match", account=client.account["id"])[0]
    assert row["count"] == 20 and row["organization"] == client.organization["id"]
    # The entries between which it happened say what was asked.
    entry = world.auditor.get(f"/v1/log/entries/{row['entries']['last']}")
    assert client.account["id"] in entry["header"]

    # A keeper that begins again knows the day, and finds nothing twice.
    killed = small.keeper_pid
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: small.keeper_pid != killed, 20, "another keeper")
    small.wait_ready()
    client.post("/v1/traces", world.registry.trace(world.firearm.code), expect="no_match_limit")
    assert len(findings(world, account=client.account["id"])) == 2


def test_wildcards_in_bulk(world):
    client = world.people.investigator()
    for _ in range(20):
        client.post("/v1/traces", world.registry.trace(world.firearm.code[:6] + "??"))
    found(world, kind="wildcards_in_bulk", account=client.account["id"])


def test_findings_are_for_auditors_and_their_reading_is_logged(world):
    reply = world.auditor.get("/v1/log/findings?kind=no_match")
    entry = world.auditor.get(f"/v1/log/entries/{reply.headers['Access-Log-Entry']}")
    assert '"operation":"list_findings"' in entry["header"]
    for person in (world.people.investigator(), world.people.admin):
        person.get("/v1/log/findings", expect="forbidden")
    world.auditor.get("/v1/log/findings?cursor=x", expect="invalid_request")
    assert world.auditor.pages("/v1/log/findings?limit=1") == findings(world, limit=200)
