# SPDX-License-Identifier: Apache-2.0
"""Writes the validators' trees: requests' schemas of openapi.yaml as constants of validate.h."""

import re

from checks import ANNOTATIONS, KEYWORDS, ContractError
from pattern import PatternError, compile_pattern

TYPES = {
    "object": ("API_TYPE_OBJECT", "an object"),
    "array": ("API_TYPE_ARRAY", "an array"),
    "string": ("API_TYPE_STRING", "a string"),
    "integer": ("API_TYPE_INTEGER", "an integer"),
    "number": ("API_TYPE_NUMBER", "a number"),
    "boolean": ("API_TYPE_BOOLEAN", "true or false"),
    "null": ("API_TYPE_NULL", "null"),
}
FORMATS = {
    "date": ("API_FORMAT_DATE", "a date of the calendar, YYYY-MM-DD"),
    "date-time": ("API_FORMAT_DATE_TIME", "a time in UTC such as 2026-11-01T12:34:56Z"),
}
ID = re.compile(r"\^([a-z]{3}_)\[0-9a-f\]\{32\}\$\Z")
TEXT_MAX = 299  # API_EXPECTED_TEXT without the NUL


def quote(text):
    """A C string literal of printable ASCII text."""
    if not all(" " <= char <= "~" for char in text):
        raise ContractError(f"{text!r} is not printable ASCII")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("??", "?\\?") + '"'


def expected(text):
    text = f"expected {text}"
    if len(text) > TEXT_MAX:
        raise ContractError(f"longer than {TEXT_MAX} characters: {text}")
    return quote(text)


def _between(low, high, noun):
    plural = noun if high == 1 else f"{noun}s"
    if low == high:
        return f"exactly {low} {plural}"
    return f"{low} to {high} {plural}" if low else f"at most {high} {plural}"


class Writer:
    """Collects definitions; the same schema, pattern or list of words is written once."""

    def __init__(self, contract):
        self.contract = contract
        self.lines = []
        self.names = {}

    def define(self, stem, body):
        """body: what follows the name of a static constant. Returns the name."""
        if (stem, body) not in self.names:
            name = f"{stem}_{sum(1 for known, _ in self.names if known == stem)}"
            self.names[stem, body] = name
            self.lines.append(body.replace("@", name, 1))
        return self.names[stem, body]

    def words(self, words):
        if not all(isinstance(word, str) for word in words):
            raise ContractError(f"only strings can be listed: {words}")
        listed = ", ".join(quote(word) for word in sorted(words, key=str.encode))
        return self.define("words", f"static const char *const @[] = {{{listed}}};")

    def pattern(self, text):
        try:
            classes, steps, accepting = compile_pattern(text)
        except PatternError as problem:
            raise ContractError(f"pattern {text}: {problem}") from problem
        flat = [to for row in steps for to in row]
        arrays = [
            self.define("bytes", "static const uint8_t @[] = {" + ", ".join(map(str, values)) + "};")
            for values in (classes, flat, [int(flag) for flag in accepting])
        ]
        return self.define(
            "pattern",
            "static const struct api_pattern @ = "
            f"{{{arrays[0]}, {arrays[1]}, {arrays[2]}, {len(steps[0])}}};",
        )

    def properties(self, properties):
        """properties: (name, schema name, required). Returns the name of the array or NULL."""
        if not properties:
            return "NULL"
        rows = ", ".join(
            f"{{{quote(name)}, &{schema}, {'true' if required else 'false'}}}"
            for name, schema, required in properties
        )
        return self.define("members", f"static const struct api_property @[] = {{{rows}}};")

    # ---- schemas ---------------------------------------------------------------------------

    def schema(self, node, where):
        node = {k: v for k, v in self.contract.resolve(node).items() if k not in ANNOTATIONS}
        unknown = set(node) - KEYWORDS
        if unknown:
            raise ContractError(f"{where}: no validator for {sorted(unknown)}")
        fields = self._choice(node, where) if "oneOf" in node else self._plain(node, where)
        text = ", ".join(f".{key} = {value}" for key, value in fields.items())
        return self.define("schema", f"static const struct api_schema @ = {{{text}}};")

    def _plain(self, node, where):
        kinds = node.get("type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if not all(kind in TYPES for kind in kinds):
            raise ContractError(f"{where}: type {kinds}")
        fields = {
            "types": " | ".join(TYPES[kind][0] for kind in kinds),
            "type_text": expected(" or ".join(TYPES[kind][1] for kind in kinds)),
        }
        if "object" in kinds:
            self._object(node, where, fields)
        if "array" in kinds:
            self._array(node, where, fields)
        if "string" in kinds:
            self._string(node, where, fields)
        if "integer" in kinds:
            self._integer(node, where, fields)
        if "number" in kinds and {"minimum", "maximum"} & set(node):
            raise ContractError(f"{where}: no validator for the range of a number")
        return fields

    def _object(self, node, where, fields):
        members, required = node["properties"], node.get("required", [])
        if not set(required) <= set(members):
            raise ContractError(f"{where}: required members that are not described")
        fields["properties"] = self.properties(
            [(n, self.schema(s, f"{where}/{n}"), n in required) for n, s in members.items()]
        )
        fields["property_count"] = len(members)
        fields["members_text"] = expected("no other members than " + ", ".join(members))

    def _array(self, node, where, fields):
        low, high = node.get("minItems", 0), node["maxItems"]
        fields["items"] = "&" + self.schema(node["items"], f"{where}/*")
        fields["min_size"], fields["max_size"] = low, high
        fields["limits_text"] = expected(_between(low, high, "element"))
        if node.get("uniqueItems"):
            if self.contract.resolve(node["items"]).get("type") != "string":
                raise ContractError(f"{where}: uniqueItems of strings only")
            fields["unique"] = "true"

    def _string(self, node, where, fields):
        words = [node["const"]] if "const" in node else node.get("enum")
        if words is not None:
            fields["words"], fields["word_count"] = self.words(words), len(words)
            fields["words_text"] = expected(("one of: " if len(words) > 1 else "") + ", ".join(words))
            return
        low, high = node.get("minLength", 0), node["maxLength"]
        fields["min_size"], fields["max_size"] = low, high
        fields["limits_text"] = expected(_between(low, high, "character"))
        if "format" in node:
            if node["format"] not in FORMATS or "pattern" in node:
                raise ContractError(f"{where}: format {node['format']}")
            fields["format"], text = FORMATS[node["format"]]
            fields["limits_text"] = fields["pattern_text"] = expected(text)
        if "pattern" in node:
            id_prefix = ID.match(node["pattern"])
            text = node.get("x-expected")
            if id_prefix:
                text = f"an id: {id_prefix[1]} and 32 lower-case hexadecimal digits"
            if text is None:
                raise ContractError(f"{where}: a pattern without x-expected")
            fields["pattern"] = "&" + self.pattern(node["pattern"])
            fields["pattern_text"] = expected(text)
            if not {"*", "+"} & set(node["pattern"]):
                # The pattern bounds the length itself, and says better what was expected.
                fields["limits_text"] = fields["pattern_text"]

    def _integer(self, node, where, fields):
        if not {"minimum", "maximum"} <= set(node):
            raise ContractError(f"{where}: an integer without minimum and maximum")
        low, high = node["minimum"], node["maximum"]
        fields["has_range"] = "true"
        fields["minimum"], fields["maximum"] = f"INT64_C({low})", f"INT64_C({high})"
        fields["limits_text"] = expected(f"an integer from {low} to {high}")

    # ---- one of several ---------------------------------------------------------------------

    def _choice(self, node, where):
        """Branches are objects that a member tells apart: by its value, or by being there."""
        if set(node) - {"oneOf"}:
            raise ContractError(f"{where}: nothing stands beside oneOf")
        branches = [self.contract.resolve(branch) for branch in node["oneOf"]]
        if not all(b.get("type") == "object" and "title" in b for b in branches):
            raise ContractError(f"{where}: branches of oneOf are objects with a title")
        names = [self.schema(b, f"{where}/{i}") for i, b in enumerate(branches)]
        fields = {"types": "API_TYPE_OBJECT", "type_text": expected("an object")}
        fields.update(
            self._choice_by_value(branches, names) or self._choice_by_member(branches, names, where)
        )
        fields["branch_count"] = len(branches)
        return fields

    def _choice_by_value(self, branches, names):
        for member in branches[0]["properties"]:
            listed = [self._listed(branch, member) for branch in branches]
            if None in listed or len(set(sum(listed, []))) != len(sum(listed, [])):
                continue
            free = [i for i, b in enumerate(branches) if member not in b.get("required", [])]
            if len(free) > 1:
                continue
            rows = ", ".join(
                f"{{.words = {self.words(words)}, .word_count = {len(words)}, .schema = &{name}}}"
                for words, name in zip(listed, names)
            )
            return {
                "choice": "API_CHOICE_VALUE",
                "choice_member": quote(member),
                "default_branch": free[0] if free else len(branches),
                "choice_text": expected("one of: " + ", ".join(sum(listed, []))),
                "branches": self.define("branches", f"static const struct api_branch @[] = {{{rows}}};"),
            }
        return None

    def _listed(self, branch, member):
        node = self.contract.resolve(branch["properties"].get(member, {}))
        words = [node["const"]] if "const" in node else node.get("enum")
        return words if words and all(isinstance(word, str) for word in words) else None

    def _choice_by_member(self, branches, names, where):
        rows, texts = [], []
        for index, (branch, name) in enumerate(zip(branches, names)):
            others = set().union(*(b["properties"] for i, b in enumerate(branches) if i != index))
            own = [m for m in branch.get("required", []) if m not in others]
            if not own:
                raise ContractError(f"{where}: nothing tells branch {index} from the others")
            rows.append(f"{{.member = {quote(own[0])}, .schema = &{name}}}")
            texts.append(f"{branch['title']} ({', '.join(branch['required'])})")
        listed = ", ".join(rows)
        return {
            "choice": "API_CHOICE_MEMBER",
            "choice_text": expected(" or ".join(texts)),
            "branches": self.define("branches", f"static const struct api_branch @[] = {{{listed}}};"),
        }


def write_schemas(contract):
    """The text of generated_schemas.c."""
    writer = Writer(contract)
    intakes = []
    for operation in contract.operations:
        fields = []
        if operation.body is not None:
            fields.append(f".body = &{writer.schema(operation.body, operation.name)}")
        if operation.rows is not None:
            rows = contract.resolve(contract.resolve(operation.body)["properties"][operation.rows])
            fields.append(f".rows = &{writer.schema(rows['items'], operation.name)}")
        for place, parameters in (("query", operation.query_parameters), ("path", operation.path_parameters)):
            listed = writer.properties([
                (p["name"], writer.schema(p["schema"], f"{operation.name}?{p['name']}"), p.get("required", False))
                for p in parameters
            ])
            if parameters:
                fields += [f".{place} = {listed}", f".{place}_count = {len(parameters)}"]
        if fields:
            intakes.append(f"    [API_OP_{operation.name.upper()}] = {{{', '.join(fields)}}},")
    key = contract.resolve({"$ref": "#/components/schemas/IdempotencyKey"})
    fields = writer._plain({k: v for k, v in key.items() if k not in ANNOTATIONS}, "Idempotency-Key")
    text = ", ".join(f".{name} = {value}" for name, value in fields.items())
    return "\n".join(
        ['#include "api/validate.h"', "", *writer.lines, ""]
        + [f"const struct api_schema api_idempotency_key_schema = {{{text}}};", ""]
        + ["const struct api_intake api_intakes[API_OPERATIONS] = {", *intakes, "};", ""]
    )
