# SPDX-License-Identifier: Apache-2.0
"""Who the first purchaser is, case by case, as far as today's operations can make the case."""

import pytest

from client import today


@pytest.fixture
def parties(people):
    return people.manufacturer(), people.dealer(), people.investigator()


def event(dealer, firearm, kind, days, **more):
    answer = dealer.post("/v1/custody-events", {"events": [
        {"kind": kind, "firearm": firearm.ref, "date": today(days), **more}]})
    assert answer["rows"][0]["state"] == "recorded"


def ask(police, registry, firearm, **more):
    trace = police.post("/v1/traces", registry.trace(firearm.code, **more))
    assert trace["state"] == "identified"
    return trace["candidates"][0]


def test_unsold(parties, registry):
    maker, dealer, police = parties
    best = ask(police, registry, registry.register(maker, dealer))
    assert best["first_purchaser"]["disclosed"] is False
    assert best["first_purchaser"]["reason"] == "unsold"


def test_delivered_sale(parties, registry):
    maker, dealer, police = parties
    firearm, person = registry.register(maker, dealer), registry.purchaser()
    dealer.post("/v1/sales", registry.sale(firearm, person, delivered_on=today(-20)))
    first = ask(police, registry, firearm)["first_purchaser"]
    assert first["disclosed"] and first["family_name"] == person["family_name"]
    assert first["sale"]["delivered_on"] == today(-20) and first["kind"] == "person"


def test_a_sale_that_is_not_delivered_does_not_count(parties, registry):
    maker, dealer, police = parties
    firearm = registry.register(maker, dealer)
    dealer.post("/v1/sales", registry.sale(firearm, delivered_on=None))
    assert ask(police, registry, firearm)["first_purchaser"]["reason"] == "unsold"


def test_returned_and_sold_again_as_new(parties, registry):
    maker, dealer, police = parties
    firearm, one, two = registry.register(maker, dealer), registry.purchaser(), registry.purchaser()
    dealer.post("/v1/sales", registry.sale(firearm, one, delivered_on=today(-30)))
    event(dealer, firearm, "returned", -25)
    dealer.post("/v1/sales", registry.sale(firearm, two, delivered_on=today(-20)))
    best = ask(police, registry, firearm)
    first = best["first_purchaser"]
    assert first["family_name"] == one["family_name"] and first["returned_on"] == today(-25)
    assert [(h["delivered_on"], h["condition"]) for h in best["later_holders"]] == [(today(-20), "new")]
    assert two["family_name"] not in str(best)


def test_used_sale_is_a_later_holder(parties, registry, people):
    maker, dealer, police = parties
    firearm, one, two = registry.register(maker, dealer), registry.purchaser(), registry.purchaser()
    dealer.post("/v1/sales", registry.sale(firearm, one, delivered_on=today(-30)))
    event(dealer, firearm, "returned", -25)
    dealer.post("/v1/sales", registry.sale(firearm, two, delivered_on=today(-20), condition="used"))
    best = ask(police, registry, firearm)
    assert best["first_purchaser"]["family_name"] == one["family_name"]
    assert [h["condition"] for h in best["later_holders"]] == ["used"]


def test_first_sold_outside_this_registry(parties, registry):
    maker, dealer, police = parties
    firearm = registry.register(maker, dealer)
    dealer.post("/v1/sales", registry.sale(firearm, condition="used"))
    best = ask(police, registry, firearm)
    assert best["first_purchaser"]["reason"] == "first_sale_not_recorded"
    assert [h["condition"] for h in best["later_holders"]] == ["used"]


def test_sold_to_an_agency(parties, registry):
    maker, dealer, police = parties
    firearm = registry.register(maker, dealer)
    agency = {"kind": "agency", "organization_name": "Sheriff of Testsuite County",
              "address": {"line1": "1 Plaza", "city": "Eureka", "state": "CA", "postal_code": "95501"}}
    dealer.post("/v1/sales", registry.sale(firearm, agency))
    first = ask(police, registry, firearm)["first_purchaser"]
    assert first["kind"] == "agency" and first["organization_name"] == "Sheriff of Testsuite County"
    assert "family_name" not in first


@pytest.mark.parametrize("kind, reason", [("stolen", "stolen_before_sale"), ("lost", "lost_before_sale"),
                                          ("destroyed", "destroyed"), ("exported", "exported")])
def test_never_sold_and_why(parties, registry, kind, reason):
    maker, dealer, police = parties
    firearm = registry.register(maker, dealer)
    event(dealer, firearm, kind, -20)
    first = ask(police, registry, firearm)["first_purchaser"]
    assert first["disclosed"] is False and first["reason"] == reason


def test_sold_before_it_was_received(parties, registry):
    """A lawful sale at the counter is never refused for a record that is missing elsewhere."""
    maker, dealer, police = parties
    firearm, person = registry.register(maker, dealer, receive=False), registry.purchaser()
    sale = dealer.post("/v1/sales", registry.sale(firearm, person, delivered_on=today(-10)))
    assert sale["state"] == "delivered"
    first = ask(police, registry, firearm)["first_purchaser"]
    assert first["family_name"] == person["family_name"]
    # The receipt comes in afterwards, with the day on which it happened.
    registry.receive(dealer, [firearm], maker.organization["licence"])
    best = ask(police, registry, firearm)
    assert best["first_purchaser"]["family_name"] == person["family_name"] and best["first_purchaser"]["chain_complete"]
    assert [e["kind"] for e in best["custody"]] == ["shipped", "received", "sold"]


def test_sold_before_it_was_registered(parties, registry):
    maker, dealer, police = parties
    row = registry.row(maker, registry.codes(maker)[0], dealer.organization["licence"])
    ref, person = {"maker": maker.organization["licence"], "serial": row["serial"]}, registry.purchaser()
    sale = dealer.post("/v1/sales", registry.sale(ref, person, delivered_on=today(-10)))
    assert sale["matched"] is False and sale["firearm"]["id"] is None
    assert police.post("/v1/traces", registry.trace(row["marks"][0]["code"]))["state"] == "no_match"
    maker.post("/v1/firearms", {"mode": "atomic", "firearms": [row]})
    bound = dealer.get("/v1/sales/" + sale["id"])
    assert bound["firearm"]["id"] is not None
    trace = police.post("/v1/traces", registry.trace(row["marks"][0]["code"]))
    assert trace["candidates"][0]["first_purchaser"]["family_name"] == person["family_name"]


def test_from_dealer_to_dealer(parties, registry, people):
    maker, dealer, police = parties
    other = people.dealer()
    firearm, person = registry.register(maker, dealer), registry.purchaser()
    event(dealer, firearm, "transferred", -40, to=other.organization["licence"])
    event(other, firearm, "received", -39, **{"from": dealer.organization["licence"]})
    other.post("/v1/sales", registry.sale(firearm, person, delivered_on=today(-10)))
    best = ask(police, registry, firearm)
    assert best["first_purchaser"]["sale"]["dealer"] == other.organization["name"]
    assert best["first_purchaser"]["family_name"] == person["family_name"]


def test_several_firearms_under_one_transaction(parties, registry):
    maker, dealer, police = parties
    firearms, person = registry.register(maker, dealer, 3), registry.purchaser()
    for firearm in firearms:
        dealer.post("/v1/sales", registry.sale(firearm, person, transaction_number="DR-ONE-FOR-THREE"))
    for firearm in firearms:
        assert ask(police, registry, firearm)["first_purchaser"]["family_name"] == person["family_name"]
    listed = dealer.get("/v1/sales?transaction_number=DR-ONE-FOR-THREE")
    assert len(listed["data"]) == 3


def test_one_sale_stands(parties, registry):
    maker, dealer, _ = parties
    firearm = registry.register(maker, dealer)
    dealer.post("/v1/sales", registry.sale(firearm))
    dealer.post("/v1/sales", registry.sale(firearm), expect="already_sold")
