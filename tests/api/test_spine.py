# SPDX-License-Identifier: Apache-2.0
"""Issue, register, ship, receive, sell, trace, prove: the whole way through the API."""

import pathlib
import re

from client import today
from instance import TOP, wait_for


def test_from_code_to_receipt(casetrace, manufacturer, dealer, investigator, registry):
    code = registry.codes(manufacturer)[0]
    assert re.fullmatch("[0-9ACDEFGHJKMNPRTUVWXY]{8}", code)

    row = registry.row(manufacturer, code, dealer.organization["licence"])
    outcome = manufacturer.post("/v1/firearms", {"mode": "atomic", "firearms": [row]})
    assert outcome["accepted"] == 1 and outcome["rows"][0]["state"] == "registered"
    firearm = manufacturer.get("/v1/firearms/" + outcome["rows"][0]["id"]).body
    assert firearm["serial"] == row["serial"] and firearm["marks"][0]["code"] == code
    found = manufacturer.get("/v1/firearms?serial=" + row["serial"].replace(" ", "").lower())
    assert [f["id"] for f in found["data"]] == [firearm["id"]]

    licence = manufacturer.organization["licence"]
    ref = {"maker": licence, "serial": row["serial"]}
    received = dealer.post("/v1/custody-events", {"events": [
        {"kind": "received", "firearm": ref, "date": today(-50), "from": licence, "document": "INV-1"}]})
    assert received["rows"][0]["state"] == "recorded"
    assert dealer.get("/v1/firearms/" + firearm["id"])["marks"][0]["code"] is None

    purchaser = registry.purchaser(given_name="Guðrún", family_name="O’Brien-Nguyễn", other_names="Árnadóttir")
    sale = dealer.post("/v1/sales", registry.sale(ref, purchaser, delivered_on=None))
    assert sale["state"] == "pending" and sale["delivered_on"] is None and sale["matched"]
    assert "purchaser" not in sale.body
    before = investigator.post("/v1/traces", registry.trace(code))
    assert before["candidates"][0]["first_purchaser"] == {"disclosed": False, "reason": "unsold", "chain_complete": True}

    delivered = dealer.post(f"/v1/sales/{sale['id']}/delivery", {"delivered_on": today(-9)})
    assert delivered["state"] == "delivered" and delivered["delivered_on"] == today(-9)
    assert dealer.get("/v1/sales/" + sale["id"]).body == delivered.body
    listed = dealer.get("/v1/sales?state=delivered&transaction_number=" + sale["transaction_number"])
    assert [s["id"] for s in listed["data"]] == [sale["id"]]

    reading = code[0:2].lower() + "?" + code[3] + " " + code[4:]
    question = registry.trace(reading)
    trace = investigator.post("/v1/traces", question)
    assert trace.status == 201 and trace["state"] == "identified"
    best = trace["candidates"][0]
    assert best["rank"] == 1 and best["posterior"] >= 0.99
    assert best["firearm"]["id"] == firearm["id"] and best["firearm"]["serial"] == row["serial"]
    assert best["mark"]["code"].replace(" ", "") == code and best["mark"]["agreement"] == "==.====="
    first = best["first_purchaser"]
    assert first["disclosed"] and first["basis"] == "sale" and first["chain_complete"]
    assert {name: first[name] for name in purchaser} == purchaser
    assert first["sale"] == {"dealer": dealer.organization["name"], "delivered_on": today(-9),
                             "transaction_number": sale["transaction_number"]}
    kinds = [event["kind"] for event in best["custody"]]
    assert kinds[-1] == "sold" and "received" in kinds

    again = investigator.get("/v1/traces/" + trace["id"])
    assert again["candidates"] == trace["candidates"] and again["request"] == question
    assert again["receipt"]["entry"] != trace["receipt"]["entry"]

    # The tool finds the receipt good as well, and a changed one bad.
    good = casetrace.verify_receipt(trace["receipt"]["tlog_proof"])
    assert good.returncode == 0, good
    assert casetrace.verify_receipt(trace["receipt"]["tlog_proof"].replace("index ", "index 1", 1)).returncode == 1


def test_lists_say_up_to_where_they_are_complete(investigator, manufacturer, dealer, registry):
    firearm = registry.register(manufacturer, dealer)
    question = registry.trace(firearm.code)
    trace = investigator.post("/v1/traces", question)
    path = "/v1/traces?case_number=" + question["case_number"]

    def listed():
        page = investigator.get(path)
        return page["complete_to"] and page["data"]

    row = wait_for(listed, 10, "the trace in the list")[0]
    assert (row["id"], row["state"], row["exhibit"]) == (trace["id"], "identified", "E-1")
    assert investigator.get(path + "&exhibit=E-2")["data"] == []
    assert investigator.get(path + "&state=no_match&scope=agency")["data"] == []


def test_reference(manufacturer, dealer, admin):
    assert manufacturer.get("/v1/me")["organization"]["id"] == manufacturer.organization["id"]
    text = manufacturer.get("/v1/openapi.yaml").body
    assert text == pathlib.Path(TOP / "api/openapi.yaml").read_text(encoding="utf-8")
    made = manufacturer.post("/v1/models", {"name": "Model C", "caliber": "9mm", "type": "pistol"})
    models = dealer.pages("/v1/models?maker=" + manufacturer.organization["licence"])
    assert sorted(m["name"] for m in models) == ["Model A", "Model B", "Model C"]
    assert made["id"] in [m["id"] for m in models]
    for kind in ("caliber", "firearm_type", "placement", "offense", "purpose", "custody_kind"):
        words = dealer.get("/v1/vocabularies/" + kind)["data"]
        assert words, kind
    dealer.get("/v1/vocabularies/nothing", expect="not_found")
    organization = admin.get("/v1/organizations/" + dealer.organization["id"])
    assert organization["licence"] == dealer.organization["licence"]
    assert admin.get("/v1/accounts/" + dealer.account["id"])["roles"] == ["dealer"]
    found = admin.get("/v1/organizations?licence=" + dealer.organization["licence"])
    assert [o["id"] for o in found["data"]] == [dealer.organization["id"]]


def test_pages(admin, people):
    made = {people.organization("gunsmith")["id"] for _ in range(5)}
    rows = admin.pages("/v1/organizations?kind=gunsmith&limit=2")
    assert made <= {row["id"] for row in rows}
    assert len({row["id"] for row in rows}) == len(rows)


def test_operator_listener(nobody, casetrace):
    assert nobody.get("/livez")["state"] == "live"
    ready = nobody.get("/readyz")
    assert ready["state"] == "ready"
    assert "casetrace_" in nobody.get("/metrics").body


def test_registration_of_many_rows(manufacturer, dealer, registry):
    count = 300
    codes = registry.codes(manufacturer, count)
    assert len(set(codes)) == count
    rows = [registry.row(manufacturer, code, dealer.organization["licence"]) for code in codes]
    assert manufacturer.post("/v1/firearms", {"mode": "atomic", "firearms": rows})["accepted"] == count
    # The same again under other keys: nothing changes, every row is the existing one.
    again = manufacturer.post("/v1/firearms", {"mode": "partial", "firearms": rows})
    assert {row["state"] for row in again["rows"]} == {"existing"}


def test_atomic_and_partial(manufacturer, dealer, registry):
    good, bad, spare = (registry.row(manufacturer, code, dealer.organization["licence"])
                        for code in registry.codes(manufacturer, 3))
    bad["marks"][0]["code"] = "00000001"
    refused = manufacturer.post("/v1/firearms", {"mode": "atomic", "firearms": [good, bad]}, expect=422)
    assert any(error["pointer"].startswith("/firearms/1") for error in refused["errors"])
    assert manufacturer.get("/v1/firearms?serial=" + good["serial"])["data"] == []
    outcome = manufacturer.post("/v1/firearms", {"mode": "partial", "firearms": [good, bad, spare]})
    assert [row["state"] for row in outcome["rows"]] == ["registered", "refused", "registered"]
    assert outcome["rows"][1]["errors"] and outcome["rows"][1]["id"] is None


def test_readings(manufacturer, dealer, investigator, registry):
    """What a laboratory may write, and what comes of it."""
    firearm = registry.register(manufacturer, dealer)
    code = firearm.code
    wrong = "0" if code[5] != "0" else "1"
    other = "Y" if code[0] != "Y" else "X"
    for reading in (code, code.lower(), f"{code[:4]} {code[4:]}", f"{code[:4]}-{code[4:]}",
                    "?" + code[1:], code[:3] + "?" + code[4:7] + "?", f"[{code[0]}{other}]" + code[1:],
                    code[:5] + wrong + code[6:]):
        trace = investigator.post("/v1/traces", registry.trace(reading))
        assert trace["state"] == "identified", (reading, trace)
        assert trace["candidates"][0]["firearm"]["serial"] == firearm.serial
    for reading in ("", "4", "[", "[]", "4H7K2M9X4", "4H7K2M9€", "4H7K2M9[", "?" * 7):
        question = registry.trace(reading)
        question["specimens"][0]["marks"][0]["scheme"] = "R29-8"
        investigator.post("/v1/traces", question, expect=422)
    nothing = investigator.post("/v1/traces", registry.trace("????????"))
    assert nothing["state"] == "insufficient" and nothing["candidates"] == []


def test_issued_and_not_registered(manufacturer, investigator, registry):
    code = registry.codes(manufacturer)[0]
    trace = investigator.post("/v1/traces", registry.trace(code))
    assert trace["state"] == "no_match" and trace["candidates"] == []
    assert trace["detail"]["code"] == "issued_unregistered"
    assert trace["detail"]["block_holder"] == manufacturer.organization["name"]
    assert trace["detail"]["contact"] == "tracing desk, weekdays"


def test_code_only_when_identified(manufacturer, dealer, investigator, registry):
    """A mark too poorly read for a certain answer must not bring out the code."""
    firearm = registry.register(manufacturer, dealer)
    trace = investigator.post("/v1/traces", registry.trace(firearm.code[:4] + "????"))
    assert trace["state"] in ("candidates", "insufficient", "no_match")
    assert firearm.code not in trace.content.decode()
    for candidate in trace["candidates"]:
        assert "code" not in candidate["mark"]
        assert candidate["first_purchaser"]["disclosed"] is False


def test_a_trace_needs_a_case(investigator, registry):
    for missing in ("case_number", "purpose", "offense", "incident", "specimens"):
        question = registry.trace("0" * 8)
        del question[missing]
        refused = investigator.post("/v1/traces", question, expect="validation_failed")
        assert refused["errors"][0]["pointer"] == "/" + missing or missing in refused["errors"][0]["detail"]
    investigator.post("/v1/traces", registry.trace("0" * 8, purpose="F"), expect="purpose_refused")
    investigator.post("/v1/traces", registry.trace("0" * 8, purpose="Z"), expect="validation_failed")
