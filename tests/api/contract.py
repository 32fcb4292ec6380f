# SPDX-License-Identifier: Apache-2.0
"""Holds replies against api/openapi.yaml and api/errors.yaml.

    contract = Contract()
    contract.check("GET", "/v1/me", reply.status_code, reply.headers, reply.content)
    assert contract.unseen(success_only=True) == []

`check` raises ContractViolation, an AssertionError, when a reply is not as the contract says, and
remembers which (operation, status) it has seen.
"""

import copy
import datetime
import json
import pathlib
import re

import jsonschema
import yaml

API = pathlib.Path(__file__).resolve().parents[2] / "api"
PROBLEM = "application/problem+json"
# The front refuses these before it knows an operation.
WITHOUT_OPERATION = {400, 404, 405, 408, 413, 503}
# libmicrohttpd's own replies to what it cannot parse have an HTML body.
HTML = {400, 413, 414, 431, 505}

FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date", raises=ValueError)
def _is_date(value):
    if isinstance(value, str):
        datetime.date.fromisoformat(value)
    return True


@FORMATS.checks("date-time", raises=ValueError)
def _is_time(value):
    if not isinstance(value, str):
        return True
    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z\Z", value)
    if not found:
        return False
    datetime.datetime.fromisoformat(found[1])
    return True


class ContractViolation(AssertionError):
    pass


def _exact_ends(node):
    """Python's $ also matches before a last line feed; the contract's does not."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "pattern" and isinstance(value, str):
                node[key] = re.sub(r"\$\Z", r"\\Z", value)
            else:
                _exact_ends(value)
    elif isinstance(node, list):
        for value in node:
            _exact_ends(value)


def _no_duplicates(pairs):
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a member comes twice")
    return dict(pairs)


def _no_constant(name):
    raise ValueError(f"{name} is not JSON")


class Contract:
    def __init__(self, folder=API):
        folder = pathlib.Path(folder)
        self.document = yaml.safe_load((folder / "openapi.yaml").read_text(encoding="utf-8"))
        _exact_ends(self.document)
        listed = yaml.safe_load((folder / "errors.yaml").read_text(encoding="utf-8"))["errors"]
        self.errors = {error["name"]: error for error in listed}
        self.seen = set()
        self._validators = {}
        self._routes = []
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                rest = any(p.get("x-rest") for p in operation.get("parameters", []))
                template = re.compile(re.sub(r"\\\{[^}]*\\\}", ".+" if rest else "[^/]+", re.escape(path)) + r"\Z")
                self._routes.append((method.upper(), path, template, operation))
        # Literal segments win over parameters.
        self._routes.sort(key=lambda route: route[1].count("{"))
        self._check_examples()

    # ---- what the suite asks ---------------------------------------------------------------

    def routes(self):
        """(method, path template, operationId) of every operation."""
        return [(method, path, node["operationId"]) for method, path, _, node in self._routes]

    def declared(self):
        """Every (operationId, status) of the contract."""
        return {
            (node["operationId"], int(status))
            for _, _, _, node in self._routes
            for status in node["responses"]
        }

    def unseen(self, success_only=False):
        """What the contract declares and no checked reply has shown, in order."""
        missing = self.declared() - self.seen
        return sorted(pair for pair in missing if not success_only or pair[1] < 400)

    def permissions(self):
        """operationId → x-permission."""
        return {node["operationId"]: node["x-permission"] for _, _, _, node in self._routes}

    def operation(self, method, path):
        """The operation's node, or None where the contract has no such route."""
        bare = path.split("?", 1)[0]
        for known, _, template, node in self._routes:
            if known == method.upper() and template.match(bare):
                return node
        return None

    def check(self, method, path, status, headers, body):
        """Holds one reply against the contract.

        path: of the request, with or without a query. headers: any mapping. body: bytes as received
        (text will do). Returns the decoded body: JSON, or text.
        """
        where = f"{method.upper()} {path} → {status}"
        headers = {name.lower(): value for name, value in headers.items()}
        body = body.encode() if isinstance(body, str) else body or b""
        media = headers.get("content-type", "")
        operation = self.operation(method, path)
        if status in HTML and media.startswith("text/html"):
            return body.decode()
        response = (operation or {"responses": {}})["responses"].get(str(status))
        if response is None:
            return self._check_undeclared(where, operation, status, headers, media, body)
        response = self._resolve(response)
        self.seen.add((operation["operationId"], status))
        self._check_headers(where, response, headers)
        if path.startswith("/v1/"):
            self._expect(where, "no-store" in headers.get("cache-control", ""), "Cache-Control: no-store")
        known = next((m for m in response["content"] if self._same_media(m, media)), None)
        self._expect(where, known is not None, f"media type {list(response['content'])}, not {media!r}")
        content = response["content"][known]
        if "x-line" in content:
            return self._check_lines(where, content, body)
        return self._check_body(where, content["schema"], known, status, body)

    # ---- parts -----------------------------------------------------------------------------

    def _check_undeclared(self, where, operation, status, headers, media, body):
        known = status in WITHOUT_OPERATION if operation is None else status in (400, 405, 408, 413)
        self._expect(where, known, "a status that the contract has")
        self._expect(where, self._same_media(PROBLEM, media), f"{PROBLEM}, not {media!r}")
        self._expect(where, status != 405 or headers.get("allow"), "an Allow header")
        schema = {"$ref": "#/components/schemas/Problem"}
        return self._check_body(where, schema, PROBLEM, status, body)

    def _check_headers(self, where, response, headers):
        for name, header in response.get("headers", {}).items():
            header = self._resolve(header)
            value = headers.get(name.lower())
            if value is None:
                self._expect(where, not header.get("required"), f"a {name} header")
            else:
                self._validate(f"{where}, header {name}", header["schema"], value)

    def _check_body(self, where, schema, media, status, body):
        if self._same_media(media, "application/octet-stream"):
            self._expect(where, len(body) <= schema["maxLength"], f"at most {schema['maxLength']} bytes, not {len(body)}")
            return body
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError as problem:
            raise ContractViolation(f"{where}: the body is not UTF-8: {problem}") from problem
        if "json" not in media:
            self._validate(where, schema, text)
            return text
        try:
            value = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        except ValueError as problem:
            raise ContractViolation(f"{where}: the body is not JSON: {problem}") from problem
        self._validate(where, schema, value)
        if media == PROBLEM:
            self._check_problem(where, status, value)
        return value

    def _check_lines(self, where, content, body):
        """A document of one JSON object a line; the text of it is what is returned."""
        text = self._check_body(where, content["schema"], "text/plain", 200, body)
        self._expect(where, not text or text.endswith("\n"), "a line feed at the end")
        for number, line in enumerate(text.split("\n")[:-1], 1):
            self._check_body(f"{where}, line {number}", content["x-line"], "application/json", 200, line.encode())
        return text

    def _check_problem(self, where, status, problem):
        error = self.errors.get(problem["code"])
        self._expect(where, error is not None, f"a code of errors.yaml, not {problem['code']}")
        self._expect(where, problem["status"] == status == error["status"],
                     f"status {error['status']} for {problem['code']}, the same in the body")
        self._expect(where, problem["title"] == error["title"], f"the title of {problem['code']}")
        self._expect(where, problem["type"] == f"urn:casetrace:error:{problem['code']}", "the type of its code")

    def _validate(self, where, schema, value):
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[key] = jsonschema.Draft202012Validator(whole, format_checker=FORMATS)
        problems = sorted(self._validators[key].iter_errors(value), key=lambda e: list(map(str, e.path)))
        if problems:
            best = jsonschema.exceptions.best_match(problems)
            pointer = "".join(f"/{step}" for step in best.absolute_path)
            raise ContractViolation(f"{where}: at {pointer or 'the top'}: {best.message}")

    def _check_examples(self):
        for _, path, _, node in self._routes:
            content = node.get("requestBody", {}).get("content", {})
            for media in content.values():
                for name, example in media.get("examples", {}).items():
                    self._validate(f"example {name} of {path}", media["schema"], copy.deepcopy(example["value"]))

    def _resolve(self, node):
        while "$ref" in node:
            target = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            node = target
        return node

    @staticmethod
    def _same_media(known, sent):
        bare = [text.split(";")[0].strip().lower() for text in (known, sent)]
        return bare[0] == bare[1]

    @staticmethod
    def _expect(where, holds, text):
        if not holds:
            raise ContractViolation(f"{where}: expected {text}")
