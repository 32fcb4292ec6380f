# SPDX-License-Identifier: Apache-2.0
"""An investigator who wants a purchaser that no casing leads to. He may use all that the API answers: send
candidates back as readings, calculate valid words, try choices of characters one half at a time. The lock of
exhibits, the budget and the findings are what stops him, and an auditor sees that he tried."""

import itertools

import pytest

from client import ANY
from instance import wait_for
from readings import random_code

ALPHABET = "0123456789ACDEFGHJKMNPRTUVWXY"
WEIGHTS = [pow(2, i, 29) for i in range(8)]


def is_word(word):
    values = [ALPHABET.index(c) for c in word]
    return sum(values) % 29 == 0 and sum(w * v for w, v in zip(WEIGHTS, values)) % 29 == 0


def words_like(pattern):
    """All valid words that agree with what is not ? in the pattern: two of its unread characters follow
    from the others."""
    unread = [i for i, c in enumerate(pattern) if c == "?"]
    for guess in itertools.product(ALPHABET, repeat=len(unread)):
        word = list(pattern)
        for place, c in zip(unread, guess):
            word[place] = c
        if is_word(word):
            yield "".join(word)


def purchaser_of(trace):
    return next((c["first_purchaser"] for c in trace["candidates"] if c["first_purchaser"]["disclosed"]), None)


class Attacker:
    """His client, what it cost, and what he was told."""

    def __init__(self, client, registry):
        self.client, self.registry, self.asked, self.purchasers = client, registry, 0, []

    def ask(self, reading, question=None):
        """A trace; of the exhibit of an earlier question, or of one that he makes up. None: refused."""
        if question is None:
            question = self.registry.trace(reading)
        else:
            specimen = {**question["specimens"][0], "marks": [{"placement": "firing_pin", "reading": reading}]}
            question = {**question, "specimens": [specimen]}
        reply = self.client.call("POST", "/v1/traces", question, expect=ANY)
        reply.question = question
        if reply.status == 429:
            return None
        assert reply.status == 201, reply
        self.asked += 1
        if purchaser_of(reply):
            self.purchasers.append(purchaser_of(reply))
        return reply


@pytest.fixture
def attacker(investigator, registry):
    return Attacker(investigator, registry)


@pytest.fixture
def sold(manufacturer, dealer, registry):
    """Some firearms, all of them sold; the first is the one that he is after."""
    firearms = registry.register(manufacturer, dealer, count=20)
    for firearm in firearms:
        dealer.post("/v1/sales", registry.sale(firearm))
    return firearms


def found(auditor, account, kind):
    query = f"/v1/log/findings?kind={kind}&account={account['id']}"
    return wait_for(lambda: auditor.get(query)["data"], 10, f"the finding {kind}")


def test_candidates_sent_back(attacker, sold):
    """A casing of which half was read gives candidates. What is shown of them does not give the rest."""
    code = sold[0].code
    question = attacker.registry.trace(code[:4] + "????")
    first = attacker.ask(question["specimens"][0]["marks"][0]["reading"], question)
    assert first["state"] == "candidates" and sold[0].id in [c["firearm"]["id"] for c in first["candidates"]]
    said = first.content.decode()
    assert not any(f.code in said.replace(" ", "") for f in sold)
    # What he can calculate from it: valid words with these four characters, one after the other, for the
    # exhibit that he has. He even knows the right one.
    guesses = list(itertools.islice(words_like(code[:4] + "????"), 15)) + [code]
    for guess in guesses:
        trace = attacker.ask(guess, question)
        assert trace["after_answer"] is True
        assert all("code" not in c["mark"] for c in trace["candidates"])
    assert attacker.purchasers == []


def test_the_same_exhibit_with_an_illegible_first_reading(attacker, sold):
    """He enters the exhibit as illegible, to have it traced, and then reads what he likes."""
    question = attacker.registry.trace("????????")
    attacker.ask("????????", question)
    assert attacker.ask(sold[0].code, question)["state"] == "identified"
    assert attacker.purchasers == []


def test_readings_of_the_same_trace(attacker, sold):
    """He calls what he calculates a better reading of the same casing."""
    code = sold[0].code
    trace = attacker.ask(code[:4] + "????")
    question = trace.question["specimens"][0]
    for number, guess in enumerate([*itertools.islice(words_like(code[:4] + "????"), 8), code], 2):
        body = {"specimens": [{**question, "marks": [{"placement": "firing_pin", "reading": guess}]}], "reason": "better light"}
        version = attacker.client.post(f"/v1/traces/{trace['id']}/readings", body)
        assert version["after_answer"] is True and purchaser_of(version) is None
        assert all("code" not in c["mark"] for c in version["candidates"])
    again = attacker.client.get(f"/v1/traces/{trace['id']}")
    assert len(again["versions"]) == number and purchaser_of(again) is None
    # Nor does he confirm it himself, whatever else he may do.
    attacker.client.post(f"/v1/traces/{trace['id']}/disclosures", {"reason": "sure"}, expect="forbidden")


def test_a_casing_more(attacker, sold):
    """He puts an exhibit that he made up beside the one that is locked: what is read otherwise of that one
    counts, whatever stands beside it."""
    code = sold[0].code
    question = attacker.registry.trace("????????")
    attacker.ask("????????", question)
    specimen = {**question["specimens"][0], "marks": [{"placement": "firing_pin", "reading": code}]}
    both = {**question, "specimens": [specimen, {**specimen, "exhibit": "E-99"}]}
    trace = attacker.client.post("/v1/traces", both)
    assert trace["after_answer"] is True and purchaser_of(trace) is None


def test_calculated_words(attacker, auditor, sold):
    """Valid words that he calculates, for casings that he makes up: nearly all of them are nobody's."""
    words = words_like("0A" + "??" + sold[0].code[4:6] + "??")
    tried = 0
    for word in words:
        if attacker.ask(word) is None:
            break
        tried += 1
        assert tried <= 60, "nothing stops him"
    assert tried >= 50 and attacker.purchasers == []
    assert found(auditor, attacker.client.account, "no_match")[0]["count"] == 20
    found(auditor, attacker.client.account, "no_match_limit")
    assert attacker.ask(sold[0].code) is None, "not even what he knows"


def test_bisecting(attacker, auditor, sold):
    """Four characters are known of a firearm that he has seen. He makes up exhibits and asks for one half of
    the alphabet after the other; whether the firearm is still shown tells in which half the character is.
    That cannot be hidden, and two more characters are enough to calculate the rest: but what was shown to his
    agency again and again is not identified by one reading more, and an auditor is told."""
    code = sold[0].code
    for place in (4, 5):
        left = ALPHABET
        while len(left) > 1:
            half = next(h for h in (left[:len(left) // 2], left[len(left) // 2:]) if code[place] in h)
            choice = half if len(half) == 1 else f"[{half}]"
            last = attacker.ask(code[:place] + choice + "?" * (7 - place))
            left = half
    assert last["state"] == "identified" and last["after_answer"] is True, "six characters determine a code"
    whole = attacker.ask(code)
    assert whole["state"] == "identified" and "code" not in whole["candidates"][0]["mark"]
    assert whole["candidates"][0]["first_purchaser"]["reason"] == "second_examiner"
    assert attacker.purchasers == []
    row = found(auditor, attacker.client.account, "one_firearm_repeatedly")[0]
    assert row["count"] == 5 and row["entries"]["last"] > row["entries"]["first"]


def test_what_was_shown_to_another_agency(attacker, investigator, people, sold):
    """It is his agency that was shown the firearm, by whichever account; another agency's first reading is one."""
    for _ in range(3):
        attacker.ask(sold[0].code[:4] + "????")
    colleague = people.account(investigator.organization, "investigator")
    question = attacker.registry.trace(sold[0].code)
    assert colleague.post("/v1/traces", question)["after_answer"] is True
    other = people.account(people.organization("agency"), "investigator")
    trace = other.post("/v1/traces", attacker.registry.trace(sold[0].code))
    assert trace["after_answer"] is False and purchaser_of(trace) is not None


def test_choices_in_bulk(attacker, auditor, sold):
    """A choice of many characters counts as not read."""
    for firearm in sold:
        attacker.ask("".join(firearm.code[:4]) + 2 * ("[" + ALPHABET[:15] + "]") + firearm.code[6:])
    assert found(auditor, attacker.client.account, "wildcards_in_bulk")[0]["count"] == 20


def test_the_log_says_what_he_did(attacker, auditor, sold):
    trace = attacker.ask(sold[0].code)
    assert attacker.purchasers, "who asks with a code gets its purchaser, and the log says that he did"
    entry = auditor.get(f"/v1/log/entries/{trace['receipt']['entry']}")
    assert '"disclosed":1' in entry["header"] and attacker.client.account["id"] in entry["header"]


# ---- many questions in one trace ---------------------------------------------------------------------

def casings(question, readings, **more):
    """A casing for each reading, all of exhibits that he makes up."""
    return {**question, "specimens": [{**question["specimens"][0], "exhibit": f"E-{n}", **more,
                                       "marks": [{"placement": "firing_pin", "reading": r} for r in pair]}
                                      for n, pair in enumerate(zip(readings[::2], readings[1::2]))]}


def test_all_questions_at_once(attacker, sold):
    """He knows four characters, and asks for every half of the alphabet in one trace, of casings that he says are of
    one gun: which of them agree with the firearm that is shown spells one more. It counts as what it is."""
    code = sold[0].code
    halves = ["".join(c for n, c in enumerate(ALPHABET) if (n >> bit & 1) == value) for bit in range(5) for value in (0, 1)]
    readings = [code[:4] + "????", *(f"????[{half}]???" for half in halves), "????????"]
    trace = attacker.client.post("/v1/traces", casings(attacker.registry.trace(code), readings, nibin_hit="H-1"))
    assert trace["state"] == "candidates"
    shown = next(c for c in trace["candidates"] if c["firearm"]["id"] == sold[0].id)
    told = [a["agreement"][4] for a in shown["agreements"][1:11]]
    assert all(said == "~" for half, said in zip(halves, told) if code[4] in half), told
    whole = attacker.ask(code)
    assert whole["state"] == "identified" and whole["after_answer"] is True
    assert attacker.purchasers == []


def test_worn_casings_in_one_trace(attacker, sold):
    """Casings of one gun of which what was read is right tell no more than one casing does."""
    code = sold[0].code
    worn = [code[:3] + "?????", code[:4] + "????", "?" + code[1:4] + "????", code[:2] + "??????"]
    trace = attacker.client.post("/v1/traces", casings(attacker.registry.trace(code), worn))
    assert trace["state"] == "candidates" and sold[0].id in [c["firearm"]["id"] for c in trace["candidates"]]
    assert attacker.ask(code)["after_answer"] is False and len(attacker.purchasers) == 1


def test_beside_another_gun(attacker, sold):
    """The answer speaks first of a gun that he has; what is told beside it of the other one counts as well."""
    his, code = sold[1].code, sold[0].code
    for number in range(3):
        question = attacker.registry.trace(his)
        trace = attacker.client.post("/v1/traces", casings(question, [his, his, code[:4] + "????", code[:4] + "????"]))
        assert trace["state"] == "identified" and [g["state"] for g in trace["groups"]] == ["identified", "candidates"]
    whole = attacker.ask(code)
    assert whole["state"] == "identified" and whole["after_answer"] is True
    assert attacker.purchasers == []
    # His own is identified as before.
    assert attacker.ask(his)["after_answer"] is False


def test_guesses_side_by_side(attacker, auditor, sold):
    """Sixteen casings with a calculated word each are sixteen guesses."""
    tried = 0
    for number in range(8):
        guesses = [random_code() for _ in range(16)]
        question = attacker.registry.trace(guesses[0])
        specimens = [{**question["specimens"][0], "exhibit": f"E-{n}", "marks": [{"placement": "firing_pin", "reading": g}]}
                     for n, g in enumerate(guesses)]
        reply = attacker.client.call("POST", "/v1/traces", {**question, "specimens": specimens}, expect=ANY)
        if reply.status == 429:
            break
        assert reply.status == 201 and len(reply["groups"]) > 10
        tried += 1
    assert tried <= 5, "16 guesses count as one"
    assert found(auditor, attacker.client.account, "no_match")[0]["count"] >= 20


def test_comparisons_tell_as_much(attacker, sold):
    """Comparisons with a firearm that he has seen tell its code bit by bit, too."""
    code = sold[0].code
    for length in (4, 5, 6):
        asked = {**attacker.registry.trace(code[:length] + "?" * (8 - length)), "firearm": {"id": sold[0].id}}
        del asked["urgency"]
        assert attacker.client.post("/v1/comparisons", asked)["state"] == "supports"
    assert attacker.ask(code)["after_answer"] is True and attacker.purchasers == []
