# SPDX-License-Identifier: Apache-2.0
"""A client for tests: every reply is held against the contract, every receipt is verified."""

import datetime
import itertools
import threading
import uuid

import requests

import tlog

TIMEOUT_S = 30
UNSET = object()
ANY = object()


def today(days=0):
    return (datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=days)).isoformat()


class Reply:
    def __init__(self, response, body):
        self.status, self.headers, self.body, self.content = response.status_code, response.headers, body, response.content

    def __getitem__(self, name):
        return self.body[name]

    @property
    def code(self):
        """Name of the error, None for a success."""
        return self.body.get("code") if self.status >= 400 and isinstance(self.body, dict) else None

    def __repr__(self):
        return f"{self.status} {str(self.body)[:2000]}"


class Api:
    """What all clients of one instance share."""

    def __init__(self, instance, contract, verifier_key):
        self.instance, self.contract, self.key = instance, contract, verifier_key
        self.receipts = 0
        self.local = threading.local()

    def session(self):
        if not hasattr(self.local, "session"):
            self.local.session = requests.Session()
            self.local.session.verify = str(self.instance.certificate)
            self.local.session.trust_env = False
        return self.local.session

    def send(self, method, path, headers, data=None):
        base = self.instance.operator_url if path.split("?")[0] in ("/livez", "/readyz", "/metrics") else self.instance.url
        response = self.session().request(method, base + path, headers=headers, data=data, timeout=TIMEOUT_S)
        reply = Reply(response, self.contract.check(method, path, response.status_code, response.headers, response.content))
        if isinstance(reply.body, dict):
            self.check_receipt(reply)
        return reply

    def check_receipt(self, reply):
        found = reply.body.get("receipt") or (reply.body if "tlog_proof" in reply.body else None)
        if not found:
            return
        receipt = tlog.Receipt(found["tlog_proof"], self.key)
        assert receipt.index == found["entry"]
        self.receipts += 1
        if "receipt" in reply.body:
            assert reply.headers["Access-Log-Entry"] == str(receipt.index)
            assert receipt.header["request_id"] == reply.headers["Request-Id"]
            assert receipt.header["status"] == reply.status


class Client:
    """One account's credential. Without a key it is nobody."""

    def __init__(self, api, key=None, account=None, organization=None, key_id=None):
        self.api, self.key, self.account, self.organization, self.key_id = api, key, account, organization, key_id

    def call(self, method, path, body=None, idempotency=UNSET, headers=None, data=None, expect=None):
        """expect: a status, or the name of an error; None: any success; ANY: the caller looks itself."""
        sent = {"Authorization": "Bearer " + self.key} if self.key else {}
        operation = self.api.contract.operation(method, path)
        if idempotency is UNSET:
            wanted = operation is not None and operation.get("x-idempotency") == "required"
            idempotency = uuid.uuid4().hex if wanted else None
        if idempotency is not None:
            sent["Idempotency-Key"] = idempotency
        if body is not None:
            data = requests.compat.json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        reply = self.api.send(method, path, sent, data)
        if expect is None:
            assert reply.status < 300, f"{method} {path}: {reply}"
        elif expect is ANY:
            return reply
        elif isinstance(expect, int):
            assert reply.status == expect, f"{method} {path}: {reply}"
        else:
            assert reply.code == expect, f"{method} {path}: {reply}"
        return reply

    def get(self, path, **rest):
        return self.call("GET", path, **rest)

    def post(self, path, body=None, **rest):
        return self.call("POST", path, body, **rest)

    def delete(self, path, **rest):
        return self.call("DELETE", path, **rest)

    def pages(self, path, **rest):
        """All rows of a list."""
        rows, cursor = [], None
        separator = "&" if "?" in path else "?"
        while True:
            reply = self.get(path + (f"{separator}cursor={cursor}" if cursor else ""), **rest)
            rows += reply["data"]
            cursor = reply["next_cursor"]
            if not cursor:
                return rows


class People:
    """Makes organizations and accounts through the API, each test its own."""

    LICENCE_TYPES = {"manufacturer": "07", "importer": "08", "distributor": "01", "dealer": "01", "gunsmith": "01",
                     "component_producer": "07"}

    def __init__(self, admin):
        self.admin = admin
        self.numbers = itertools.count(1)

    def organization(self, kind, **more):
        number = next(self.numbers)
        body = {"name": f"{kind} {number}", "kind": kind, **more}
        if kind in self.LICENCE_TYPES and "licence" not in body:
            body["licence"] = f"9-99-{number % 1000:03d}-{self.LICENCE_TYPES[kind]}-9A-{number:05d}"
        if kind == "agency" and "ori" not in body:
            body["ori"] = f"CA{number:07d}"
        if kind == "manufacturer":
            body.setdefault("models", ["Model A", "Model B"])
            body.setdefault("contact", "tracing desk, weekdays")
        return self.admin.post("/v1/organizations", body).body

    def account(self, organization, *roles, kind="machine"):
        account = self.admin.post("/v1/accounts", {"organization": organization["id"], "kind": kind,
                                                   "name": f"account {next(self.numbers)}", "roles": list(roles)}).body
        return self.key(account, organization)

    def key(self, account, organization=None):
        made = self.admin.post(f"/v1/accounts/{account['id']}/keys", {"name": "test"})
        return Client(self.admin.api, made["key"], account, organization, made["id"])

    def manufacturer(self, **more):
        return self.account(self.organization("manufacturer", **more), "manufacturer")

    def dealer(self, **more):
        return self.account(self.organization("dealer", **more), "dealer")

    def investigator(self):
        return self.account(self.organization("agency"), "investigator")

    def auditor(self):
        return self.account(self.organization("audit_office"), "auditor")


class Firearm:
    def __init__(self, maker, serial, code, id):
        self.maker, self.serial, self.code, self.id = maker, serial, code, id

    @property
    def ref(self):
        return {"maker": self.maker, "serial": self.serial}


class Registry:
    """What tests do again and again."""

    def __init__(self):
        self.numbers = itertools.count(1)

    def codes(self, manufacturer, count=1):
        return manufacturer.post("/v1/code-blocks", {"count": count, "scheme": "R29-8"})["codes"]

    def row(self, manufacturer, code, shipped_to, **more):
        number = next(self.numbers)
        return {"external_id": f"X{number}", "serial": f"SN {number:06d}", "model": "Model A", "caliber": "9mm",
                "type": "pistol", "marks": [{"placement": "firing_pin", "scheme": "R29-8", "code": code}],
                "shipped_to": shipped_to, "shipped_on": today(-60), **more}

    def register(self, manufacturer, dealer, count=1, receive=True, **more):
        """count firearms registered by the manufacturer and, unless told not to, received by the dealer."""
        licence = manufacturer.organization["licence"]
        rows = [self.row(manufacturer, code, dealer.organization["licence"], **more)
                for code in self.codes(manufacturer, count)]
        answer = manufacturer.post("/v1/firearms", {"mode": "atomic", "firearms": rows})
        firearms = [Firearm(licence, row["serial"], row["marks"][0]["code"], outcome["id"])
                    for row, outcome in zip(rows, answer["rows"])]
        if receive:
            self.receive(dealer, firearms, licence)
        return firearms if count > 1 else firearms[0]

    def receive(self, dealer, firearms, licence, days=-50):
        events = [{"kind": "received", "firearm": f.ref, "date": today(days), "from": licence} for f in firearms]
        return dealer.post("/v1/custody-events", {"events": events})

    def purchaser(self, **more):
        number = next(self.numbers)
        return {"given_name": "Ximena", "family_name": f"Quispe-Testperson{number}", "date_of_birth": "1980-02-29",
                "address": {"line1": f"{number} Testsuite St", "city": "Fresno", "state": "CA", "postal_code": "93701"},
                "id_document": {"type": "driver_license", "number": f"TESTDOC{number:07d}", "issuer": "CA"}, **more}

    def sale(self, firearm, purchaser=None, delivered_on=UNSET, **more):
        body = {"firearm": getattr(firearm, "ref", firearm), "purchaser": purchaser or self.purchaser(),
                "transaction_number": f"DR{next(self.numbers):09d}", **more}
        if delivered_on is UNSET:
            delivered_on = today(-10)
        if delivered_on:
            body["delivered_on"] = delivered_on
        return body

    def trace(self, reading, **more):
        number = next(self.numbers)
        specimen = {"exhibit": "E-1", "kind": "casing", "caliber": more.pop("caliber", "9mm"),
                    "marks": [{"placement": "firing_pin", "reading": reading}]}
        return {"case_number": f"26-{number:06d}", "purpose": "C", "offense": "homicide", "urgency": "routine",
                "incident": {"from": today(-1), "to": today(-1)}, "specimens": [specimen], **more}
