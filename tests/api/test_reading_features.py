# SPDX-License-Identifier: Apache-2.0
"""Each way to write down what was read finds the firearm that left it."""

import random

import pytest

from client import ANY
from instance import wait_for
from readings import (enter, flags, gear, mark, marked, misread, neighbour, only, question, random_code, serials, specimen, turned,
                      unread)


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


@pytest.fixture
def twins(registry, admin, maker, shop):
    """Two firearms whose codes differ in three positions, and these positions."""
    one = random_code()
    other, differing = neighbour(one)
    return *(marked(registry, maker, shop, firing_pin=code) for code in enter(admin, maker, [one, other])), differing


@pytest.fixture(scope="module")
def both(registry, maker, shop):
    """A firearm with two codes of R29-8 and one that its maker brought."""
    pin, chamber = registry.codes(maker, 2)
    return marked(registry, maker, shop, firing_pin=pin, chamber=chamber,
                  breech_face=("opaque", "".join(random.choices("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=9))))


def ask(police, registry, *specimens, **more):
    return police.post("/v1/traces", question(registry, *specimens, **more))


def found(trace, serial, state="identified"):
    assert trace["state"] == state, trace
    assert serials(trace)[0] == serial, trace
    return trace["candidates"][0]


# ---- one mark ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("positions", [(), (0,), (7,), (0, 7), (3, 4), (1, 2, 6)])
def test_unread_characters(police, registry, pistol, positions):
    best = found(ask(police, registry, unread(pistol.code, *positions)), pistol.serial)
    assert best["mark"]["agreement"] == unread("========", *positions).replace("?", ".")


def test_one_wrong_character(police, registry, pistol):
    best = found(ask(police, registry, misread(pistol.code, 2)), pistol.serial)
    assert best["mark"]["agreement"][2] in "~x" and best["mark"]["agreement"].count("=") == 7


def test_four_unread_are_a_list_of_leads(police, registry, pistol):
    trace = ask(police, registry, unread(pistol.code, 0, 2, 4, 6))
    # Not always the first: among 841 words another registered code may fit as well.
    assert trace["state"] == "candidates" and pistol.serial in serials(trace), trace
    assert trace["likelihood_ratio"] < 1e7 and trace["expected_chance_matches"] < 1


def test_what_to_read_again(police, registry, twins):
    """Two firearms fit: what would tell them apart is a character that was not read, and differs."""
    one, other, differing = twins
    trace = ask(police, registry, specimen(mark(unread(one["firing_pin"], 1, *differing))))
    assert trace["state"] == "candidates" and set(serials(trace)[:2]) == {one["serial"], other["serial"]}
    assert trace["next_best"] and {n["position"] for n in trace["next_best"]} <= set(differing)
    assert all((n["specimen"], n["mark"]) == (0, 0) and 0.5 < n["bits"] <= 1.1 for n in trace["next_best"])


def test_too_little_was_read(police, registry, pistol):
    trace = ask(police, registry, only(pistol.code, 0, 1))
    assert trace["state"] == "insufficient" and trace["candidates"] == []
    assert trace["effective_characters"] < 3


def test_nobody_has_it(police, registry):
    trace = ask(police, registry, random_code())
    assert trace["state"] == "no_match" and trace["candidates"] == [] and trace["not_registered"] > 0.9


def test_choices(police, registry, pistol):
    c = pistol.code
    reading = f"[{c[0]}4X] {c[1]}[{c[2]}Y]?-[{c[4]}]{c[5:7]} [{c[7].lower()}0]"
    best = found(ask(police, registry, reading), pistol.serial)
    assert best["mark"]["agreement"][3] == "." and set(best["mark"]["agreement"]) <= set("=~.")


def test_weights(police, registry, pistol):
    c = pistol.code
    positions = [{c[0]: 1.0}, {c[1]: 0.7, "0": 0.1} if c[1] != "0" else {"0": 0.8}, {}, {c[3]: 0.9}, {c[4]: 1},
                 {c[5]: 1}, {c[6]: 0.6}, {c[7]: 1}]
    best = found(ask(police, registry, specimen(mark(positions=positions))), pistol.serial)
    assert best["mark"]["agreement"][2] == "."


def test_weights_say_more_than_a_choice(police, registry, twins):
    """Two codes fit; the weights say which character it rather was."""
    first, second, differing = twins
    one, other = first["firing_pin"], second["firing_pin"]
    even = [{c: 1} for c in one]
    for n in differing:
        even[n] = {one[n]: 0.5, other[n]: 0.5}
    trace = ask(police, registry, specimen(mark(positions=even)))
    assert set(serials(trace)[:2]) == {first["serial"], second["serial"]}
    assert trace["candidates"][0]["posterior"] == pytest.approx(trace["candidates"][1]["posterior"], rel=0.05)
    for code, firearm in ((one, first), (other, second)):
        rather = list(even)
        rather[6] = {code[6]: 0.9, (one + other).replace(code, "")[6]: 0.1}
        trace = ask(police, registry, specimen(mark(positions=rather)))
        assert serials(trace)[0] == firearm["serial"]
        assert trace["candidates"][0]["posterior"] > 5 * trace["candidates"][1]["posterior"]


# ---- the ring ----------------------------------------------------------------------------------------

def test_gear_alone(police, registry, pistol):
    found(ask(police, registry, specimen(mark(gear=gear(pistol.code)))), pistol.serial)


def test_gear_in_part(police, registry, pistol):
    teeth = list(gear(pistol.code))
    for n in random.sample(range(40), 12):
        teeth[n] = "?"
    written = " ".join("".join(teeth[n:n + 5]) for n in range(0, 40, 5))
    found(ask(police, registry, specimen(mark(unread(pistol.code, 1, 5), gear=written))), pistol.serial)


def test_gear_and_characters_complete_each_other(police, registry, pistol):
    teeth = "?" * 20 + gear(pistol.code)[20:]
    trace = ask(police, registry, specimen(mark(pistol.code[:4] + "????", gear=teeth)))
    found(trace, pistol.serial)


@pytest.mark.parametrize("sectors", range(1, 8))
def test_gear_without_the_notch(police, registry, pistol, sectors):
    teeth = gear(pistol.code)
    teeth = teeth[5 * sectors:] + teeth[:5 * sectors]
    trace = ask(police, registry, specimen(mark(gear=teeth, gear_index="unknown")))
    found(trace, pistol.serial)
    if pistol.code[sectors:] + pistol.code[:sectors] != pistol.code:
        held = ask(police, registry, specimen(mark(gear=teeth)))
        assert held["state"] != "identified"


# ---- how it was held ---------------------------------------------------------------------------------

def test_upside_down(police, registry, admin, maker, shop):
    code = enter(admin, maker, [random_code("018HNX69MW")])[0]
    firearm = marked(registry, maker, shop, firing_pin=code)
    seen = turned(code)
    assert "?" not in seen
    best = found(ask(police, registry, specimen(mark(seen, orientation="unknown"))), firearm["serial"])
    assert best["mark"]["agreement"] == "========"
    # It says so in the order of the code, whatever way the casing was held.
    best = found(ask(police, registry, specimen(mark(code, orientation="unknown"))), firearm["serial"])
    assert best["mark"]["agreement"] == "========"


def test_upside_down_with_characters_that_do_not_turn(police, registry, admin, maker, shop):
    while True:
        code = random_code()
        if turned(code).count("?") == 2:
            break
    enter(admin, maker, [code])
    firearm = marked(registry, maker, shop, firing_pin=code)
    found(ask(police, registry, specimen(mark(turned(code), orientation="unknown"))), firearm["serial"])


def test_rows_exchanged(police, registry, pistol):
    seen = pistol.code[4:] + pistol.code[:4]
    best = found(ask(police, registry, specimen(mark(seen, rows="unknown"))), pistol.serial)
    assert best["mark"]["agreement"] == "========"
    found(ask(police, registry, specimen(mark(unread(pistol.code, 2), rows="unknown"))), pistol.serial)


# ---- schemes and places ------------------------------------------------------------------------------

@pytest.mark.parametrize("positions", [(), (4,), (0, 8), (2, 3, 7)])
def test_opaque(police, registry, both, positions):
    reading = unread(both["breech_face"], *positions)
    for scheme in ({"scheme": "opaque"}, {}):
        body = question(registry, specimen(mark(reading, "breech_face", **scheme)))
        # Until its length is among those that are counted, no scheme but R29-8 is known to have nine.
        trace = wait_for(lambda: (lambda reply: reply.status == 201 and reply)(police.post("/v1/traces", body, expect=ANY)),
                         10, "an opaque code in the counts")
        assert trace["state"] in ("identified", "candidates") and serials(trace)[0] == both["serial"]
        assert trace["candidates"][0]["mark"]["agreement"] == unread("=========", *positions).replace("?", ".")
        assert trace["method"]["scheme"] == "opaque"


def test_opaque_with_a_half_unread(police, registry, both):
    """More words than are written out: the half that was read is looked up."""
    for positions in ((0, 1, 2, 3), (5, 6, 7, 8)):
        trace = ask(police, registry, specimen(mark(unread(both["breech_face"], *positions), "breech_face", scheme="opaque")))
        assert both["serial"] in serials(trace)


def test_opaque_is_not_folded(police, registry, maker, shop):
    codes = ["OPAQ" + tail + str(random.randrange(10**4)).zfill(4) for tail in "O0"]
    codes[1] = codes[0].replace("OPAQO", "OPAQ0")
    letter, zero = (marked(registry, maker, shop, firing_pin=("opaque", code)) for code in codes)
    assert serials(ask(police, registry, specimen(mark(codes[0], scheme="opaque"))))[0] == letter["serial"]
    assert serials(ask(police, registry, specimen(mark(codes[1], scheme="opaque"))))[0] == zero["serial"]


def test_scheme_unknown(police, registry, maker, shop):
    """Eight characters may be of either scheme."""
    code = registry.codes(maker)[0]
    brought = "".join(random.choices("BILOQSZ", k=4)) + str(random.randrange(10**4)).zfill(4)
    issued = marked(registry, maker, shop, firing_pin=code)
    other = marked(registry, maker, shop, firing_pin=("opaque", brought))

    def counted():  # asked with next to nothing: that is no trace without a match, of which there are few a day
        trace = ask(police, registry, specimen(mark(unread(brought, *range(1, 8)))))
        return trace["method"]["scheme"] == "any"

    wait_for(counted, 10, "the opaque code in the counts")
    trace = ask(police, registry, specimen(mark(brought)))
    assert serials(trace)[0] == other["serial"]
    trace = ask(police, registry, specimen(mark(unread(code, 3))))
    found(trace, issued["serial"])
    assert trace["method"]["scheme"] == "any"


@pytest.mark.parametrize("place", ["firing_pin", "chamber"])
def test_place_unknown(police, registry, both, place):
    best = found(ask(police, registry, specimen(mark(unread(both[place], 6), None))), both["serial"])
    assert best["mark"]["placement"] == place


def test_read_at_a_place_where_another_code_is_recorded(police, registry, both):
    """The chamber's code, said to be the pin's: the firearm is not found by it."""
    trace = ask(police, registry, specimen(mark(both["chamber"], "firing_pin")))
    assert trace["state"] != "identified"


# ---- marks together ----------------------------------------------------------------------------------

def test_two_marks_of_one_casing(police, registry, both):
    """Neither says enough by itself."""
    pin, chamber = only(both["firing_pin"], 0, 1, 2, 3), only(both["chamber"], 2, 3, 4, 5)
    alone = ask(police, registry, specimen(mark(pin, "firing_pin")))
    assert alone["state"] == "candidates"
    trace = ask(police, registry, specimen(mark(pin, "firing_pin"), mark(chamber, "chamber")))
    best = found(trace, both["serial"])
    assert [(a["specimen"], a["mark"], a["agreement"]) for a in best["agreements"]] == [(0, 0, "====...."), (0, 1, "..====..")]
    assert trace["likelihood_ratio"] > 1e4 * alone["likelihood_ratio"]


def test_a_mark_of_a_place_that_has_no_code(police, registry, pistol):
    """Nothing is recorded of the breech face: what is read there speaks neither for nor against."""
    trace = ask(police, registry, specimen(mark(pistol.code), mark(random_code(), "breech_face")))
    best = found(trace, pistol.serial)
    assert best["agreements"][1] == {"specimen": 0, "mark": 1, "agreement": None}
    assert "marks_disagree" not in flags(trace)


def test_defaced_marks_may_say_nothing(police, registry, pistol):
    trace = ask(police, registry, specimen(mark(pistol.code), {"placement": "chamber", "condition": "defaced"}))
    found(trace, pistol.serial)


@pytest.mark.parametrize("condition", ["clear", "worn", "smeared", "double_strike", "defaced", "absent"])
def test_conditions(police, registry, pistol, condition):
    found(ask(police, registry, specimen(mark(pistol.code, condition=condition))), pistol.serial)


# ---- a recovered part --------------------------------------------------------------------------------

def test_a_serial_that_was_ground_off_moves_the_order(police, registry, admin, maker, shop):
    one = random_code()
    other, differing = neighbour(one)
    enter(admin, maker, [one, other])
    first = marked(registry, maker, shop, firing_pin=one, serial=f"GROUND {random.randrange(10**6):06d}")
    second = marked(registry, maker, shop, firing_pin=other, serial=f"OFF {random.randrange(10**6):06d}X")
    part = specimen(mark(unread(one, *differing)), kind="part")
    plain = ask(police, registry, part)
    assert set(serials(plain)[:2]) == {first["serial"], second["serial"]}
    assert plain["candidates"][0]["posterior"] == pytest.approx(plain["candidates"][1]["posterior"])
    for firearm, other in ((first, second), (second, first)):
        serial = firearm["serial"].replace(" ", "")
        pattern = serial[:3] + "?" * (len(serial) - 5) + f"[{serial[-2]}8]" + serial[-1]
        trace = ask(police, registry, specimen(mark(unread(one, *differing)), kind="part", serial_pattern=pattern))
        posterior = {c["firearm"]["serial"]: c["posterior"] for c in trace["candidates"]}
        assert serials(trace)[0] == firearm["serial"] and posterior[firearm["serial"]] > 20 * posterior.get(other["serial"], 0)


def test_a_serial_is_no_search_of_its_own(police, registry, pistol):
    part = specimen({"placement": "firing_pin", "condition": "defaced"}, kind="part", serial_pattern=pistol.serial)
    trace = ask(police, registry, part)
    assert trace["state"] in ("insufficient", "no_match") and trace["candidates"] == []


def test_a_test_fire(police, registry, pistol):
    found(ask(police, registry, specimen(pistol.code, kind="test_fire")), pistol.serial)


def test_a_ring_says_that_it_is_r29(police, registry, both):
    """Around a reading of the length of opaque codes that are registered: there is no such mark."""
    def understood():
        return police.call("POST", "/v1/traces", question(registry, specimen(mark(both["breech_face"], "breech_face"))),
                           expect=ANY).status == 201

    wait_for(understood, 10, "opaque codes in the counts")
    around = mark(both["breech_face"], "breech_face", gear="1" * 40)
    for specimens in ([specimen(around)], [specimen(mark(both["firing_pin"]), around)]):
        refused = police.post("/v1/traces", question(registry, *specimens), expect="reading_invalid")
        assert refused["errors"][0]["pointer"].endswith("/reading") and "8 positions" in refused["detail"]
    assert police.post("/v1/traces", question(registry, specimen(both["firing_pin"])))["state"] == "identified"
