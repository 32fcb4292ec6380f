# SPDX-License-Identifier: Apache-2.0
"""Several casings, one gun or two; what records say against a candidate; and what candidates never show."""

import json

import pytest

from client import today
from instance import wait_for
from readings import enter, flags, mark, marked, misread, neighbour, only, question, random_code, serials, specimen, unread


@pytest.fixture
def police(people):
    return people.investigator()


@pytest.fixture(scope="module")
def maker(people):
    return people.manufacturer()


@pytest.fixture(scope="module")
def shop(people):
    return people.dealer()


@pytest.fixture
def pistol(registry, maker, shop):
    return registry.register(maker, shop)


def ask(police, registry, *specimens, **more):
    return police.post("/v1/traces", question(registry, *specimens, **more))


# ---- casings of one gun ------------------------------------------------------------------------------

def test_casings_complete_each_other(police, registry, pistol):
    """Three casings, of each of which too little was read."""
    casings = [only(pistol.code, 0, 1, 2), only(pistol.code, 2, 3, 4), only(pistol.code, 4, 6, 7)]
    trace = ask(police, registry, *casings)
    assert trace["state"] == "identified" and serials(trace)[0] == pistol.serial
    assert "groups" not in trace.body and trace["flags"] == []
    agreements = [(a["specimen"], a["mark"], a["agreement"]) for a in trace["candidates"][0]["agreements"]]
    assert agreements == [(0, 0, "===....."), (1, 0, "..===..."), (2, 0, "....=.==")]


def test_a_worn_pin_shows_the_same_wrong_character(police, registry, pistol):
    """Five casings that agree on a wrong character are one error, not five."""
    casings = [unread(misread(pistol.code, 3), n) for n in (0, 1, 5, 6, 7)]
    trace = ask(police, registry, *casings)
    assert trace["state"] in ("identified", "candidates") and serials(trace)[0] == pistol.serial
    assert "groups" not in trace.body
    assert {a["agreement"][3] for a in trace["candidates"][0]["agreements"]} <= set("x~")


def test_repetition_is_not_proof(police, registry, pistol):
    """Ten casings read alike say more than one, and far less than ten times as much."""
    one = ask(police, registry, only(pistol.code, 0, 1, 2, 3))
    ten = ask(police, registry, *[only(pistol.code, 0, 1, 2, 3)] * 10)
    assert one["state"] == ten["state"] == "candidates"
    assert one["likelihood_ratio"] <= ten["likelihood_ratio"] < 10 * one["likelihood_ratio"]


# ---- two guns ----------------------------------------------------------------------------------------

@pytest.fixture
def two_guns(registry, maker, shop):
    return registry.register(maker, shop, 2)


def test_two_guns(police, registry, two_guns, shop):
    one, other = two_guns
    purchaser = registry.purchaser()
    shop.post("/v1/sales", registry.sale(one, purchaser))
    shop.post("/v1/sales", registry.sale(other))
    trace = ask(police, registry, unread(one.code, 1), unread(other.code, 4), unread(one.code, 6))
    assert [flag["code"] for flag in trace["flags"]] == ["more_than_one_gun"]
    assert [(g["specimens"], g["state"]) for g in trace["groups"]] == [([0, 2], "identified"), ([1], "identified")]
    best = {c["group"]: c for c in reversed(trace["candidates"])}
    assert best[0]["firearm"]["serial"] == one.serial and best[1]["firearm"]["serial"] == other.serial
    # The values above and the purchaser are those of the gun of most specimens.
    for name in ("state", "likelihood_ratio", "effective_characters", "not_registered", "expected_chance_matches"):
        assert trace[name] == trace["groups"][0][name]
    # The person is named beside the gun that was bought, also when the trace is read again.
    for reply in (trace, police.get("/v1/traces/" + trace["id"])):
        first, second = (c["first_purchaser"] for c in reply["candidates"])
        assert {name: first[name] for name in purchaser} == purchaser
        assert second == {"disclosed": False, "reason": "another_group"}
    assert best[1]["first_purchaser"] == {"disclosed": False, "reason": "another_group"}
    assert "code" not in best[1]["mark"] and best[1]["custody"] == []
    assert {a["specimen"] for a in best[0]["agreements"]} == {0, 2} and {a["specimen"] for a in best[1]["agreements"]} == {1}


def test_whose_lead_it_is(police, registry, maker):
    """A code that was issued and not registered is a lead of the gun that bears it, and not of the other one."""
    issued, nobodys = registry.codes(maker)[0], random_code()
    trace = ask(police, registry, issued, nobodys, issued)
    assert trace["groups"][0]["specimens"] == [0, 2] and trace["detail"]["code"] == "issued_unregistered"
    trace = ask(police, registry, nobodys, issued, nobodys)
    assert trace["groups"][0]["specimens"] == [0, 2] and trace["detail"] is None


def test_a_confirmed_hit_keeps_them_together(police, registry, two_guns):
    one, other = two_guns
    casings = [specimen(unread(f.code, 2), nibin_hit="HIT-1") for f in (one, other)]
    trace = ask(police, registry, *casings)
    assert "groups" not in trace.body and not trace["flags"]
    assert {f["code"] for c in trace["candidates"] for f in c["flags"]} == {"marks_disagree"}
    # Different hits say nothing about each other.
    casings = [specimen(unread(f.code, 2), nibin_hit=f"HIT-{n}") for n, f in enumerate((one, other))]
    assert [g["specimens"] for g in ask(police, registry, *casings)["groups"]] == [[0], [1]]


def test_a_hit_over_three(police, registry, two_guns):
    one, other = two_guns
    casings = [specimen(one.code, nibin_hit="H"), specimen(other.code), specimen(only(one.code, 0, 1, 2), nibin_hit="H")]
    trace = ask(police, registry, *casings)
    assert [g["specimens"] for g in trace["groups"]] == [[0, 2], [1]]


def test_too_little_to_tell_guns_apart(police, registry, pistol):
    """What was hardly read, or read as a look-alike, is no second gun."""
    code = pistol.code
    look_alike = {"8": "3", "0": "D", "C": "G", "M": "N", "H": "N", "K": "X", "E": "F", "P": "R", "U": "V", "1": "T", "7": "T"}
    near = next((n for n, c in enumerate(code) if c in look_alike), None)
    casings = [code, "????????", only(code, 2, 3)]
    if near is not None:
        casings.append(only(code[:near] + look_alike[code[near]] + code[near + 1:], near))
    trace = ask(police, registry, *casings)
    assert "groups" not in trace.body and trace["flags"] == [] and serials(trace)[0] == pistol.serial


# ---- what records say --------------------------------------------------------------------------------

def test_caliber(police, registry, pistol):
    right = ask(police, registry, specimen(unread(pistol.code, 0, 1, 2), caliber="9x19mm"))
    wrong = ask(police, registry, specimen(unread(pistol.code, 0, 1, 2), caliber=".45 ACP"))
    unknown = ask(police, registry, specimen(unread(pistol.code, 0, 1, 2), caliber=None))
    assert "caliber_mismatch" in flags(wrong) and wrong["candidates"][0]["flags"][0]["specimen"] == 0
    assert not flags(right) and not flags(unknown)
    assert unknown["likelihood_ratio"] == pytest.approx(right["likelihood_ratio"])
    assert wrong["likelihood_ratio"] == pytest.approx(0.02 * right["likelihood_ratio"])


def test_caliber_of_one_of_several(police, registry, pistol):
    trace = ask(police, registry, specimen(pistol.code), specimen(pistol.code, caliber=".45 ACP"))
    assert serials(trace)[0] == pistol.serial
    assert [(f["code"], f.get("specimen")) for f in trace["candidates"][0]["flags"]] == [("caliber_mismatch", 1)]


def test_before_it_was_shipped(police, registry, pistol):
    day = {"from": today(-100), "to": today(-90)}
    trace = ask(police, registry, pistol.code, incident=day)
    assert serials(trace)[0] == pistol.serial and {"not_yet_made", "part_replaced"} <= flags(trace)
    now = ask(police, registry, pistol.code)
    assert trace["likelihood_ratio"] < now["likelihood_ratio"] and not flags(now)


def test_before_it_was_sold(police, registry, pistol, shop):
    shop.post("/v1/sales", registry.sale(pistol, delivered_on=today(-10)))
    before = ask(police, registry, pistol.code, incident={"from": today(-20), "to": today(-11)})
    after = ask(police, registry, pistol.code, incident={"from": today(-20), "to": today(-10)})
    assert flags(before) == {"not_yet_sold"} and flags(after) == set()
    # A record is evidence, and no record hides a purchaser.
    assert before["candidates"][0]["first_purchaser"]["disclosed"] is True


def test_a_part_that_was_replaced(police, registry, pistol, casetrace, maker, shop):
    """The mark is recorded until the day on which another took its place."""
    code = registry.codes(maker)[0]
    casetrace.psql(f"""
        INSERT INTO registry.mark (id, firearm_id, word, scheme, placement, valid_from, supersedes, reason, batch_id, ordinal)
        SELECT gen_random_uuid(), m.firearm_id, '{code}', 'R29-8', m.placement, current_date - 20, m.id, 'worn', m.batch_id, m.ordinal
        FROM registry.mark m WHERE m.word = '{pistol.code}'""")
    after = ask(police, registry, pistol.code)
    assert serials(after)[0] == pistol.serial and "part_replaced" in flags(after)
    before = ask(police, registry, pistol.code, incident={"from": today(-40), "to": today(-40)})
    assert serials(before)[0] == pistol.serial and flags(before) == set()
    new = ask(police, registry, code)
    assert serials(new)[0] == pistol.serial and flags(new) == set()
    assert before["likelihood_ratio"] > 10 * after["likelihood_ratio"]


@pytest.mark.parametrize("kind, flag, more", [
    ("destroyed", "destroyed_before", {"document": "D-1"}), ("stolen", "reported_stolen_before", {"document": "P-1"}),
    ("lost", "reported_lost_before", {"document": "P-2"}), ("exported", "exported", {"document": "X-1"})])
def test_what_happened_to_it_before(police, registry, pistol, shop, kind, flag, more):
    shop.post("/v1/custody-events", {"events": [{"kind": kind, "firearm": pistol.ref, "date": today(-20), **more}]})
    assert flags(ask(police, registry, pistol.code)) == {flag}
    assert flags(ask(police, registry, pistol.code, incident={"from": today(-40), "to": today(-21)})) == set()


def test_marks_that_lead_to_two_firearms(police, registry, maker, shop):
    """The pin of one and the chamber of another: a slide was exchanged, or a casing reloaded or planted."""
    codes = registry.codes(maker, 4)
    one, other = (marked(registry, maker, shop, firing_pin=codes[n], chamber=codes[n + 2]) for n in (0, 1))
    trace = ask(police, registry, specimen(mark(one["firing_pin"]), mark(other["chamber"], "chamber")))
    assert {one["serial"], other["serial"]} <= set(serials(trace))
    for candidate in trace["candidates"]:
        if candidate["firearm"]["serial"] in (one["serial"], other["serial"]):
            assert {"marks_disagree", "slide_may_be_exchanged"} <= {f["code"] for f in candidate["flags"]}
    assert trace["state"] != "identified"


def test_a_weak_mark_disagrees_with_nothing(police, registry, maker, shop):
    codes = registry.codes(maker, 2)
    firearm = marked(registry, maker, shop, firing_pin=codes[0], chamber=codes[1])
    for chamber in (only(codes[1], 0, 1), only(misread(codes[1], 5), 4, 5, 6), "????????"):
        trace = ask(police, registry, specimen(mark(firearm["firing_pin"]), mark(chamber, "chamber")))
        assert serials(trace)[0] == firearm["serial"] and flags(trace) == set()


def test_marks_of_the_slide_that_disagree(police, registry, maker, shop):
    """Pin and breech face move together: here a pin was exchanged, and not the slide."""
    codes = registry.codes(maker, 4)
    one, other = (marked(registry, maker, shop, firing_pin=codes[n], breech_face=codes[n + 2]) for n in (0, 1))
    trace = ask(police, registry, specimen(mark(one["firing_pin"]), mark(other["breech_face"], "breech_face")))
    assert "marks_disagree" in flags(trace) and "slide_may_be_exchanged" not in flags(trace)


# ---- what candidates never show ----------------------------------------------------------------------

def test_candidates_show_no_code_no_person_no_custody(police, registry, admin, maker, shop):
    code = random_code()
    other, differing = neighbour(code)
    enter(admin, maker, [code, other])
    firearms = [marked(registry, maker, shop, firing_pin=c) for c in (code, other)]
    purchasers = [registry.purchaser() for _ in firearms]
    for firearm, purchaser in zip(firearms, purchasers):
        shop.post("/v1/sales", registry.sale(firearm["ref"], purchaser))
    trace = ask(police, registry, unread(code, *differing))
    assert trace["state"] == "candidates" and set(serials(trace)[:2]) == {f["serial"] for f in firearms}
    again = police.get("/v1/traces/" + trace["id"])
    for reply in (trace, again):
        for candidate in reply["candidates"]:
            assert "code" not in candidate["mark"] and candidate["custody"] == [] and candidate["later_holders"] == []
            assert candidate["first_purchaser"] == {"disclosed": False, "reason": "not_identified"}
        text = json.dumps({**reply.body, "request": None, "receipt": None}, ensure_ascii=False)
        hidden = [code, other, f"{code[:4]} {code[4:]}", f"{other[:4]} {other[4:]}", shop.organization["name"]]
        hidden += [p["family_name"] for p in purchasers] + [p["id_document"]["number"] for p in purchasers]
        assert not [word for word in hidden if word in text]


def test_only_the_first_candidate_of_an_identified_trace_is_shown(police, registry, admin, maker, shop):
    """Others that nearly fit stay without code and custody."""
    code = random_code()
    other, _ = neighbour(code)
    enter(admin, maker, [code, other])
    first, second = (marked(registry, maker, shop, firing_pin=c) for c in (code, other))
    trace = ask(police, registry, code)
    assert trace["state"] == "identified" and serials(trace)[0] == first["serial"]
    assert trace["candidates"][0]["mark"]["code"].replace(" ", "") == code and trace["candidates"][0]["custody"]
    for candidate in trace["candidates"][1:]:
        assert "code" not in candidate["mark"] and candidate["custody"] == []
        assert candidate["first_purchaser"] == {"disclosed": False, "reason": "not_identified"}
    assert other not in json.dumps(trace.body).replace(" ", "")


# ---- what the numbers say together -------------------------------------------------------------------

def test_numbers(police, registry, pistol):
    def counted():
        trace = ask(police, registry, unread(pistol.code, 0, 3, 5, 6))
        return trace["method"]["n"] > 0 and trace

    trace = wait_for(counted, 10, "registered firearms in the counts")
    total = trace["not_registered"] + sum(c["posterior"] for c in trace["candidates"])
    assert 0 <= trace["not_registered"] <= 1 and total <= 1 + 1e-9
    posteriors = [c["posterior"] for c in trace["candidates"]]
    assert posteriors == sorted(posteriors, reverse=True)
    assert [c["rank"] for c in trace["candidates"]] == list(range(1, len(posteriors) + 1))
    assert trace["likelihood_ratio"] == pytest.approx(29 ** trace["effective_characters"], rel=1e-6)
    assert trace["method"]["matrix"] == "default-1" and trace["method"]["pi0"] == 0.5


def test_a_clearer_reading_is_worth_more(police, registry, pistol):
    traces = [ask(police, registry, unread(pistol.code, *range(n))) for n in range(5)]
    ratios = [t["likelihood_ratio"] for t in traces]
    assert ratios == sorted(ratios, reverse=True) and ratios[0] > 1e3 * ratios[4]
    chances = [t["expected_chance_matches"] for t in traces]
    assert chances == sorted(chances)
