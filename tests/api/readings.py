# SPDX-License-Identifier: Apache-2.0
"""What a laboratory could send of a code, for tests: readings, gears, marks that were turned; and codes
that were chosen, so that a test knows what fits what."""

import itertools
import random

from client import today

ALPHABET = "0123456789ACDEFGHJKMNPRTUVWXY"
TURNED = dict(zip("018HNX69MW", "018HNX96WM"))
NUMBERS = itertools.count(1)


# ---- codes -------------------------------------------------------------------------------------------

def completed(six):
    """The code of scheme R29-8 whose first six characters these are: both check sums are 0 mod 29."""
    values = [ALPHABET.index(c) for c in six]
    weights = [pow(2, n, 29) for n in range(8)]
    for c6, c7 in itertools.product(range(29), repeat=2):
        word = values + [c6, c7]
        if sum(word) % 29 == 0 and sum(w * c for w, c in zip(weights, word)) % 29 == 0:
            return "".join(ALPHABET[c] for c in word)
    raise AssertionError("two characters always complete a code")


def random_code(characters=ALPHABET):
    """A valid code of those characters alone. Tests share one registry, so it is not the same twice."""
    while True:
        code = completed("".join(random.choice(characters) for _ in range(6)))
        if set(code) <= set(characters):
            return code


def neighbour(code):
    """Another valid code and the three positions in which it differs, the fewest there can be: 5, 6 and 7."""
    while True:
        other = completed(code[:5] + random.choice(ALPHABET))
        if other != code:
            return other, (5, 6, 7)


def enter(admin, manufacturer, codes):
    """Enters chosen codes as issued elsewhere, which an authority may."""
    admin.post("/v1/code-blocks", {"scheme": "R29-8", "codes": codes, "organization": manufacturer.organization["licence"],
                                   "origin": "elsewhere"})
    return codes


# ---- firearms ----------------------------------------------------------------------------------------

def marked(registry, manufacturer, dealer, receive=True, **more):
    """Registers a firearm with marks by placement: firing_pin="…" is a code of R29-8, ("opaque", "…") one
    that the maker brought; other members are the registration's."""
    marks = []
    for placement in ("firing_pin", "breech_face", "chamber", "extractor", "ejector"):
        code = more.pop(placement, None)
        if code:
            scheme, code = code if isinstance(code, tuple) else ("R29-8", code)
            marks.append({"placement": placement, "scheme": scheme, "code": code})
    row = registry.row(manufacturer, None, dealer.organization["licence"], marks=marks, **more)
    outcome = manufacturer.post("/v1/firearms", {"mode": "atomic", "firearms": [row]})["rows"][0]
    firearm = {"id": outcome["id"], "serial": row["serial"],
               "ref": {"maker": manufacturer.organization["licence"], "serial": row["serial"]},
               **{mark["placement"]: mark["code"] for mark in marks}}
    if receive:
        dealer.post("/v1/custody-events", {"events": [{"kind": "received", "firearm": firearm["ref"], "date": today(-50)}]})
    return firearm


# ---- what was read -----------------------------------------------------------------------------------

def unread(code, *positions):
    return "".join("?" if n in positions else c for n, c in enumerate(code))


def only(code, *positions):
    """Nothing but these positions was read."""
    return "".join(c if n in positions else "?" for n, c in enumerate(code))


def misread(code, position, step=7):
    """Another character at that place."""
    other = ALPHABET[(ALPHABET.index(code[position]) + step) % 29]
    return code[:position] + other + code[position + 1:]


def gear(code):
    """The 40 teeth: five for each character, its value in binary, most significant first."""
    return "".join(format(ALPHABET.index(c), "05b") for c in code)


def turned(code):
    """What one reads who holds the casing upside down."""
    return "".join(TURNED.get(c, "?") for c in reversed(code))


def mark(reading=None, placement="firing_pin", **more):
    return {**({"placement": placement} if placement else {}), **({"reading": reading} if reading else {}), **more}


def specimen(*marks, exhibit=None, kind="casing", caliber="9mm", **more):
    return {"exhibit": exhibit or f"E-{next(NUMBERS)}", "kind": kind, **({"caliber": caliber} if caliber else {}),
            "marks": [mark(m) if isinstance(m, str) else m for m in marks], **more}


def question(registry, *specimens, **more):
    """A trace of these specimens; a text is a casing with that reading of its firing pin."""
    return {**registry.trace("????????", **more), "specimens": [specimen(s) if isinstance(s, str) else s for s in specimens]}


def flags(trace):
    """Codes of the flags of the first candidate."""
    return {flag["code"] for flag in trace["candidates"][0]["flags"]}


def serials(trace):
    return [candidate["firearm"]["serial"] for candidate in trace["candidates"]]
