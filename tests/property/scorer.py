# SPDX-License-Identifier: Apache-2.0
"""What readings of marks mean, a second time, written apart from the C engine and as plainly as
possible: loops over positions, characters, views and firearms; no transform, no heap, no search.

A mark is what a laboratory sent of it: a list of positions, each None (illegible) or a dictionary of
weights by character that sums to 1; perhaps a gear. A line is all marks of one placement of one
gun. A group is the specimens that are taken to be of one gun.
"""
import itertools
import math

R29 = "0123456789ACDEFGHJKMNPRTUVWXY"
OPAQUE = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FOLD = dict(zip("BILOQSZ", "8110052"))
GROUPS = "0D 0OQD 1IL7T 2Z 5S 6G 8B3 UV CG MN HN KX EF PR 7TY".split()
TURN = dict(zip("018HNX69MW", "018HNX96WM"))
WORDS = 29 ** 6
WEIGHT = [pow(2, i, 29) for i in range(8)]
TOOTH_ERROR = 0.02
PIN_SOUND = 0.99
SAME = 1 - 1e-9


def confusable(alphabet, t):
    union = set().union(*[set(g) for g in GROUPS if t in g] or [set()])
    return {c for c in union if c in alphabet} - {t}


class Matrix:
    """P(r|t) = self.p[alphabet][t][r]; the pin's own faults T(s|t) = self.pin[alphabet][t][s]."""

    def __init__(self, error=0.02):
        self.p, self.pin = {}, {}
        for alphabet in (R29, OPAQUE):
            self.p[alphabet] = {t: self.row(alphabet, t, error) for t in alphabet}
            self.pin[alphabet] = {}
            for t, row in self.p[alphabet].items():
                wrong = math.fsum(row[s] for s in alphabet if s != t)
                self.pin[alphabet][t] = {s: PIN_SOUND if s == t else (1 - PIN_SOUND) * row[s] / wrong
                                         for s in alphabet}

    @staticmethod
    def row(alphabet, t, error):
        alike = confusable(alphabet, t)
        others = len(alphabet) - 1 - len(alike)
        row = {}
        for r in alphabet:
            if r == t:
                row[r] = 1 - error
            elif not alike:
                row[r] = error / others
            elif r in alike:
                row[r] = 0.8 * error / len(alike)
            else:
                row[r] = 0.2 * error / others
        return row


class Mark:
    """One mark of one specimen under one scheme."""

    def __init__(self, alphabet, positions, turned=False, rows=False, gear=None, rotated=False):
        self.alphabet, self.positions = alphabet, positions
        self.turned, self.rows, self.gear, self.rotated = turned, rows, gear, rotated

    def seen(self, matrix, weights, t, turned):
        """P(what was seen at a position | the pin presents t)."""
        if weights is None:
            return 1.0
        total = 0.0
        for c, w in weights.items():
            if not turned:
                total += w * matrix.p[self.alphabet][t][c]
            elif c in TURN:
                total += w * matrix.p[self.alphabet][t][TURN[c]]
            else:
                total += w / len(self.alphabet)
        return total

    def tooth_values(self, sector):
        """P(the sector's teeth | value) for values 0 to 28."""
        if self.gear is None:
            return [1.0] * 29
        teeth = self.gear[5 * sector:5 * sector + 5]
        out = []
        for value in range(29):
            p = 1.0
            for i, tooth in enumerate(teeth):
                if tooth != "?":
                    p *= 1 - TOOTH_ERROR if int(tooth) == (value >> (4 - i) & 1) else TOOTH_ERROR
            out.append(p)
        return out

    def views(self, matrix):
        """Each way in which the mark may have been held: (prior, rows p[position][character], which
        positions say something of the code)."""
        length = len(self.positions)
        turns = (False, True) if self.turned else (False,)
        swaps = (False, True) if self.rows else (False,)
        rotations = range(8) if self.rotated and self.gear else (0,)
        prior = 1 / (len(turns) * len(swaps) * len(rotations))
        for turned, swapped, rotation in itertools.product(turns, swaps, rotations):
            rows, spoken = [], []
            for i in range(length):
                at = length - 1 - i if turned else i
                at = (at + 4) % 8 if swapped else at
                weights = self.positions[at]
                row = [self.seen(matrix, weights, t, turned) for t in self.alphabet]
                says = weights is not None and (not turned or any(c in TURN and w for c, w in weights.items()))
                if self.gear:
                    sector = (i + rotation) % 8
                    row = [a * b for a, b in zip(row, self.tooth_values(sector))]
                    says = says or any(tooth != "?" for tooth in self.gear[5 * sector:5 * sector + 5])
                rows.append(row)
                spoken.append(says)
            yield prior, rows, spoken


class Line:
    """The marks of one placement of one gun, all under one scheme."""

    def __init__(self, matrix, marks):
        self.alphabet, self.length = marks[0].alphabet, len(marks[0].positions)
        self.views = []
        pin = matrix.pin[self.alphabet]
        for held in itertools.product(*[list(mark.views(matrix)) for mark in marks]):
            prior = math.prod(h[0] for h in held)
            if len(held) == 1:
                self.views.append((prior, held[0][1]))
                continue
            rows = []
            for i in range(self.length):
                presented = [math.prod(h[1][i][s] for h in held) for s in range(len(self.alphabet))]
                # A single reading's error rate has worn pins in it already.
                if sum(h[2][i] for h in held) < 2:
                    rows.append(presented)
                    continue
                rows.append([math.fsum(pin[t][s] * p for s, p in zip(self.alphabet, presented))
                             for t in self.alphabet])
            self.views.append((prior, rows))

    def likelihood(self, code):
        symbols = [self.alphabet.index(c) for c in code]
        return math.fsum(w * math.prod(row[s] for row, s in zip(rows, symbols))
                         for w, rows in self.views)

    def z(self):
        """Sum over all valid words of R29-8, one position after the other, by check sums."""
        total = 0.0
        for w, rows in self.views:
            state = {(0, 0): 1.0}
            for row, weight in zip(rows, WEIGHT):
                after = {}
                for (s0, s1), value in state.items():
                    for t, p in enumerate(row):
                        key = ((s0 + t) % 29, (s1 + weight * t) % 29)
                        after[key] = after.get(key, 0.0) + value * p
                state = after
            total += w * state[(0, 0)]
        return total

    def mean(self):
        """Mean over all strings."""
        return math.fsum(w * math.prod(math.fsum(row) / len(self.alphabet) for row in rows)
                         for w, rows in self.views)

    def expected(self, frequency, texts=None):
        """Mean over strings drawn by the frequencies of characters; of given texts only, if any."""
        if texts is not None:
            return math.fsum(self.likelihood(t) * math.prod(f[OPAQUE.index(c)] for f, c in
                                                            zip(frequency, t)) for t in texts)
        return math.fsum(w * math.prod(math.fsum(a * b for a, b in zip(row, f))
                                       for row, f in zip(rows, frequency))
                         for w, rows in self.views)

    def expected_halves(self, frequency, first, second):
        """The same over all strings whose first half is among `first` or second among `second`."""
        middle = self.length // 2
        total = 0.0
        for w, rows in self.views:
            def part(text, at):
                return math.prod(rows[at + i][OPAQUE.index(c)] * frequency[at + i][OPAQUE.index(c)]
                                 for i, c in enumerate(text))
            whole = [math.prod(math.fsum(a * b for a, b in zip(rows[i], frequency[i]))
                               for i in range(a0, a1))
                     for a0, a1 in ((0, middle), (middle, self.length))]
            one = math.fsum(part(t, 0) for t in first)
            two = math.fsum(part(t, middle) for t in second)
            total += w * (one * whole[1] + whole[0] * two - one * two)
        return total

    def best_string(self):
        """The greatest likelihood among the strings that are best under one of the views."""
        return max(self.likelihood([self.alphabet[max(range(len(row)), key=row.__getitem__)] for row in rows])
                   for _, rows in self.views)

    def chance(self, frequency, limit):
        """The share of strings, drawn by the frequencies, that reach the limit. One view only."""
        (weight, rows), = self.views
        limit = math.log(limit) - math.log(weight) - 1e-9
        top = [math.fsum(math.log(max(row)) for row in rows[i:]) for i in range(len(rows) + 1)]
        shares = {0.0: 1.0}  # by logarithm, rounded far below what matters, so that equal ones meet
        for i, (row, f) in enumerate(zip(rows, frequency)):
            after = {}
            for so_far, share in shares.items():
                for p, q in zip(row, f):
                    key = round(so_far + math.log(p), 11)
                    if key + top[i + 1] >= limit - 1e-8:
                        after[key] = after.get(key, 0.0) + share * q
            shares = after
        return math.fsum(share for value, share in shares.items() if value >= limit)


def unfold(text, alphabet):
    """Positions of a reading: None, or equal weights of its members."""
    out, choice = [], None
    for c in text.upper():
        c = FOLD.get(c, c) if alphabet is R29 else c
        if c in " -":
            continue
        if c == "[":
            choice = []
        elif c == "]":
            out.append({m: 1 / len(choice) for m in choice})
            choice = None
        elif choice is not None:
            if c not in choice:
                choice.append(c)
        else:
            out.append(None if c == "?" else {c: 1.0})
    assert choice is None
    return out


def weighed(listed, alphabet):
    """A position given by weights: what is missing to 1 goes evenly to what is not listed."""
    if not listed:
        return None
    weights = {}
    for c, w in listed.items():
        c = FOLD.get(c, c) if alphabet is R29 else c
        weights[c] = weights.get(c, 0.0) + w
    rest = [c for c in alphabet if c not in weights]
    missing = max(0.0, 1 - math.fsum(weights.values()))
    for c in rest:
        weights[c] = missing / len(rest)
    return weights


def serial_ratio(matrix, pattern, recorded):
    """How much better a recorded number explains a pattern than one of random characters: the mean
    over all ways of laying the pattern along it; '*' takes any number of characters. pattern: '?',
    '*', or the characters that it may be."""
    at_random = {r: math.fsum(matrix.p[OPAQUE][t][r] for t in OPAQUE) / 36 for r in OPAQUE}
    ways = []

    def lay(i, n, ratio):
        if i == len(pattern):
            if n == len(recorded):
                ways.append(ratio)
        elif pattern[i] == "*":
            for end in range(n, len(recorded) + 1):
                lay(i + 1, end, ratio)
        elif n < len(recorded):
            one = 1.0
            if pattern[i] != "?":
                one = (sum(matrix.p[OPAQUE][recorded[n]][r] for r in pattern[i]) /
                       sum(at_random[r] for r in pattern[i]))
            lay(i + 1, n + 1, ratio * one)

    lay(0, 0, 1.0)
    return max(math.fsum(ways) / len(ways), 0.01) if ways else 0.01


def complete(symbols):
    """The valid word with these six first symbols, as text."""
    s0, s1 = sum(symbols), sum(w * c for w, c in zip(WEIGHT, symbols))
    y = (6 * s0 - s1) * pow(6, -1, 29) % 29
    return "".join(R29[c] for c in [*symbols, (-s0 - y) % 29, y])


def is_valid(code):
    symbols = [R29.index(c) for c in code]
    return sum(symbols) % 29 == 0 and sum(w * c for w, c in zip(WEIGHT, symbols)) % 29 == 0
