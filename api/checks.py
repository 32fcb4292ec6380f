# SPDX-License-Identifier: Apache-2.0
"""Reads openapi.yaml, permissions.yaml and errors.yaml and checks them against each other."""

import re

import yaml

METHODS = ["get", "post", "put", "patch", "delete"]
IDEMPOTENCY = ["none", "required", "accepted", "refused"]
EXCLUSIVE = ["none", "firearm", "path_id", "exhibit", "alone"]
OPERATION_KEYS = {
    "operationId", "tags", "summary", "description", "security", "parameters", "requestBody",
    "responses", "x-permission", "x-listener", "x-body-limit", "x-values", "x-idempotency",
    "x-rows", "x-exclusive", "x-spends",
}
ANNOTATIONS = {"description", "title", "default", "examples"}
# What a validator is made of; another keyword in a request would be a check that nobody does.
KEYWORDS = {
    "type", "const", "enum", "minLength", "maxLength", "pattern", "x-expected", "format",
    "minimum", "maximum", "minItems", "maxItems", "uniqueItems", "items", "properties", "required",
    "additionalProperties", "oneOf",
}
SLUG = re.compile(r"[a-z][a-z0-9_]*\Z")


class ContractError(Exception):
    pass


# The same in C where there is one: it is ten times faster.
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Refuses what plain YAML lets pass: a key that comes twice, of which it keeps the last, and a
    member without a value, which is what {description: this, and that} makes of "and that"."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise ContractError(f"line {node.start_mark.line + 1}: {key!r} comes twice")
        mapping = super().construct_mapping(node, deep)
        for key, value in mapping.items():
            if value is None:
                raise ContractError(f"line {node.start_mark.line + 1}: {key!r} has no value")
        return mapping


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            return yaml.load(file, _Loader)
    except yaml.YAMLError as problem:
        raise ContractError(f"{path}: {problem}") from problem


class Operation:
    """One operation, with what the tables need of it."""

    def __init__(self, contract, path, method, node):
        self.name = node.get("operationId", "")
        self.path, self.method, self.node = path, method, node
        where = f"{method.upper()} {path}"
        contract.expect(bool(SLUG.match(self.name)), f"{where}: operationId in snake_case")
        unknown = set(node) - OPERATION_KEYS
        contract.expect(not unknown, f"{where}: unknown members {sorted(unknown)}")
        for key in ("x-permission", "x-listener", "x-idempotency"):
            contract.expect(key in node, f"{where}: {key} is missing")
        self.permission = node.get("x-permission")
        self.listener = node.get("x-listener")
        self.idempotency = node.get("x-idempotency")
        self.exclusive = node.get("x-exclusive", "none")
        self.rows = node.get("x-rows")
        self.spends = node.get("x-spends", False)
        self.value_limit = node.get("x-values", 4096)
        self.parameters = [contract.resolve(p) for p in node.get("parameters", [])]
        self.path_parameters = [
            contract.parameter(where, self.parameters, name)
            for name in re.findall(r"\{([^}]*)\}", path)
        ]
        self.rest = any(p.get("x-rest", False) for p in self.path_parameters)
        self.query_parameters = sorted(
            (p for p in self.parameters if p["in"] == "query"), key=lambda p: p["name"]
        )
        body = node.get("requestBody")
        self.body = None
        if body is not None:
            contract.expect(list(body["content"]) == ["application/json"], f"{where}: JSON bodies only")
            self.body = body["content"]["application/json"]["schema"]
        self.body_limit = node.get("x-body-limit", 65536) if self.body is not None else 0
        self.responses = {int(s): contract.resolve(r) for s, r in node.get("responses", {}).items()}
        self.success, self.media_type = self._success(contract, where)

    def _success(self, contract, where):
        statuses = [s for s in self.responses if 200 <= s < 300]
        if not contract.expect(len(statuses) == 1, f"{where}: one success status, not {statuses}"):
            return 200, ""
        media = list(self.responses[statuses[0]].get("content", {}))
        # The first is the one that is sent unless the request asks for another.
        contract.expect(len(media) >= 1, f"{where}: a media type of success")
        return statuses[0], media[0] if media else ""


class Contract:
    """The three files. `problems` is empty when they fit together."""

    def __init__(self, openapi, permissions, errors):
        self.problems = []
        self.openapi = openapi
        self.used = set()
        self.permissions = list(permissions["permissions"])
        self.roles = permissions["roles"]
        self.errors = errors["errors"]
        self.operations = [
            Operation(self, path, method, node)
            for path, methods in openapi["paths"].items()
            for method, node in methods.items()
        ]
        self._check_errors(errors)
        self._check_permissions()
        self._check_schemas(openapi, "#")
        for operation in self.operations:
            self._check_operation(operation)
        names = [operation.name for operation in self.operations]
        self.expect(len(set(names)) == len(names), "an operationId comes twice")
        self._check_unused()

    def expect(self, holds, text):
        if not holds:
            self.problems.append(text)
        return holds

    # ---- references ------------------------------------------------------------------------

    def resolve(self, node):
        """Follows a $ref; members beside it narrow what it refers to."""
        if "$ref" not in node:
            return node
        ref = node["$ref"]
        target = self.openapi
        for step in ref.removeprefix("#/").split("/"):
            if not isinstance(target, dict) or step not in target:
                raise ContractError(f"{ref} leads nowhere")
            target = target[step]
        self.used.add(ref)
        target = self.resolve(target)
        beside = {k: v for k, v in node.items() if k != "$ref"}
        for key in set(beside) - ANNOTATIONS:
            if key != "maxLength" or beside[key] > target["maxLength"]:
                raise ContractError(f"{key} beside {ref} does not narrow it")
        return {**target, **beside}

    def parameter(self, where, parameters, name):
        found = [p for p in parameters if p["in"] == "path" and p["name"] == name]
        if not self.expect(len(found) == 1, f"{where}: path parameter {name} is not declared"):
            raise ContractError("; ".join(self.problems))
        return found[0]

    # ---- checks ----------------------------------------------------------------------------

    def _check_errors(self, errors):
        numbers = [e["number"] for e in self.errors]
        names = [e["name"] for e in self.errors]
        gone = errors["retired"]
        self.expect(numbers == sorted(set(numbers)), "errors: numbers rise and none comes twice")
        self.expect(len(set(names)) == len(names), "errors: a name comes twice")
        for error in self.errors:
            where = f"error {error['name']}"
            unknown = set(error) - {"number", "name", "status", "title", "description", "retry_after"}
            self.expect(not unknown, f"{where}: unknown members {sorted(unknown)}")
            self.expect(bool(SLUG.match(error["name"])) and error["name"] != "ok", f"{where}: a name in snake_case")
            self.expect(0 < error["number"] < 10000, f"{where}: a number from 1 to 9999")
            self.expect(error["number"] not in gone["numbers"], f"{where}: its number is retired")
            self.expect(error["name"] not in gone["names"], f"{where}: its name is retired")
            self.expect(400 <= error["status"] <= 599, f"{where}: a status from 400 to 599")
            self.expect(bool(error.get("title")) and bool(error.get("description")), f"{where}: title and description")
            later = error["status"] in (429, 503)
            self.expect(not later or "retry_after" in error, f"{where}: {error['status']} says when to try again")

    def _check_permissions(self):
        wanted = {o.permission for o in self.operations} - {"none"}
        for operation in self.operations:
            known = operation.permission == "none" or operation.permission in self.permissions
            self.expect(known, f"{operation.name}: unknown permission {operation.permission}")
        for permission in self.permissions:
            self.expect(permission in wanted, f"permission {permission}: no operation needs it")
        for role, held in self.roles.items():
            unknown = set(held) - set(self.permissions)
            self.expect(not unknown, f"role {role}: unknown permissions {sorted(unknown)}")
            self.expect(len(set(held)) == len(held), f"role {role}: a permission comes twice")
        self.expect(len(self.roles) <= 32, "at most 32 roles")
        listed = self.openapi["components"]["schemas"]["Role"]["enum"]
        self.expect(listed == list(self.roles), "schema Role lists the roles of permissions.yaml in order")

    def _check_operation(self, operation):
        name, needs = operation.name, {500, 503, 400, 429}
        self.expect(operation.listener in ("public", "operator"), f"{name}: listener")
        self.expect(operation.idempotency in IDEMPOTENCY, f"{name}: idempotency")
        self.expect(operation.exclusive in EXCLUSIVE, f"{name}: exclusive")
        self.expect(operation.spends in (True, False), f"{name}: spends")
        self.expect(operation.method in METHODS, f"{name}: method")
        self.expect(len(operation.path_parameters) <= 4, f"{name}: at most 4 path parameters")
        alone = len(operation.path_parameters) == 1 and operation.path.endswith("}")
        self.expect(not operation.rest or alone, f"{name}: x-rest is for the only parameter of a path, at its end")
        self.expect(len(operation.query_parameters) <= 16, f"{name}: at most 16 query parameters")
        public = operation.permission == "none"
        self.expect(public == (operation.node.get("security") == []), f"{name}: security and x-permission disagree")
        if not public:
            needs |= {401, 403}
        if operation.path_parameters:
            needs.add(404)
        if operation.body is not None:
            needs |= {413, 415, 422}
        if operation.method != "get":
            needs.add(409)
        if operation.listener == "operator":
            needs = set()
        missing = sorted(needs - set(operation.responses))
        self.expect(not missing, f"{name}: no response for {missing}")
        statuses = {error["status"] for error in self.errors}
        for status, response in operation.responses.items():
            for media in response.get("content", {}).values():
                self.expect("schema" in media, f"{name}: response {status} has no schema")
            if status >= 400 and operation.listener == "public":
                self.expect(status in statuses, f"{name}: no error has status {status}")
        self._check_idempotency(operation)
        if operation.rows is not None:
            rows = self.resolve(operation.body).get("properties", {}).get(operation.rows, {})
            self.expect(rows.get("type") == "array", f"{name}: x-rows names an array of the body")

    def _check_idempotency(self, operation):
        header = [p for p in operation.parameters if p["in"] == "header"]
        names = {p["name"] for p in header}
        self.expect(names <= {"Idempotency-Key"}, f"{operation.name}: unknown headers {sorted(names)}")
        wanted = operation.idempotency in ("required", "accepted")
        self.expect(wanted == bool(header), f"{operation.name}: Idempotency-Key parameter and x-idempotency disagree")
        if header:
            required = operation.idempotency == "required"
            self.expect(header[0].get("required", False) == required, f"{operation.name}: Idempotency-Key required or not")
        changes = operation.method == "post"
        self.expect(changes == (operation.idempotency != "none"), f"{operation.name}: a POST, and nothing else, has x-idempotency")

    def _check_schemas(self, node, where):
        """House rules: closed objects, bounded strings and arrays, everywhere."""
        if isinstance(node, list):
            for index, item in enumerate(node):
                self._check_schemas(item, f"{where}/{index}")
            return
        if not isinstance(node, dict):
            return
        kinds = node.get("type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if isinstance(kinds[0], str):
            if "object" in kinds:
                self.expect(node.get("additionalProperties") is False, f"{where}: additionalProperties is not false")
            if "string" in kinds:
                self.expect("maxLength" in node, f"{where}: a string without maxLength")
            if "array" in kinds:
                self.expect("maxItems" in node and "items" in node, f"{where}: an array without maxItems or items")
        if isinstance(node.get("$ref"), str):
            self.resolve(node)
        for key, value in node.items():
            if key not in ("examples", "example"):
                self._check_schemas(value, f"{where}/{key}")

    def _check_unused(self):
        for kind, members in self.openapi["components"].items():
            if kind == "securitySchemes":
                continue
            for name in members:
                self.expect(f"#/components/{kind}/{name}" in self.used, f"components/{kind}/{name} is not used")
