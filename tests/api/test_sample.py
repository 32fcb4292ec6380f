# SPDX-License-Identifier: Apache-2.0
"""The sample registry of tests/data/sample, made independently of this product: it loads through
the API, and each of its 300 casings gets the answer that was written down for it."""

import concurrent.futures
import csv
import json

import pytest

from instance import TOP

SAMPLE = TOP / "tests/data/sample"


def rows_of(name):
    with open(SAMPLE / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def set_path(target, path, value):
    *steps, last = path.split(".")
    for step in steps:
        target = target.setdefault(step, {})
    if value != "":
        target[last] = value


def casings():
    with open(SAMPLE / "casings.ndjson", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def sample(admin, people):
    """The accounts of the sample's organizations, by licence; the registry is loaded."""
    accounts = {}
    for organization in json.loads((SAMPLE / "organizations.json").read_text(encoding="utf-8"))["organizations"]:
        number = organization.pop("ffl", None)
        body = {**organization, **({"licence": number} if number else {})}
        role = "investigator" if body["kind"] == "agency" else body["kind"]
        accounts[number or body["ori"]] = people.account(people.organization(**body), role)
    firearms = rows_of("firearms.csv")
    for maker in sorted({row["maker"] for row in firearms}):
        own = [row for row in firearms if row["maker"] == maker]
        admin.post("/v1/code-blocks", {"scheme": "R29-8", "origin": "elsewhere", "organization": maker,
                                       "codes": [row["marks.code"] for row in own]})
        rows = []
        for row in own:
            registration = {}
            for column, value in row.items():
                if column != "maker":
                    set_path(registration, column, value)
            registration["marks"] = [registration["marks"]]
            rows.append(registration)
        outcome = accounts[maker].post("/v1/firearms", {"mode": "atomic", "firearms": rows})
        assert outcome["accepted"] == len(rows)
    load_receipts_and_sales(accounts, firearms)
    return accounts


def load_receipts_and_sales(accounts, firearms):
    for dealer in sorted({row["shipped_to"] for row in firearms}):
        events = [{"kind": "received", "date": row["shipped_on"], "from": row["maker"],
                   "firearm": {"maker": row["maker"], "serial": row["serial"]}}
                  for row in firearms if row["shipped_to"] == dealer]
        outcome = accounts[dealer].post("/v1/custody-events", {"events": events})
        assert outcome["accepted"] == len(events)

    def record(row):
        sale = {}
        for column, value in row.items():
            if column != "dealer":
                set_path(sale, column, value)
        answer = accounts[row["dealer"]].post("/v1/sales", sale)
        assert answer["state"] == "delivered" and answer["matched"]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(record, rows_of("sales.csv")))


def test_every_casing_gets_its_answer(sample, registry, admin):
    investigator = next(account for key, account in sorted(sample.items()) if key.startswith("CA"))
    makers = {key: account.organization["name"] for key, account in sample.items()}

    def ask(casing):
        question = registry.trace(casing["reading"], caliber=casing["caliber"],
                                  incident={"from": casing["incident_on"], "to": casing["incident_on"]})
        question["specimens"][0]["exhibit"] = casing["exhibit"]
        return casing, investigator.post("/v1/traces", question)

    wrong = []
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, casings()))
    assert len(answers) == 300
    for casing, trace in answers:
        problem = compare(casing, trace, makers)
        if problem:
            wrong.append(f"{casing['exhibit']} ({casing['kind']}, {casing['reading']}): {problem}")
    assert not wrong, f"{len(wrong)} of 300:\n" + "\n".join(wrong)


def compare(casing, trace, makers):
    expected = casing["expected"]
    if expected is None:
        return None if trace["state"] == "no_match" and not trace["candidates"] else f"not no_match: {trace}"
    if trace["state"] != "identified":
        return f"{trace['state']}, posterior {[c['posterior'] for c in trace['candidates']]}, LR {trace['likelihood_ratio']}"
    best = trace["candidates"][0]
    if (best["firearm"]["maker"], best["firearm"]["serial"]) != (makers[expected["maker"]], expected["serial"]):
        return f"another firearm: {best['firearm']}"
    person = expected["first_purchaser"]
    found = best["first_purchaser"]
    if person is None:
        return None if found == {"disclosed": False, "reason": "unsold", "chain_complete": found["chain_complete"]} else \
            f"a purchaser of an unsold firearm: {found}"
    if not found["disclosed"]:
        return f"not disclosed: {found}"
    got = {name: found[name] for name in ("given_name", "family_name", "date_of_birth")}
    got["delivered_on"] = found["sale"]["delivered_on"]
    return None if got == person else f"another purchaser: {got}"
