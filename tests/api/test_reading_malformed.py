# SPDX-License-Identifier: Apache-2.0
"""Every reading that cannot be understood is refused with its place and what was expected there."""

import copy

import pytest

from instance import wait_for
from readings import gear, mark, question, specimen

GOOD = "4H7K 2M9X"
POSITIONS = [{c: 1.0} for c in "4H7K2M9X"]
TEETH = gear("4H7K2M9X")


def weights(position, value):
    """The good positions, one of them replaced."""
    return {"positions": POSITIONS[:position] + [value] + POSITIONS[position + 1:]}


# What a mark holds; where the refusal points below the mark; what it says, in this order.
MARKS = {
    # ---- a reading
    "too short": ({"reading": "4H7K 2M9", "scheme": "R29-8"}, "/reading", ["at character 9", "8 positions", "only 7"]),
    "one character": ({"reading": "4", "scheme": "R29-8"}, "/reading", ["at character 2", "8 positions"]),
    "too long": ({"reading": "4H7K 2M9X 1", "scheme": "R29-8"}, "/reading", ["at character 11", "end after 8"]),
    "only blanks": ({"reading": "    "}, "/reading", ["at character 5", "8 positions", "only 0"]),
    "a sign": ({"reading": "4H7K*2M9X"}, "/reading", ["at character 5", "letter or digit"]),
    "a sign at the start": ({"reading": "#H7K2M9X"}, "/reading", ["at character 1", "letter or digit"]),
    "a full stop": ({"reading": "4H7K.2M9"}, "/reading", ["at character 5"]),
    "a choice that does not end": ({"reading": "4H7K 2M9[X4"}, "/reading", ["at character 12", "']'"]),
    "a choice that only begins": ({"reading": "4H7K 2M9["}, "/reading", ["at character 10", "']'"]),
    "an empty choice": ({"reading": "4H7K 2M9[]"}, "/reading", ["at character 10", "in the choice"]),
    "a choice with a blank": ({"reading": "4H7K 2M[9 X]X"}, "/reading", ["at character 10", "letter or digit"]),
    "a choice with ?": ({"reading": "4H7K 2M[9?]X"}, "/reading", ["at character 10", "letter or digit"]),
    "a choice in a choice": ({"reading": "4H7K 2M[9[8]]X"}, "/reading", ["at character 10"]),
    "a choice that ends without beginning": ({"reading": "4H7K 2M9]X"}, "/reading", ["at character 9", "'['"]),
    "an opaque reading too short": ({"reading": "AB1", "scheme": "opaque"}, "/reading", ["at character 4", "4 positions or more"]),
    "an opaque reading too long": ({"reading": "ABCDEFGHIJKL1", "scheme": "opaque"}, "/reading", ["at character 13", "end after 12"]),
    "an opaque reading with a sign": ({"reading": "ABC/1234", "scheme": "opaque"}, "/reading", ["at character 4", "letter or digit"]),
    # ---- weights
    "a weight of 0": (weights(2, {"7": 0}), "/positions/2/7", ["over 0"]),
    "a negative weight": (weights(2, {"7": -0.5, "1": 0.5}), "/positions/2/7", ["over 0"]),
    "a weight over 1": (weights(7, {"X": 1.5}), "/positions/7/X", ["over 0 and up to 1"]),
    "weights over 1 together": (weights(3, {"K": 0.8, "X": 0.3}), "/positions/3", ["sum to 1 or less"]),
    "seven positions": ({"positions": POSITIONS[:7], "scheme": "R29-8"}, "/positions", ["8 positions"]),
    "nine positions": ({"positions": [*POSITIONS, {}], "scheme": "R29-8"}, "/positions", ["8 positions"]),
    "a reading and positions": ({"reading": GOOD, "positions": POSITIONS}, "/positions", ["not both"]),
    # ---- the ring
    "39 teeth": ({"gear": TEETH[:39] + " "}, "/gear", ["at character 41", "40 teeth", "only 39"]),
    "41 teeth": ({"gear": TEETH + "1"}, "/gear", ["at character 41", "end after 40"]),
    "a tooth that is a 2": ({"gear": TEETH[:6] + "2" + TEETH[7:]}, "/gear", ["at character 7", "'1', '0' or '?'"]),
    "a tooth that is a letter": ({"gear": TEETH[:39] + "O"}, "/gear", ["at character 40", "'1', '0' or '?'"]),
    "a gear of an opaque code": ({"reading": "ABC12345", "scheme": "opaque", "gear": TEETH}, "/gear", ["R29-8"]),
    # ---- the whole
    "nothing at all": ({}, "/reading", ["expected what was read"]),
    "a condition that is legible and nothing read": ({"condition": "worn"}, "/reading", ["expected what was read"]),
    "only how it was held": ({"orientation": "unknown"}, "/reading", ["expected what was read"]),
    "rows of a code that has none": ({"reading": "ABC1234", "scheme": "opaque", "rows": "unknown"}, "/rows", ["8 positions"]),
}

# The contract's own: refused as any other member would be.
NOT_VALID = {
    "not ASCII": ({"reading": "4H7K 2M9Ж"}, "/reading"),
    "empty": ({"reading": ""}, "/reading"),
    "a number": ({"reading": 42}, "/reading"),
    "a character that is two": (weights(1, {"HH": 1}), "/positions/1/HH"),
    "a small letter": (weights(1, {"h": 1}), "/positions/1/h"),
    "three positions": ({"positions": POSITIONS[:3]}, "/positions"),
    "thirteen positions": ({"positions": [{}] * 13}, "/positions"),
    "a weight that is text": (weights(0, {"4": "1"}), "/positions/0/4"),
    "a short gear": ({"gear": "101"}, "/gear"),
    "a word that is none": ({"reading": GOOD, "orientation": "sideways"}, "/orientation"),
    "another": ({"reading": GOOD, "rows": "both"}, "/rows"),
    "a third": ({"reading": GOOD, "gear_index": "?"}, "/gear_index"),
    "a condition that is none": ({"reading": GOOD, "condition": "rusty"}, "/condition"),
    "an unknown member": ({"reading": GOOD, "colour": "brass"}, "/colour"),
}


@pytest.fixture(scope="module")
def police(people):
    return people.investigator()


def refused(police, registry, specimens, code, pointer, said):
    reply = police.post("/v1/traces", question(registry, *specimens), expect=422)
    assert reply.code == code, reply
    errors = [(error["pointer"], error["detail"]) for error in reply["errors"]]
    assert pointer in [p for p, _ in errors], errors
    detail = dict(errors)[pointer]
    at = 0
    for word in said:
        assert word in detail[at:], detail
        at = detail.index(word, at) + len(word)
    return reply


@pytest.mark.parametrize("name", MARKS)
def test_mark(police, registry, name):
    content, place, said = MARKS[name]
    bad = {"placement": "firing_pin", **content}
    refused(police, registry, [specimen(bad)], "reading_invalid", "/specimens/0/marks/0" + place, said)


@pytest.mark.parametrize("name", ["a sign", "a weight of 0", "41 teeth", "nothing at all"])
def test_the_pointer_names_the_mark(police, registry, name):
    content, place, said = MARKS[name]
    specimens = [specimen(mark(GOOD), mark(GOOD, "chamber")), specimen(mark(GOOD), {"placement": "chamber", **content})]
    refused(police, registry, specimens, "reading_invalid", "/specimens/1/marks/1" + place, said)


@pytest.mark.parametrize("name", NOT_VALID)
def test_not_as_the_contract_says(police, registry, name):
    content, place = NOT_VALID[name]
    refused(police, registry, [specimen({"placement": "firing_pin", **content})], "validation_failed", "/specimens/0/marks/0" + place, [])


@pytest.mark.parametrize("pattern, said", [
    ("TD#437", ["at character 3"]), ("TD[43", ["at character 6", "']'"]), ("[]D437", ["at character 2"]),
    ("?" * 25, ["at character 25"]), ("...", ["at character 4"])])
def test_serial_pattern(police, registry, pattern, said):
    part = specimen(mark(GOOD), kind="part", serial_pattern=pattern)
    refused(police, registry, [part], "reading_invalid", "/specimens/0/serial_pattern", said)


def test_only_a_part_has_a_serial_number(police, registry):
    casing = specimen(mark(GOOD), serial_pattern="TD437")
    refused(police, registry, [casing], "reading_invalid", "/specimens/0/serial_pattern", ["only a part"])


def test_words_that_are_not_known(police, registry):
    refused(police, registry, [specimen(mark(GOOD, "left_shoe"))], "unknown_word", "/specimens/0/marks/0/placement", ["placement"])
    refused(police, registry, [specimen(mark(GOOD, scheme="morse"))], "unknown_scheme", "/specimens/0/marks/0/scheme",
            ["R29-8", "opaque"])


def test_how_many(police, registry):
    refused(police, registry, [specimen(*[mark(GOOD)] * 5)], "validation_failed", "/specimens/0/marks", [])
    refused(police, registry, [specimen(GOOD) for _ in range(17)], "validation_failed", "/specimens", [])
    refused(police, registry, [specimen()], "validation_failed", "/specimens/0/marks", [])
    refused(police, registry, [specimen(*[mark(GOOD)] * 4) for _ in range(9)], "reading_invalid", "/specimens", ["32 marks"])
    most = question(registry, *[specimen(*[mark(GOOD)] * 2) for _ in range(16)])
    police.post("/v1/traces", most)


def test_a_refusal_is_logged_and_repeats_nothing_that_was_sent(people, registry, auditor):
    police = people.investigator()
    body = question(registry, specimen(mark("4H7K*2M9X")))
    reply = police.post("/v1/traces", body, expect=422)
    assert "2M9X" not in reply.content.decode()
    assert reply["request_id"] in logged(auditor, "/v1/log/entries?outcome=reading_invalid&account=" + police.account["id"])


def logged(auditor, path):
    """Request ids of entries: lists are filled a moment after the answers."""
    return wait_for(lambda: [row["request_id"] for row in auditor.pages(path)], 10, "the refusal's entry")


def test_the_good_ones_are_good(police, registry):
    """What the table above changes is otherwise in order."""
    for content in ({"reading": GOOD}, {"positions": POSITIONS}, {"gear": TEETH}, {"reading": "AB12", "scheme": "opaque"},
                    {"reading": "4h7k-2m9x"}, {"reading": " 4H7K2M9[X] "}, {"condition": "absent"}):
        body = question(registry, specimen({"placement": "firing_pin", **copy.deepcopy(content)}))
        assert police.post("/v1/traces", body).status == 201
