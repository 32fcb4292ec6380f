# SPDX-License-Identifier: Apache-2.0
"""Turns the patterns of openapi.yaml into tables, so that nothing interprets a pattern at run time.

A pattern is a whole-string one, "^…$", of literals, classes ([a-z], [^...], \\xNN), groups,
alternatives and the repeats ? * + {m} {m,n}. The table works on the bytes of UTF-8 text: a class
with ^ takes every byte of a character beyond ASCII, so only ? * + may follow such a class.
"""

ASCII = frozenset(range(128))
BEYOND = frozenset(range(128, 256))
SPECIAL = set("()[]{}*+?|^$.\\")


class PatternError(ValueError):
    pass


class _Parser:
    """Recursive descent; the result is a tree of ("set", bytes), ("cat", …), ("alt", …), ("rep", …)."""

    def __init__(self, text):
        if not (text.startswith("^") and text.endswith("$")):
            raise PatternError("a pattern is written ^…$")
        self.text = text[1:-1]
        self.at = 0

    def peek(self):
        return self.text[self.at] if self.at < len(self.text) else None

    def take(self):
        char = self.peek()
        if char is None:
            raise PatternError("the pattern ends too early")
        self.at += 1
        return char

    def parse(self):
        tree = self.alternatives()
        if self.peek() is not None:
            raise PatternError(f"unexpected {self.peek()!r}")
        return tree

    def alternatives(self):
        branches = [self.sequence()]
        while self.peek() == "|":
            self.take()
            branches.append(self.sequence())
        return branches[0] if len(branches) == 1 else ("alt", branches)

    def sequence(self):
        parts = []
        while self.peek() not in (None, "|", ")"):
            parts.append(self.repeated())
        return ("cat", parts)

    def repeated(self):
        atom = self.atom()
        char = self.peek()
        if char == "{":
            low, high = self.counts()
            if _has_beyond(atom):
                raise PatternError("counted repeats of characters beyond ASCII would count bytes")
        elif char in ("?", "*", "+"):
            self.take()
            low, high = {"?": (0, 1), "*": (0, None), "+": (1, None)}[char]
        else:
            return atom
        return ("rep", atom, low, high)

    def counts(self):
        self.take()
        text = ""
        while self.peek() != "}":
            text += self.take()
        self.take()
        low, _, high = text.partition(",")
        low = int(low)
        high = low if high == "" and "," not in text else int(high)
        if not 0 <= low <= high <= 64:
            raise PatternError("a counted repeat goes from 0 to 64")
        return low, high

    def atom(self):
        char = self.take()
        if char == "(":
            tree = self.alternatives()
            if self.take() != ")":
                raise PatternError("a group is not closed")
            return tree
        if char == "[":
            return self.char_class()
        if char == "\\":
            return ("set", frozenset([self.escape()]))
        if char in SPECIAL or ord(char) > 127:
            raise PatternError(f"{char!r} is not supported here")
        return ("set", frozenset([ord(char)]))

    def escape(self):
        char = self.take()
        if char == "x":
            value = int(self.take() + self.take(), 16)
            if value > 127:
                raise PatternError("escapes are ASCII")
            return value
        if char.isalnum():
            raise PatternError(f"\\{char} is not supported")
        return ord(char)

    def class_char(self):
        char = self.take()
        if char == "\\":
            return self.escape()
        if ord(char) > 127:
            raise PatternError("classes list ASCII only")
        return ord(char)

    def char_class(self):
        negated = self.peek() == "^"
        if negated:
            self.take()
        members = set()
        while self.peek() != "]":
            low = high = self.class_char()
            if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] != "]":
                self.take()
                high = self.class_char()
            if high < low:
                raise PatternError("a range runs backwards")
            members.update(range(low, high + 1))
        self.take()
        return ("set", (ASCII - members) | BEYOND if negated else frozenset(members))


def _has_beyond(tree):
    if tree[0] == "set":
        return bool(tree[1] & BEYOND)
    if tree[0] == "rep":
        return _has_beyond(tree[1])
    return any(_has_beyond(part) for part in tree[1])


class _Machine:
    """Non-deterministic machine: edges[state] = [(bytes or None, next state)]."""

    def __init__(self, tree):
        self.edges = [[]]
        self.end = self.add(tree, 0)

    def state(self):
        self.edges.append([])
        return len(self.edges) - 1

    def add(self, tree, start):
        kind = tree[0]
        if kind == "set":
            end = self.state()
            self.edges[start].append((tree[1], end))
            return end
        if kind == "cat":
            for part in tree[1]:
                start = self.add(part, start)
            return start
        if kind == "alt":
            end = self.state()
            for branch in tree[1]:
                begin = self.state()
                self.edges[start].append((None, begin))
                self.edges[self.add(branch, begin)].append((None, end))
            return end
        _, inner, low, high = tree
        for _ in range(low):
            start = self.add(inner, start)
        if high is None:
            loop = self.state()
            self.edges[start].append((None, loop))
            self.edges[self.add(inner, loop)].append((None, loop))
            return loop
        end = self.state()
        self.edges[start].append((None, end))
        for _ in range(high - low):
            start = self.add(inner, start)
            self.edges[start].append((None, end))
        return end

    def closure(self, states):
        found, todo = set(states), list(states)
        while todo:
            for label, target in self.edges[todo.pop()]:
                if label is None and target not in found:
                    found.add(target)
                    todo.append(target)
        return frozenset(found)


def _determine(machine):
    """rows[state][byte] = next state or None; the first state is 0."""
    start = machine.closure([0])
    numbers, rows, todo = {start: 0}, [], [start]
    while todo:
        here = todo.pop(0)
        edges = [edge for state in here for edge in machine.edges[state] if edge[0] is not None]
        row = []
        for byte in range(256):
            target = machine.closure([to for label, to in edges if byte in label])
            if not target:
                row.append(None)
                continue
            if target not in numbers:
                numbers[target] = len(numbers)
                todo.append(target)
            row.append(numbers[target])
        rows.append(row)
    accepting = [machine.end in states for states in numbers]
    return rows, accepting


def _minimise(rows, accepting):
    """Merges states that no text can tell apart, by refinement from accepting / not accepting."""
    group = [int(flag) for flag in accepting]
    while True:
        signatures = {}
        refined = []
        for state, row in enumerate(rows):
            signature = (group[state], tuple(None if to is None else group[to] for to in row))
            refined.append(signatures.setdefault(signature, len(signatures)))
        if len(signatures) == len(set(group)):
            break
        group = refined
    first = {number: state for state, number in reversed(list(enumerate(group)))}
    order = sorted(first, key=lambda number: first[number])
    place = {number: index for index, number in enumerate(order)}
    table = [
        [None if to is None else place[group[to]] for to in rows[first[number]]] for number in order
    ]
    return table, [accepting[first[number]] for number in order]


def compile_pattern(text):
    """Returns (classes, steps, accepting): classes[byte] is a column of steps; steps[state][column]
    is the next state + 1, or 0 where no text can match any more; the first state is 0."""
    rows, accepting = _minimise(*_determine(_Machine(_Parser(text).parse())))
    columns, classes = {}, []
    for byte in range(256):
        column = tuple(0 if row[byte] is None else row[byte] + 1 for row in rows)
        classes.append(columns.setdefault(column, len(columns)))
    if len(rows) > 254:
        raise PatternError("the pattern needs more than 254 states")
    return classes, [list(step) for step in zip(*columns)], accepting
