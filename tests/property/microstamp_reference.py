#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A second scorer for readings of R29-8 codes, written apart from the C one and as plainly as
possible: no transform, no heap, no tables by sums, only definitions and pruned enumeration.

    microstamp_reference.py > microstamp_reference.txt

makes a small registry and some readings (the same each time) with the numbers that the engine must
reproduce to 1e-9; tests/unit/test_microstamp_reference.c compares.
"""
import itertools
import math
import random

ALPHABET = "0123456789ACDEFGHJKMNPRTUVWXY"
FOLD = dict(zip("BILOQSZ", "8110052"))
GROUPS = "0D 0OQD 1IL7T 2Z 5S 6G 8B3 UV CG MN HN KX EF PR 7TY".split()
ERROR = 0.02
WORDS = 29 ** 6
WEIGHT = [pow(2, i, 29) for i in range(8)]


def confusable(t):
    union = set().union(*[set(g) for g in GROUPS if t in g] or [set()])
    return {c for c in union if c in ALPHABET} - {t}


def read_as(t, r):
    group = confusable(t)
    if r == t:
        return 1 - ERROR
    if not group:
        return ERROR / 28
    if r in group:
        return 0.8 * ERROR / len(group)
    return 0.2 * ERROR / (28 - len(group))


def positions(text):
    """The sets of characters that a reading allows."""
    out, choice = [], None
    for c in text.upper():
        c = FOLD.get(c, c)
        if c in " -":
            continue
        if c == "[":
            choice = set()
        elif c == "]":
            out.append(choice)
            choice = None
        elif choice is not None:
            choice.add(c)
        else:
            out.append(set(ALPHABET) if c == "?" else {c})
    assert len(out) == 8 and choice is None
    return out


def likelihood_rows(sets):
    rows = []
    for s in sets:
        if len(s) == 29:
            rows.append([1.0] * 29)
        else:
            rows.append([sum(read_as(t, r) for r in sorted(s)) / len(s) for t in ALPHABET])
    return rows


def valid(word):
    return sum(word) % 29 == 0 and sum(w * c for w, c in zip(WEIGHT, word)) % 29 == 0


def total(rows):
    """Z: by adding one position after the other to a table of check sums."""
    state = {(0, 0): 1.0}
    for row, weight in zip(rows, WEIGHT):
        after = {}
        for (s0, s1), value in state.items():
            for t, p in enumerate(row):
                key = ((s0 + t) % 29, (s1 + weight * t) % 29)
                after[key] = after.get(key, 0.0) + value * p
        state = after
    return state[(0, 0)]


def at_least(rows, limit):
    """All valid words with a likelihood of limit or more; the two least certain positions follow
    from the others. None if that takes too long."""
    order = sorted(range(8), key=lambda i: sum(rows[i]) / max(rows[i]))
    u, v = order[6:]
    top = [max(rows[i]) for i in order]
    rest = [math.prod(top[i:]) for i in range(9)]
    choices = [sorted(((p, t) for t, p in enumerate(rows[i])), reverse=True) for i in order]
    found, word, steps = [], [0] * 8, 0

    def extend(depth, value):
        nonlocal steps
        steps += 1
        if depth == 6:
            word[u] = word[v] = 0
            s0, s1 = sum(word), sum(w * c for w, c in zip(WEIGHT, word))
            # x + y = -s0 and WEIGHT[u] x + WEIGHT[v] y = -s1
            word[v] = (WEIGHT[u] * s0 - s1) * pow(WEIGHT[v] - WEIGHT[u], -1, 29) % 29
            word[u] = (-s0 - word[v]) % 29
            value *= rows[u][word[u]] * rows[v][word[v]]
            if value >= limit:
                found.append((value, tuple(word)))
            return
        for p, t in choices[depth]:
            if value * p * rest[depth + 1] < limit or steps > 1000000:
                return
            word[order[depth]] = t
            extend(depth + 1, value * p)

    extend(0, 1.0)
    return None if steps > 1000000 else sorted(found, reverse=True)


def listed(rows, z):
    """Best first, until what is left of Z is below 1/100 of the best, and the likelihood at which
    that stopped if other words share it (which of them come first is open). None if rounding could
    decide otherwise about the end, or if there are too many."""
    limit = math.prod(max(row) for row in rows)
    while True:
        found = at_least(rows, limit)
        if found is None:
            return None
        left = z
        for count, (value, _) in enumerate(found, 1):
            left -= value
            edge = left / (found[0][0] / 100)
            if abs(edge - 1) < 1e-6:
                return None
            if edge < 1:
                tie = count < len(found) and abs(found[count][0] / value - 1) < 1e-9
                return dict((w, v) for v, w in found[:count]), value if tie else None
        limit /= 8


def near(sets):
    """All valid words with at most two positions outside of what was read; unread ones count."""
    out = set()
    for pair in itertools.combinations(range(8), 2):
        if any(len(s) == 29 and i not in pair for i, s in enumerate(sets)):
            continue
        options = [range(29) if i in pair else [ALPHABET.index(c) for c in sorted(s)]
                   for i, s in enumerate(sets)]
        out.update(w for w in itertools.product(*options) if valid(w))
    return out


def value_of(rows, word):
    return math.prod(row[c] for row, c in zip(rows, word))


def score(text, registry, n, pi0):
    """registry: {word: factor}. Returns the numbers, or None for a close call."""
    sets = positions(text)
    rows = likelihood_rows(sets)
    z = total(rows)
    result = listed(rows, z)
    if result is None:
        return None
    words, tied = result
    if tied and any(abs(value_of(rows, w) / tied - 1) < 1e-9 for w in registry):
        return None
    best_word, floor_value = max(words.values()), min(words.values())
    close = near(sets)
    for word in close:
        words.setdefault(word, value_of(rows, word))
    left = max(0.0, z - math.fsum(words.values()))
    mean = math.prod(sum(row) for row in rows) / 29 ** 8
    nobody = z / WORDS / 2 + mean / 2
    hits = sorted(((words[w] * f, w) for w, f in registry.items() if w in words), reverse=True)
    prior = (1 - pi0) / n
    unlisted = (1 - pi0) * left / WORDS
    everything = prior * sum(h[0] for h in hits) + unlisted + pi0 * nobody
    absent = pi0 * nobody / everything
    ratio = (hits[0][0] if hits else best_word) / nobody
    reading = math.log(best_word / nobody, 29)
    compared = (words[hits[0][1]] if hits else best_word) * (1 - 1e-9)
    count = sum(v >= compared for v in words.values())
    if compared < floor_value:
        count += math.floor(left / compared)
    if reading < 3:
        state = "insufficient"
    elif absent >= 0.9 and not any(w in close for _, w in hits):
        state = "no_match"
    elif hits and prior * hits[0][0] / everything >= 0.99 and ratio >= 1e7:
        state = "identified"
    else:
        state = "candidates"
    numbers = [z, mean, absent, unlisted / everything, ratio, math.log(ratio, 29), reading,
               n * count / WORDS]
    return state, numbers, len(words), [(w, prior * v / everything) for v, w in hits]


def complete(rng):
    word = [rng.randrange(29) for _ in range(6)]
    s0, s1 = sum(word), sum(w * c for w, c in zip(WEIGHT, word))
    y = (6 * s0 - s1) * pow(6, -1, 29) % 29
    return tuple(word + [(-s0 - y) % 29, y])


def spoil(rng, word, unread, wrong, likely, choices):
    """A reading of a word with so much of each kind of trouble."""
    text = [ALPHABET[c] for c in word]
    order = rng.sample(range(8), unread + wrong + likely + choices)
    for i in order[:unread]:
        text[i] = "?"
    for i in order[unread:unread + wrong]:
        text[i] = rng.choice([c for c in ALPHABET if c != text[i]])
    for i in order[unread + wrong:unread + wrong + likely]:
        text[i] = rng.choice(sorted(confusable(text[i])) or ["9"])
    for i in order[len(order) - choices:] if choices else []:
        text[i] = "[" + text[i] + "".join(rng.sample(ALPHABET, rng.choice([1, 1, 2]))) + "]"
    return "".join(text)


def main():
    rng = random.Random(29)
    registry = {}
    while len(registry) < 40:
        registry[complete(rng)] = rng.choice([1, 1, 1, 1, 0.02, 0.05, 0.001])
    # Some that are close to each other, so that rankings have more than one entry.
    for word in list(registry)[:20]:
        for _, other in at_least(likelihood_rows([{ALPHABET[c]} for c in word]), 1e-6)[1:4]:
            registry.setdefault(other, rng.choice([1, 1, 0.05]))
    for word, factor in registry.items():
        print("code", "".join(ALPHABET[c] for c in word), factor)
    kinds = [(0, 0, 0, 0), (1, 0, 0, 0), (2, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 2, 0, 0),
             (0, 0, 2, 0), (0, 1, 1, 0), (1, 1, 0, 0), (1, 0, 1, 0), (0, 0, 0, 1), (0, 0, 0, 3),
             (1, 0, 0, 1), (0, 1, 0, 1), (2, 0, 1, 0), (2, 0, 0, 1), (0, 0, 0, 5), (0, 0, 3, 0)]
    registered = list(registry)
    for kind in kinds:
        made = 0
        while made < 4:
            word = complete(rng) if made == 3 else rng.choice(registered)
            text, n = spoil(rng, word, *kind), rng.choice([100, 2000, 100000, 2000000])
            pi0 = rng.choice([0.5, 0.5, 0.2])
            result = score(text, registry, n, pi0)
            if result is None:
                continue
            state, numbers, count, hits = result
            print("case", text, n, pi0, state, count, *("%.15e" % x for x in numbers), len(hits))
            for word, posterior in hits:
                print("hit", "".join(ALPHABET[c] for c in word), "%.15e" % posterior)
            made += 1


if __name__ == "__main__":
    main()
