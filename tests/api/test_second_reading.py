# SPDX-License-Identifier: Apache-2.0
"""The first traced reading of an exhibit is locked. Another one comes after the answer: it shows neither
code nor purchaser before a second examiner of the agency has confirmed it."""

import concurrent.futures
import json
import uuid

import pytest

from client import ANY


@pytest.fixture
def agency(people):
    return people.organization("agency")


@pytest.fixture
def detective(people, agency):
    return people.account(agency, "investigator")


@pytest.fixture
def examiner(people, agency):
    return people.account(agency, "examiner")


@pytest.fixture
def sold(manufacturer, dealer, registry):
    firearm = registry.register(manufacturer, dealer)
    firearm.purchaser = registry.purchaser()
    dealer.post("/v1/sales", registry.sale(firearm, firearm.purchaser))
    return firearm


def again(question, reading):
    """The same exhibit, read again."""
    specimen = {**question["specimens"][0], "marks": [{"placement": "firing_pin", "reading": reading}]}
    return {**question, "specimens": [specimen]}


def first_purchaser(trace):
    return trace["candidates"][0]["first_purchaser"]


def withheld(detective, registry, firearm):
    """A trace that is after the answer and identified."""
    question = registry.trace("????????")
    assert detective.post("/v1/traces", question)["state"] == "insufficient"
    trace = detective.post("/v1/traces", again(question, firearm.code))
    assert trace["after_answer"] is True and trace["state"] == "identified"
    return question, trace


def test_the_first_reading_is_locked(detective, registry, sold):
    code = sold.code
    question = registry.trace(code[:6] + "??")
    first = detective.post("/v1/traces", question)
    assert first["state"] == "identified" and first["after_answer"] is False
    assert first_purchaser(first)["family_name"] == sold.purchaser["family_name"]
    # Blanks, hyphens and small letters are the same reading; so is the very same request.
    for reading in (code[:6] + "??", code[:4].lower() + " - " + code[4:6].lower() + "??"):
        same = detective.post("/v1/traces", again(question, reading))
        assert same["after_answer"] is False and first_purchaser(same)["disclosed"] is True, reading
    # Anything else of the exhibit is not.
    for changed in (again(question, code), {**question, "specimens": [{**question["specimens"][0], "caliber": ".45 ACP"}]}):
        later = detective.post("/v1/traces", changed)
        assert later["after_answer"] is True
        assert first_purchaser(later) == {"disclosed": False, "reason": "second_examiner", "chain_complete": True}
        assert "code" not in later["candidates"][0]["mark"]
    # Another exhibit, another case, another agency: a first reading.
    other = again(question, code)
    other["specimens"][0]["exhibit"] = "E-2"
    assert detective.post("/v1/traces", other)["after_answer"] is False
    assert detective.post("/v1/traces", {**again(question, code), "case_number": question["case_number"] + "-b"})["after_answer"] is False


def test_another_agency_has_exhibits_of_its_own(detective, investigator, registry, sold):
    question = registry.trace("????????")
    detective.post("/v1/traces", question)
    assert investigator.post("/v1/traces", again(question, sold.code))["after_answer"] is False


def test_what_was_refused_locks_nothing(detective, registry, sold):
    question = registry.trace("not a reading")
    detective.post("/v1/traces", question, expect="reading_invalid")
    assert detective.post("/v1/traces", again(question, sold.code))["after_answer"] is False


def test_one_first_reading_among_many_at_once(people, agency, registry, sold):
    clients = [people.account(agency, "investigator") for _ in range(8)]
    question = registry.trace(sold.code)
    readings = [sold.code[:i] + "?" + sold.code[i + 1:] for i in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        traces = list(pool.map(lambda pair: pair[0].post("/v1/traces", again(question, pair[1])), zip(clients, readings)))
    assert sorted(trace["after_answer"] for trace in traces) == [False] + 7 * [True]
    assert sum(first_purchaser(trace)["disclosed"] for trace in traces) == 1


def test_exhibits_of_several_specimens_exclude_each_other(people, agency, registry, sold):
    """Each names two exhibits of three, with readings of its own: whoever comes second on either is after it."""
    clients = [people.account(agency, "investigator") for _ in range(6)]
    question = registry.trace(sold.code)

    def ask(number):
        specimens = [{**question["specimens"][0], "exhibit": f"E-{(number + i) % 3}",
                      "marks": [{"placement": "firing_pin", "reading": sold.code[:number] + "?" + sold.code[number + 1:]}]}
                     for i in range(2)]
        return clients[number].post("/v1/traces", {**question, "specimens": specimens})["after_answer"]

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(ask, range(6))) == [False] + 5 * [True]


def test_a_second_examiner_confirms(detective, examiner, auditor, registry, sold):
    _, trace = withheld(detective, registry, sold)
    path = f"/v1/traces/{trace['id']}"
    assert first_purchaser(detective.get(path))["disclosed"] is False
    key = uuid.uuid4().hex
    released = examiner.post(path + "/disclosures", {"reason": "read again and agreed"}, idempotency=key)
    shown = first_purchaser(released)
    assert shown["disclosed"] is True and shown["family_name"] == sold.purchaser["family_name"]
    assert released["id"] == trace["id"] and released["after_answer"] is True
    # An entry of its own says who saw whose sale.
    entry = auditor.get(f"/v1/log/entries/{released['receipt']['entry']}")
    touched = json.loads(entry["subject"])["touched"]
    assert touched["disclosed"].startswith("sal_") and touched["trace"] == trace["id"]
    assert '"disclosed":1' in entry["header"] and '"operation":"create_trace_disclosure"' in entry["header"]
    # Repeated under its key it is the same; read again, it shows the purchaser; once is enough.
    repeated = examiner.post(path + "/disclosures", {"reason": "read again and agreed"}, idempotency=key)
    assert first_purchaser(repeated) == shown
    assert first_purchaser(detective.get(path)) == shown
    examiner.post(path + "/disclosures", {"reason": "once more"}, expect="conflict")


def test_who_may_not_confirm(detective, people, agency, registry, sold):
    body = {"reason": "looks right"}
    both = people.account(agency, "investigator", "examiner")
    _, trace = withheld(both, registry, sold)
    path = f"/v1/traces/{trace['id']}/disclosures"
    both.post(path, body, expect="second_person_required")
    detective.post(path, body, expect="forbidden")
    other = people.account(people.organization("agency"), "supervisor")
    stranger = other.post(path, body, expect="not_found")
    missing = other.post("/v1/traces/trc_" + "0" * 32 + "/disclosures", body, expect="not_found")
    assert {k: v for k, v in stranger.body.items() if k != "request_id"} == {k: v for k, v in missing.body.items() if k != "request_id"}
    supervisor = people.account(agency, "supervisor")
    supervisor.post(path, {}, expect="validation_failed")
    supervisor.post(path, body, idempotency=None, expect="idempotency_key_required")
    assert first_purchaser(supervisor.post(path, body))["disclosed"] is True


def test_nothing_is_withheld(detective, examiner, registry, sold):
    first = detective.post("/v1/traces", registry.trace(sold.code))
    examiner.post(f"/v1/traces/{first['id']}/disclosures", {"reason": "x"}, expect="nothing_withheld")


def test_confirmed_once_among_many(detective, people, agency, registry, sold):
    _, trace = withheld(detective, registry, sold)
    examiners = [people.account(agency, "examiner") for _ in range(6)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda client: client.call("POST", f"/v1/traces/{trace['id']}/disclosures",
                                                           {"reason": "agreed"}, expect=ANY), examiners))
    assert sorted(reply.status for reply in replies) == [201] + 5 * [409]


def test_findings_are_listed(auditor):
    assert isinstance(auditor.get("/v1/log/findings?limit=5")["data"], list)


def test_a_new_version(detective, registry, sold):
    """Readings that are added make a version of their own and keep the one before."""
    question = registry.trace("????????")
    first = detective.post("/v1/traces", question)
    specimens = again(question, sold.code)["specimens"]
    second = detective.post(f"/v1/traces/{first['id']}/readings", {"specimens": specimens, "reason": "cleaned"})
    assert second["state"] == "identified" and second["after_answer"] is True and second["id"] != first["id"]
    assert first_purchaser(second) == {"disclosed": False, "reason": "second_examiner", "chain_complete": True}
    # Any version's id leads on; the newest is what the trace now says.
    third = detective.post(f"/v1/traces/{first['id']}/readings",
                           {"specimens": again(question, sold.code[:7] + "?")["specimens"], "reason": "less sure"})
    newest = detective.get(f"/v1/traces/{third['id']}")
    assert [v["version"] for v in newest["versions"]] in ([1, 2, 3], [3, 2, 1])
    assert newest["request"]["specimens"][0]["marks"][0]["reading"] == sold.code[:7] + "?"
    assert newest["request"]["case_number"] == question["case_number"]
    assert newest["request"]["offense"] == question["offense"]
    assert detective.get(f"/v1/traces/{second['id']}")["superseded"] is True


def test_a_version_of_what_is_not_there(detective, registry, sold):
    missing = "trc_" + 32 * "0"
    body = {"specimens": registry.trace(sold.code)["specimens"], "reason": "again"}
    assert detective.post(f"/v1/traces/{missing}/readings", body, expect=404)["code"] == "not_found"
    trace = detective.post("/v1/traces", registry.trace(sold.code))
    detective.post(f"/v1/traces/{trace['id']}/readings", {**body, "specimens": []}, expect=422)
    detective.post(f"/v1/traces/{trace['id']}/readings", {"specimens": body["specimens"]}, expect=422)
    body["specimens"][0]["marks"][0]["reading"] = "4H"
    body["specimens"][0]["marks"][0]["scheme"] = "R29-8"
    detective.post(f"/v1/traces/{trace['id']}/readings", body, expect=422)
    assert len(detective.get(f"/v1/traces/{trace['id']}")["versions"]) == 1
