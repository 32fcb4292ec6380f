# SPDX-License-Identifier: Apache-2.0
"""Who may do what: credentials, roles, and that a revoked key fails on the next request."""

import base64
import concurrent.futures
import datetime
import hashlib
import re

import pytest
import yaml

from client import ANY, Client
from instance import TOP, wait_for

ROLES = yaml.safe_load((TOP / "api/permissions.yaml").read_text())["roles"]
KIND_OF_ROLE = {"investigator": "agency", "supervisor": "agency", "reviewer": "agency", "examiner": "laboratory",
                "auditor": "audit_office", "administrator": "authority", "authority": "authority"}
NO_ID = "0" * 32


def test_a_key_looks_like_one(people):
    key = people.manufacturer().key
    assert re.fullmatch(r"ctk_[A-Za-z0-9_-]{48}", key)
    raw = base64.urlsafe_b64decode(key[4:])
    assert hashlib.sha256(b"casetrace key v1" + raw[:32]).digest()[:4] == raw[32:]


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer x", "Basic YTpi", "Bearer ctk_" + "A" * 48,
                                    "ctk_" + "A" * 48, "Bearer  {key}", "bearer{key}", "Bearer {key}x"])
def test_what_is_not_a_credential(nobody, manufacturer, header):
    headers = {"Authorization": header.format(key=manufacturer.key)} if header else {}
    reply = nobody.get("/v1/me", headers=headers, expect="unauthorized")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")


def test_scheme_in_any_case(nobody, manufacturer):
    nobody.get("/v1/me", headers={"Authorization": "bEARER " + manufacturer.key})


def test_all_that_is_not_a_key_is_answered_alike(nobody, people, admin):
    """Unknown, mistyped, revoked and expired: the same body but for the request's id."""
    revoked = people.manufacturer()
    admin.delete(f"/v1/accounts/{revoked.account['id']}/keys/{revoked.key_id}")
    expired = admin.post(f"/v1/accounts/{revoked.account['id']}/keys", {"name": "old", "expires_at": "2020-01-01T00:00:00Z"}, expect=ANY)
    keys = ["ctk_" + "A" * 48, revoked.key] + ([expired["key"]] if expired.status == 201 else [])
    bodies = []
    for key in keys:
        reply = nobody.get("/v1/me", headers={"Authorization": "Bearer " + key}, expect="unauthorized")
        bodies.append({**reply.body, "request_id": None})
    assert all(body == bodies[0] for body in bodies)


def test_revoked_key_fails_on_the_next_request(people, admin):
    for _ in range(20):
        account = people.dealer()
        account.get("/v1/me")
        admin.delete(f"/v1/accounts/{account.account['id']}/keys/{account.key_id}")
        account.get("/v1/me", expect="unauthorized")
    keys = admin.get(f"/v1/accounts/{account.account['id']}/keys")["data"]
    assert [key["state"] for key in keys] == ["revoked"]
    again = admin.delete(f"/v1/accounts/{account.account['id']}/keys/{account.key_id}")
    assert again["revoked_at"] == keys[0]["revoked_at"], "its first time stays"


def test_two_keys_of_one_account(people, admin):
    one = people.dealer()
    two = people.key(one.account, one.organization)
    admin.delete(f"/v1/accounts/{one.account['id']}/keys/{one.key_id}")
    one.get("/v1/me", expect="unauthorized")
    assert two.get("/v1/me")["id"] == one.account["id"]


def test_expired_key(people, admin, nobody):
    account = people.dealer()
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    made = admin.post(f"/v1/accounts/{account.account['id']}/keys",
                      {"name": "short", "expires_at": soon.strftime("%Y-%m-%dT%H:%M:%S.%fZ")})
    client = Client(nobody.api, made["key"])
    client.get("/v1/me")
    wait_for(lambda: client.get("/v1/me", expect=ANY).code == "unauthorized", 10, "the key expired")


def test_secrets_are_shown_once(people, admin):
    account = people.dealer()
    listed = admin.get(f"/v1/accounts/{account.account['id']}/keys")
    assert account.key not in listed.content.decode()
    assert "key" not in listed["data"][0]


def path_of(path):
    path = path.replace("{name}", "no-1").replace("{kind}", "caliber").replace("{index}", "0")
    for collection, prefix in (("firearms", "frm"), ("sales", "sal"), ("traces", "trc"), ("organizations", "org"),
                               ("accounts", "acc"), ("comparisons", "cmp")):
        path = path.replace(f"/{collection}/{{id}}", f"/{collection}/{prefix}_{NO_ID}")
    return path.replace("{key}", "key_" + NO_ID)


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_cell_of_role_and_operation(role, people, contract):
    account = people.account(people.organization(KIND_OF_ROLE.get(role, role)), role)
    permissions = contract.permissions()
    wrong = []
    for method, path, operation in contract.routes():
        if permissions[operation] == "none":
            continue
        # An empty body is refused as well, but only after it was decided whether the caller may.
        reply = account.call(method, path_of(path), {} if method == "POST" else None, expect=ANY)
        allowed = permissions[operation] in ROLES[role]
        if (reply.code != "forbidden") != allowed or reply.status in (401, 500, 503):
            wrong.append(f"{operation}: {'allowed' if allowed else 'not allowed'}, but {reply}")
    assert not wrong, "\n".join(wrong)


def test_no_role_fits_every_organization(people, admin):
    """A dealer cannot hold an investigator's role, however it was asked for."""
    for kind, role in (("dealer", "investigator"), ("manufacturer", "auditor"), ("agency", "dealer"),
                       ("agency", "administrator"), ("dealer", "authority")):
        organization = people.organization(kind)
        admin.post("/v1/accounts", {"organization": organization["id"], "name": "x", "kind": "person", "roles": [role]},
                   expect="role_not_allowed")


def test_last_administrators_key_stays(admin, casetrace):
    me = admin.get("/v1/me")
    keys = [key for key in admin.get(f"/v1/accounts/{me['id']}/keys")["data"] if key["state"] == "active"]
    assert len(keys) == 1
    others = casetrace.psql("SELECT count(DISTINCT account_id) FROM registry.account_standing WHERE 'administrator' = ANY (roles)")
    if others == "1":
        admin.delete(f"/v1/accounts/{me['id']}/keys/{keys[0]['id']}", expect="last_administrator")


def test_refusals_are_entries(people, auditor):
    dealer = people.dealer()
    refused = dealer.post("/v1/traces", {}, expect="forbidden")
    unknown = dealer.get("/v1/sales/sal_" + NO_ID, expect="not_found")
    path = "/v1/log/entries?account=" + dealer.account["id"]
    entries = wait_for(lambda: (rows := auditor.get(path)["data"]) and len(rows) == 2 and rows, 10, "two entries")
    assert [(e["outcome"], e["status"], e["request_id"]) for e in entries] == [
        ("not_found", 404, unknown.headers["Request-Id"]), ("forbidden", 403, refused.headers["Request-Id"])]


def test_revocation_in_a_storm(people, admin):
    """Requests that arrive after the revocation was answered fail, whatever else is in their batch."""
    account = people.dealer()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        others = people.dealer()
        noise = [pool.submit(others.get, "/v1/me") for _ in range(100)]
        admin.delete(f"/v1/accounts/{account.account['id']}/keys/{account.key_id}")
        late = [pool.submit(account.get, "/v1/me", expect="unauthorized") for _ in range(20)]
        for future in [*noise, *late]:
            future.result()

