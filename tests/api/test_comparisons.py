# SPDX-License-Identifier: Apache-2.0
"""Does this casing fit this gun? Answered with one coarse number, and nothing that leads to the code or to a person."""

import math
import uuid

import pytest

from client import ANY, today

SHOWN = {0.1} | {factor * 10.0 ** n for n in range(12) for factor in (1, 3)}


def question(registry, firearm, *readings, **more):
    specimen = more.pop("specimen", {})
    body = {"firearm": getattr(firearm, "ref", firearm), **registry.trace("????????"), **more}
    del body["urgency"]
    body["specimens"] = [{"exhibit": f"E-{n}", "kind": "casing", "caliber": "9mm",
                          "marks": [{"placement": "firing_pin", "reading": reading}], **specimen}
                         for n, reading in enumerate(readings, 1)]
    return body


@pytest.fixture(scope="module")
def guns(people, registry):
    """Two pistols of one maker, one of them sold."""
    maker, dealer = people.manufacturer(), people.dealer()
    one, other = registry.register(maker, dealer, 2)
    dealer.post("/v1/sales", registry.sale(one, registry.purchaser(family_name="Neverseen")))
    return one, other


def wrong(code, *places):
    """Other characters there, none that is easily taken for the right one."""
    return "".join(("4" if c != "4" else "9") if n in places else c for n, c in enumerate(code))


def test_fits(guns, investigator, registry):
    one, other = guns
    asked = question(registry, one, one.code)
    answer = investigator.post("/v1/comparisons", asked)
    assert answer.status == 201 and answer["state"] == "supports" and answer["flags"] == []
    assert answer["likelihood_ratio"] in SHOWN and answer["likelihood_ratio"] >= 1e7
    assert answer["effective_characters"] == round(math.log(answer["likelihood_ratio"], 29), 1)
    assert answer["firearm"] == {"id": one.id} and answer["method"]["matrix"]
    for secret in (one.code, one.code[:4], "Neverseen", one.serial, "agreement"):
        assert secret not in answer.content.decode().split('"receipt"')[0]
    fewer = investigator.post("/v1/comparisons", question(registry, one, one.code[:5] + "???"))
    assert fewer["state"] == "supports" and 1 < fewer["likelihood_ratio"] < answer["likelihood_ratio"]
    # By id, and read again by the agency alone.
    by_id = investigator.post("/v1/comparisons", question(registry, {"id": one.id}, one.code))
    assert by_id["likelihood_ratio"] == answer["likelihood_ratio"]
    again = investigator.get("/v1/comparisons/" + answer["id"])
    assert again["likelihood_ratio"] == answer["likelihood_ratio"] and again["request"] == asked
    assert again["receipt"]["entry"] != answer["receipt"]["entry"]


def test_does_not_fit(guns, investigator, registry):
    one, other = guns
    answer = investigator.post("/v1/comparisons", question(registry, other, one.code))
    assert (answer["state"], answer["likelihood_ratio"], answer["effective_characters"]) == ("against", 0.1, 0)
    # However far from it: how many of its characters were right is not told.
    near, far = wrong(other.code, 0, 1, 2)[:4] + "????", wrong(other.code, *range(8))
    answers = [investigator.post("/v1/comparisons", question(registry, other, reading)) for reading in (near, far)]
    assert [(a["state"], a["likelihood_ratio"]) for a in answers] == [("against", 0.1)] * 2


def test_too_little_was_read(guns, investigator, registry):
    """Or a character could be tried at a time."""
    one, _ = guns
    choice = "".join("[" + c + "".join(o for o in "0123456789ACDE" if o != c) + "]" for c in one.code)
    for reading in (one.code[0] + "???????", one.code[:2] + "??????", choice, "????????"):
        answer = investigator.post("/v1/comparisons", question(registry, one, reading))
        assert (answer["state"], answer["likelihood_ratio"], answer["effective_characters"]) == ("insufficient", None, None), reading


def test_records_are_evidence(guns, people, registry):
    one, _ = guns
    investigator = people.investigator()
    plain = investigator.post("/v1/comparisons", question(registry, one, one.code))
    caliber = investigator.post("/v1/comparisons", question(registry, one, one.code, specimen={"caliber": ".45 ACP"}))
    assert [flag["code"] for flag in caliber["flags"]] == ["caliber_mismatch"]
    assert caliber["likelihood_ratio"] < plain["likelihood_ratio"]
    before = investigator.post("/v1/comparisons", question(registry, one, one.code, incident={"from": today(-900), "to": today(-900)}))
    assert {flag["code"] for flag in before["flags"]} == {"not_yet_made", "part_replaced"}
    assert before["likelihood_ratio"] < plain["likelihood_ratio"]


def test_several_casings_are_of_one_gun(guns, people, registry):
    one, other = guns
    investigator = people.investigator()
    alone = investigator.post("/v1/comparisons", question(registry, one, one.code[:4] + "????"))
    both = investigator.post("/v1/comparisons", question(registry, one, one.code[:4] + "????", "????" + one.code[4:]))
    assert both["likelihood_ratio"] > alone["likelihood_ratio"]
    torn = investigator.post("/v1/comparisons", question(registry, other, one.code, one.code))
    assert torn["state"] == "against"


def test_which_firearm(guns, people, registry):
    one, _ = guns
    investigator = people.investigator()
    for missing in ({"id": "frm_" + "0" * 32}, {"maker": one.maker, "serial": "NO SUCH"}):
        refused = investigator.post("/v1/comparisons", question(registry, missing, one.code), expect="not_found")
        assert refused["errors"][0]["pointer"] == "/firearm"
    maker, dealer = people.manufacturer(), people.dealer()
    rows = [registry.row(maker, code, dealer.organization["licence"], serial="TWICE 1", **more)
            for code, more in zip(registry.codes(maker, 2), ({}, {"importer": "3-33-333-08-9A-33333"}))]
    maker.post("/v1/firearms", {"mode": "atomic", "firearms": rows})
    ref = {"maker": maker.organization["licence"], "serial": "TWICE 1"}
    refused = investigator.post("/v1/comparisons", question(registry, ref, one.code), expect="ambiguous")
    assert len(refused["errors"]) == 2
    code = rows[1]["marks"][0]["code"]
    answer = investigator.post("/v1/comparisons", question(registry, {**ref, "importer": "3-33-333-08-9A-33333"}, code))
    assert answer["state"] == "supports"


def test_only_so_many_a_day(guns, people, registry):
    """Whoever sends reading after reading to bisect a code is stopped, and others of the agency with him."""
    one, other = guns
    investigator = people.investigator()
    for n in range(20):
        investigator.post("/v1/comparisons", question(registry, other, one.code))
    refused = investigator.post("/v1/comparisons", question(registry, other, other.code), expect="comparison_limit")
    assert refused.status == 429 and int(refused.headers["Retry-After"]) > 0
    colleague = people.account(investigator.organization, "investigator")
    colleague.post("/v1/comparisons", question(registry, {"id": other.id}, other.code), expect="comparison_limit")
    assert investigator.post("/v1/comparisons", question(registry, one, one.code))["state"] == "supports"
    people.investigator().post("/v1/comparisons", question(registry, other, other.code))


def test_who_may(guns, people, registry, auditor):
    one, _ = guns
    asked = question(registry, one, one.code)
    laboratory = people.account(people.organization("laboratory"), "examiner")
    answer = laboratory.post("/v1/comparisons", asked)
    assert answer["state"] == "supports"
    for client in (people.dealer(), people.manufacturer(), auditor):
        client.post("/v1/comparisons", asked, expect="forbidden")
    people.investigator().get("/v1/comparisons/" + answer["id"], expect="not_found")
    entry = auditor.get(f"/v1/log/entries/{answer['receipt']['entry']}").body
    assert '"create_comparison"' in entry["header"] and asked["case_number"] in entry["header"]
    assert one.code in entry["subject"] and one.id in entry["subject"]


def test_refused(guns, investigator, registry):
    one, _ = guns
    for missing in ("case_number", "purpose", "offense", "incident", "specimens", "firearm"):
        asked = question(registry, one, one.code)
        del asked[missing]
        investigator.post("/v1/comparisons", asked, expect="validation_failed")
    investigator.post("/v1/comparisons", question(registry, one, one.code, purpose="F"), expect="purpose_refused")
    refused = investigator.post("/v1/comparisons", question(registry, one, one.code, "4H7K2M9€"), expect=422)
    assert refused["errors"][0]["pointer"].startswith("/specimens/1/marks/0/reading")
    investigator.post("/v1/comparisons", question(registry, one, one.code, incident={"from": today(-1), "to": today(-2)}),
                      expect="date_out_of_order")


def test_repeated(guns, people, registry):
    one, _ = guns
    investigator = people.investigator()
    asked, key = question(registry, one, one.code), uuid.uuid4().hex
    first, second = (investigator.post("/v1/comparisons", asked, idempotency=key) for _ in range(2))
    assert first["id"] == second["id"] and first["likelihood_ratio"] == second["likelihood_ratio"]
    assert first["receipt"]["entry"] != second["receipt"]["entry"]
    investigator.post("/v1/comparisons", question(registry, one, "????????"), idempotency=key, expect="idempotency_mismatch")


def test_opaque(people, registry):
    maker, dealer, investigator = people.manufacturer(), people.dealer(), people.investigator()
    row = registry.row(maker, None, dealer.organization["licence"])
    row["marks"] = [{"placement": "firing_pin", "scheme": "opaque", "code": "CMP-Q7Z31"}]
    ref = {"maker": maker.organization["licence"], "serial": row["serial"]}
    maker.post("/v1/firearms", {"mode": "atomic", "firearms": [row]})
    body = question(registry, ref, "CMPQ7Z31")
    body["specimens"][0]["marks"][0]["scheme"] = "opaque"
    answer = investigator.post("/v1/comparisons", body, expect=ANY)
    assert answer["state"] == "supports", answer
    body["specimens"][0]["marks"][0]["reading"] = "XYZ48A5B"
    assert investigator.post("/v1/comparisons", body)["state"] == "against"
