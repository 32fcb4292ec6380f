# SPDX-License-Identifier: Apache-2.0
"""Confusion matrices: loaded, learned from test fires alone, put in force; each answer says which one it used."""

import copy
import json

import pytest

from client import ANY
from instance import TOP, wait_for
from test_comparisons import question

SAMPLE = json.loads((TOP / "docs/confusion-sample.json").read_text(encoding="utf-8"))
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.fixture(scope="module")
def authority(people, admin):
    return people.account(admin.get("/v1/me")["organization"], "authority")


@pytest.fixture(scope="module")
def examiner(people):
    return people.account(people.organization("laboratory"), "examiner")


@pytest.fixture
def back_to_default(authority):
    yield
    authority.post("/v1/confusion-matrices/default-1/activation", {"reason": "the tests are done"})


def matrix(name, confuse=None, rate=0.3):
    """The sample; confuse: a pair of which the first is read as the second so often."""
    body = {**copy.deepcopy(SAMPLE), "name": name}
    if confuse:
        true, read = (ALPHABET.index(c) for c in confuse)
        row = [1e-6] * 36
        row[read] = rate
        row[true] = 0
        row[true] = 1 - sum(row)
        body["opaque"][true] = row
    return body


def test_loaded(examiner, authority, people):
    made = examiner.post("/v1/confusion-matrices", matrix("lab-north-1")).body
    assert made["origin"] == "loaded" and made["active"] is False and made["readings"] is None
    shown = people.investigator().get("/v1/confusion-matrices/lab-north-1").body
    assert shown["opaque"] == SAMPLE["opaque"] and shown["digest"] == made["digest"]
    # The table of R29-8: what folds to one character is added up.
    r29 = "0123456789ACDEFGHJKMNPRTUVWXY"
    folds = {"B": "8", "I": "1", "L": "1", "O": "0", "Q": "0", "S": "5", "Z": "2"}
    for t, row in zip(r29, shown["r29"]):
        assert abs(sum(row) - 1) < 1e-9
        for r, rate in zip(r29, row):
            raw = sum(p for c, p in zip(ALPHABET, SAMPLE["opaque"][ALPHABET.index(t)]) if folds.get(c, c) == r)
            assert abs(rate - raw) < 1e-15
    names = [m["name"] for m in authority.pages("/v1/confusion-matrices?limit=1")]
    assert "lab-north-1" in names and names[-1] == "default-1"
    default = authority.get("/v1/confusion-matrices/default-1").body
    assert abs(default["opaque"][0][0] - 0.98) < 1e-12 and default["digest"] is None
    examiner.post("/v1/confusion-matrices", matrix("lab-north-1"), expect="conflict")
    examiner.post("/v1/confusion-matrices", matrix("learned-7"), expect="conflict")
    people.dealer().post("/v1/confusion-matrices", matrix("lab-north-2"), expect="forbidden")
    people.dealer().get("/v1/confusion-matrices", expect="forbidden")


@pytest.mark.parametrize("change, code, pointer", [
    (lambda m: m["opaque"][3].__setitem__(5, 0.5), "matrix_invalid", "/opaque/3"),
    (lambda m: m["opaque"][35].__setitem__(0, 0), "matrix_invalid", "/opaque/35"),
    (lambda m: m["opaque"][11].__setitem__(11, -0.5), "matrix_invalid", "/opaque/11"),
    (lambda m: m["opaque"].pop(), "validation_failed", "/opaque"),
    (lambda m: m["opaque"][2].append(0.1), "validation_failed", "/opaque/2"),
    (lambda m: m["opaque"][2].__setitem__(4, "x"), "validation_failed", "/opaque/2/4"),
    (lambda m: m.__setitem__("r29", [[1 / 29] * 29] * 28 + [[0.5] * 29]), "matrix_invalid", "/r29/28"),
    (lambda m: m.__setitem__("name", "learn"), "validation_failed", "/name"),
    (lambda m: m.pop("description"), "validation_failed", "/description"),
])
def test_not_a_matrix(examiner, change, code, pointer):
    body = matrix("lab-wrong-1")
    change(body)
    refused = examiner.post("/v1/confusion-matrices", body, expect=code)
    assert refused["errors"][0]["pointer"] == pointer, refused


def test_in_force(examiner, authority, manufacturer, dealer, investigator, registry, back_to_default):
    """A trace says which it used, and what was measured counts."""
    firearm = next(f for f in registry.register(manufacturer, dealer, 60, receive=False) if "4" in f.code)
    place = firearm.code.index("4")
    misread = firearm.code[:place] + "X" + firearm.code[place + 1:]
    before = investigator.post("/v1/traces", registry.trace(misread))
    assert before["method"]["matrix"] == "default-1"
    examiner.post("/v1/confusion-matrices", matrix("lab-four-1", "4X"))
    examiner.post("/v1/confusion-matrices/lab-four-1/activation", {"reason": "no"}, expect="forbidden")
    investigator.post("/v1/confusion-matrices/lab-four-1/activation", {"reason": "no"}, expect="forbidden")
    authority.post("/v1/confusion-matrices/lab-nine-1/activation", {"reason": "no"}, expect="not_found")
    assert investigator.post("/v1/traces", registry.trace(misread))["method"]["matrix"] == "default-1"
    active = authority.post("/v1/confusion-matrices/lab-four-1/activation", {"reason": "validated"})
    assert active["active"] and active["active_from"]

    def traced():
        trace = investigator.post("/v1/traces", registry.trace(misread))
        return trace if trace["method"]["matrix"] == "lab-four-1" else None

    after = wait_for(traced, 10, "the matrix in force")
    assert after["likelihood_ratio"] > 2 * before["likelihood_ratio"]
    compared = investigator.post("/v1/comparisons", question(registry, firearm, misread))
    assert compared["method"]["matrix"] == "lab-four-1"
    # What was recorded names the one that it used, for ever.
    assert investigator.get("/v1/traces/" + before["id"])["method"]["matrix"] == "default-1"


def test_learned_from_test_fires_alone(examiner, authority, manufacturer, dealer, investigator, registry):
    firearm, other = registry.register(manufacturer, dealer, 2)

    def learn():
        reply = examiner.post("/v1/confusion-matrices/learn", {"description": "test"}, expect=ANY)
        return (0, None) if reply.code == "nothing_to_learn" else (reply["readings"], reply["name"])

    fired = {"kind": "test_fire"}
    readings, _ = learn()
    # Casework teaches nothing, whatever it says of itself: nobody knows what it should have been.
    investigator.post("/v1/traces", registry.trace(firearm.code))
    trace = registry.trace(firearm.code)
    trace["specimens"][0]["kind"] = "test_fire"
    investigator.post("/v1/traces", trace)
    investigator.post("/v1/comparisons", question(registry, firearm, firearm.code))
    investigator.post("/v1/comparisons", question(registry, firearm, firearm.code, specimen={"kind": "part"}))
    # Nor what does not fit, or where it is not certain which code was struck.
    investigator.post("/v1/comparisons", question(registry, other, firearm.code, specimen=fired))
    unplaced = question(registry, firearm, firearm.code, specimen=fired)
    del unplaced["specimens"][0]["marks"][0]["placement"]
    investigator.post("/v1/comparisons", unplaced)
    assert learn()[0] == readings
    # Characters as written; none where none, or several, were written.
    investigator.post("/v1/comparisons", question(registry, firearm, firearm.code, specimen=fired))
    investigator.post("/v1/comparisons", question(registry, firearm, f"[{firearm.code[0]}{'4' if firearm.code[0] != '4' else '9'}]?" + firearm.code[2:], specimen=fired))
    learned, name = learn()
    assert learned == readings + 8 + 6
    shown = authority.get("/v1/confusion-matrices/" + name).body
    assert shown["origin"] == "learned" and not shown["active"]
    assert all(abs(sum(row) - 1) < 1e-9 and min(row) >= 1e-9 for row in shown["opaque"] + shown["r29"])
    character = ALPHABET.index(firearm.code[7])
    assert shown["opaque"][character][character] > authority.get("/v1/confusion-matrices/default-1")["opaque"][character][character]
    investigator.post("/v1/confusion-matrices/learn", {"description": "no"}, expect="forbidden")


def test_with_the_tool(casetrace, authority, back_to_default):
    file = casetrace.folder / "matrix.json"
    file.write_text(json.dumps(matrix("tool-1")), encoding="utf-8")

    def tool(*arguments, status=0):
        done = casetrace.client_tool(authority, *arguments)
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout) if status == 0 else done.stderr

    assert tool("confusion", "load", str(file))["name"] == "tool-1"
    assert "conflict" in tool("confusion", "load", str(file), status=1)
    tool("confusion", "load", str(file) + ".none", status=1)
    assert tool("confusion", "activate", "tool-1", "--reason", "tried")["active"]
    assert tool("confusion", "list")["data"][0]["name"] == "tool-1"
    assert len(tool("confusion", "show", "tool-1")["opaque"]) == 36
    assert tool("confusion", "learn", "--description", "spring")["origin"] == "learned"
