# SPDX-License-Identifier: Apache-2.0
"""From lines to posteriors, states and groups, by plain loops over all firearms; goes with scorer.py.

The engine does not look at every firearm: it asks for some codes, and counts what it did not ask for
as "unlisted", at what is to be expected of it. Which codes it asked for is taken from it, and
checked; what they mean is computed here.
"""
import math
from dataclasses import dataclass, field

from scorer import OPAQUE, R29, WORDS, SAME, Line

UNKNOWN = -1  # placement


@dataclass
class Registry:
    firearms: float
    pi0: float
    r29: float
    opaque: dict = field(default_factory=dict)  # by length
    frequency: dict = field(default_factory=dict)  # by length: [position][symbol]

    def characters(self, length):
        return self.frequency.get(length) or [[1 / 36] * 36 for _ in range(length)]


@dataclass
class Recorded:
    placement: int
    alphabet: str
    code: str
    factor: float = 1.0


@dataclass
class Candidate:
    marks: list
    factors: dict  # by specimen, 1 if missing


@dataclass
class Seen:
    """A mark of a specimen: under R29-8, under opaque schemes, or both when that is not known."""
    specimen: int
    placement: int
    r29: object = None
    opaque: object = None


@dataclass
class Listed:
    """What the engine asked for."""
    r29: set
    opaque: set
    first: dict  # by length of whole codes: halves
    second: dict


class Evidence:
    """One line under the schemes that it may have."""

    def __init__(self, matrix, registry, listed, placement, marks):
        self.placement, self.registry, self.listed = placement, registry, listed
        self.marks = marks
        self.r29 = Line(matrix, [m.r29 for m in marks]) if all(m.r29 for m in marks) else None
        self.opaque = Line(matrix, [m.opaque for m in marks]) if all(m.opaque for m in marks) else None
        self.illegible = all(
            all(p is None for p in one.positions) and not one.gear
            for m in marks for one in (m.r29, m.opaque) if one)
        counts = {"r29": registry.r29 if self.r29 else 0.0,
                  "opaque": registry.opaque.get(self.opaque.length, 0.0) if self.opaque else 0.0}
        total = sum(counts.values())
        schemes = [s for s in counts if getattr(self, s)]
        self.share = {s: counts[s] / total if total else 1 / len(schemes) for s in schemes}
        self.compute()

    def compute(self):
        self.nobody = self.unlisted = self.mean = 0.0
        self.best = 0.0
        for scheme, share in self.share.items():
            if scheme == "r29":
                z = self.z = self.r29.z()
                nobody = 0.5 * z / WORDS + 0.5 * self.r29.mean()
                left = max(0.0, z - math.fsum(self.r29.likelihood(c) for c in self.listed.r29))
                self.left = left
                unlisted, mean = left / WORDS, z / WORDS
                if self.listed.r29:
                    self.best = max(self.best, max(self.r29.likelihood(c) for c in self.listed.r29))
            else:
                frequency = self.registry.characters(self.opaque.length)
                nobody = mean = self.opaque.expected(frequency)
                found = self.opaque.expected(frequency, self.codes_listed())
                unlisted = max(0.0, nobody - found - self.opaque.expected_halves(
                    frequency, self.listed.first.get(self.opaque.length, ()),
                    self.listed.second.get(self.opaque.length, ())))
                self.best = max(self.best, self.opaque.best_string())
            self.nobody += share * nobody
            self.unlisted += share * unlisted
            self.mean += share * mean
        self.best = max(self.best, self.mean)  # where nothing was looked up

    def codes_listed(self):
        """Whole codes that no listed half covers."""
        length, half = self.opaque.length, self.opaque.length // 2
        first, second = self.listed.first.get(length, ()), self.listed.second.get(length, ())
        return [c for c in self.listed.opaque
                if len(c) == length and c[:half] not in first and c[half:] not in second]

    def fits(self, recorded):
        line = self.r29 if recorded.alphabet is R29 else self.opaque
        return line is not None and line.length == len(recorded.code)

    def likelihood(self, code, alphabet):
        return (self.r29 if alphabet is R29 else self.opaque).likelihood(code)

    def of(self, candidate):
        """The line's likelihood if the candidate is the gun: of the mark at its placement; of any
        placement, the mean over those that can be compared. Without one, of nobody's."""
        best = {}
        for recorded in candidate.marks:
            if self.placement not in (UNKNOWN, recorded.placement) or not self.fits(recorded):
                continue
            value = recorded.factor * self.likelihood(recorded.code, recorded.alphabet)
            best[recorded.placement] = max(best.get(recorded.placement, 0.0), value)
        return math.fsum(best.values()) / len(best) if best else self.nobody

    def chance(self, limit, listed_only):
        """Of all codes that could be registered, the share that fits at least as well. Of the words
        of R29-8 that are not listed, at most `left / limit`. Several views of an opaque code, and a
        limit that is a mean of several: None."""
        limit *= SAME
        total = 0.0
        for scheme, share in self.share.items():
            if scheme == "r29":
                count = sum(self.r29.likelihood(c) >= limit for c in self.listed.r29)
                if not listed_only:
                    count += math.floor(self.left / limit)
                total += share * count / WORDS
            elif len(self.opaque.views) == 1:
                total += share * self.opaque.chance(self.registry.characters(self.opaque.length), limit)
            else:
                return None
        return total


class Group:
    def __init__(self, matrix, registry, listed, specimens, seen, candidates):
        self.specimens, self.registry, self.candidates = specimens, registry, candidates
        self.lines = [Evidence(matrix, registry, listed, placement, marks)
                      for placement, marks in self.by_line(seen)]
        self.rank()

    def by_line(self, seen):
        """One line for each known placement; of marks of unknown placement, the first of each
        specimen are one line, the second another, and so on."""
        lines, unknown = {}, {}
        for mark in seen:
            if mark.specimen not in self.specimens:
                continue
            key = (mark.placement, 0)
            if mark.placement == UNKNOWN:
                unknown[mark.specimen] = unknown.get(mark.specimen, -1) + 1
                key = (UNKNOWN, unknown[mark.specimen])
            lines.setdefault(key, []).append(mark)
        return [(key[0], marks) for key, marks in lines.items()]

    def factor(self, candidate):
        values = [candidate.factors.get(s, 1.0) for s in self.specimens]
        return math.prod(max(v, 1.0) for v in values) * min(min(v, 1.0) for v in values)

    def rank(self):
        n = max(self.registry.firearms, len(self.candidates))
        prior = (1 - self.registry.pi0) / n if n else 0.0
        self.nobody = math.prod(line.nobody for line in self.lines)
        self.ratios = [self.factor(c) * math.prod(line.of(c) / line.nobody for line in self.lines)
                       for c in self.candidates]
        unlisted = (1 - self.registry.pi0) if n else 0.0
        unlisted *= math.prod(line.unlisted / line.nobody for line in self.lines)
        whole = self.registry.pi0 + unlisted + prior * math.fsum(self.ratios)
        self.evidence = math.log(whole) + math.log(self.nobody)  # log M(g)
        self.posteriors = [prior * r / whole for r in self.ratios]
        self.not_registered = self.registry.pi0 / whole
        self.unlisted = unlisted / whole
        best_code = math.prod(line.best / line.nobody for line in self.lines)
        self.ratio = max(self.ratios, default=best_code)
        self.reading = math.log(best_code, 29)
        self.effective = math.log(self.ratio, 29)
        self.n = n

    def state(self, near):
        """near: whether a registered code is within two substitutions."""
        if max(self.reading, self.effective) < 3:
            return "insufficient"
        if self.not_registered >= 0.9 and not near:
            return "no_match"
        if max(self.posteriors, default=0.0) >= 0.99 and self.ratio >= 1e7:
            return "identified"
        return "candidates"

    def chance(self):
        """Registered codes that fit as well as the best candidate (the best code, if none) by chance:
        at least and at most so many. Over several lines, by Markov's inequality."""
        if len(self.lines) > 1:
            best = math.prod(line.mean / line.nobody for line in self.lines) / self.ratio
            return self.n * min(1.0, best), self.n * min(1.0, best)
        line = self.lines[0]
        best = max(range(len(self.ratios)), key=lambda i: self.ratios[i], default=None)
        limit = line.best
        if best is not None:
            fitting = [m for m in self.candidates[best].marks
                       if line.fits(m) and line.placement in (UNKNOWN, m.placement)]
            if not fitting:
                return 0.0, self.n
            limit = max(line.likelihood(m.code, m.alphabet) for m in fitting)
            if line.placement == UNKNOWN:
                limit = line.of(self.candidates[best])  # a mean over placements
        shares = [line.chance(limit, listed_only) for listed_only in (True, False)]
        if shares[0] is None:
            return 0.0, self.n
        return self.n * shares[0], self.n * min(1.0, shares[1])


def grouped(links, specimens, make):
    """Greedy: from one group for each specimen (those that are linked together), merges the pair
    with the largest log Bayes factor while that is over 0. make: set of specimens -> Group.
    Returns the groups, by their first specimens, and how much better they are than one (log)."""
    sets = [{s} for s in specimens]
    for a, b in links:
        one = next(s for s in sets if a in s)
        other = next(s for s in sets if b in s)
        if one is not other:
            sets.remove(other)
            one |= other
    groups = [make(frozenset(s)) for s in sets]
    while len(groups) > 1:
        best, merged, pair = 0.0, None, None
        for i in range(len(groups)):
            for j in range(i + 1, len(groups)):
                both = make(groups[i].specimens | groups[j].specimens)
                gain = both.evidence - groups[i].evidence - groups[j].evidence
                if gain > best:
                    best, merged, pair = gain, both, (groups[i], groups[j])
        if merged is None:
            break
        groups = [g for g in groups if g not in pair] + [merged]
    groups.sort(key=lambda g: min(g.specimens))
    everything = make(frozenset().union(*[g.specimens for g in groups]))
    return groups, math.fsum(g.evidence for g in groups) - everything.evidence
