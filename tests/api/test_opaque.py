# SPDX-License-Identifier: Apache-2.0
"""Codes that manufacturers bring."""

import concurrent.futures

import pytest

from client import ANY
from instance import wait_for


def row_of(registry, maker, dealer, *codes):
    row = registry.row(maker, None, dealer.organization["licence"])
    row["marks"] = [{"placement": placement, "scheme": "opaque", "code": code}
                    for placement, code in zip(("firing_pin", "breech_face"), codes)]
    return row


def send(maker, *rows, mode="atomic", **rest):
    return maker.post("/v1/firearms", {"mode": mode, "firearms": list(rows)}, **rest)


def test_as_engraved(manufacturer, dealer, registry):
    answer = send(manufacturer, row_of(registry, manufacturer, dealer, "ae-0o 11", "AE2222"))
    seen = manufacturer.get("/v1/firearms/" + answer["rows"][0]["id"])["marks"]
    assert sorted((m["scheme"], m["code"]) for m in seen) == [("opaque", "AE0O11"), ("opaque", "AE2222")]
    # Nothing is folded: a zero for the letter O is another code.
    send(manufacturer, row_of(registry, manufacturer, dealer, "AE0011"))
    # Both schemes on one firearm.
    row = row_of(registry, manufacturer, dealer, "AE3333")
    row["marks"].append({"placement": "chamber", "scheme": "R29-8", "code": registry.codes(manufacturer)[0]})
    assert send(manufacturer, row)["accepted"] == 1


@pytest.mark.parametrize("code, detail", [
    ("AE-1", "expected 4 characters or more"), ("A - - 1", "expected 4 characters or more"), ("ABCDEFGHIJKLM", "at character 13: expected the end after 12"),
    ("AE-1234567890-1", "at character 15: expected the end after 12")])
def test_not_a_code(manufacturer, dealer, registry, code, detail):
    refused = send(manufacturer, row_of(registry, manufacturer, dealer, "AE4444", code), expect="rows_refused")
    assert [(e["pointer"], e["code"]) for e in refused["errors"]] == [("/firearms/0/marks/1/code", "code_invalid")]
    assert detail in refused["errors"][0]["detail"]


def test_a_code_of_another(people, dealer, registry):
    maker, other = people.manufacturer(), people.manufacturer()
    send(maker, row_of(registry, maker, dealer, "OWNED01"))
    refused = send(other, row_of(registry, other, dealer, "owned-01"), expect="rows_refused")
    assert [(e["code"], e["detail"]) for e in refused["errors"]] == [("unavailable", "not available")]
    assert maker.organization["name"] not in refused.content.decode()
    again = send(maker, row_of(registry, maker, dealer, "OWNED01"), mode="partial")
    assert again["rows"][0]["errors"][0]["code"] == "code_in_use"
    # Similar is not the same: a refusal would tell of the other's codes.
    send(other, row_of(registry, other, dealer, "OWNED02"), row_of(registry, other, dealer, "OWNEDO1"))


def test_one_of_many_at_once_stands(people, dealer, registry):
    makers = [people.manufacturer() for _ in range(4)]
    rows = [(maker, row_of(registry, maker, dealer, "RACE0001")) for maker in makers for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
        replies = list(pool.map(lambda r: send(*r, expect=ANY), rows))
    won = [maker for (maker, _), reply in zip(rows, replies) if reply.status == 200]
    assert len(won) == 1
    for (maker, _), reply in zip(rows, replies):
        if reply.status != 200:
            assert reply["errors"][0]["code"] == ("code_in_use" if maker is won[0] else "unavailable"), reply


def test_counted(people, dealer, registry, nobody):
    def registered():
        for line in nobody.get("/metrics").body.splitlines():
            if line.startswith("casetrace_registered_codes "):
                return float(line.split()[1])
    maker = people.manufacturer()
    before = registered()
    send(maker, *(row_of(registry, maker, dealer, f"CNT{n:05}") for n in range(30)))
    wait_for(lambda: registered() >= before + 30, 10, "the counts of new codes")


def test_similar_codes(admin, people, dealer, registry):
    """The authority sees which codes resemble each other; page by page, nothing of purchasers, and nobody else does."""
    authority = people.account(admin.get("/v1/me")["organization"], "authority")
    one, other = people.manufacturer(), people.manufacturer()
    send(one, row_of(registry, one, dealer, "LOOKS80001"))
    send(other, row_of(registry, other, dealer, "LOOKSB0001"), row_of(registry, other, dealer, "LOOKSB0023"))

    def found():
        pairs = authority.pages("/v1/similar-codes?limit=7")
        return [p for p in pairs if p["codes"][0]["code"].startswith("LOOKS")]

    pairs = wait_for(found, 10, "the pair")
    assert len(pairs) == 1 and pairs[0]["position"] == 6 and pairs[0]["confusable"] is True
    assert [side["code"] for side in pairs[0]["codes"]] == ["LOOKS80001", "LOOKSB0001"]
    assert [side["organization"]["id"] for side in pairs[0]["codes"]] == [one.organization["id"], other.organization["id"]]
    for client in (one, dealer, people.investigator(), people.auditor()):
        client.get("/v1/similar-codes", expect="forbidden")
    authority.get("/v1/similar-codes?cursor=" + "0" * 32, expect="invalid_request")
