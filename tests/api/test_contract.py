# SPDX-License-Identifier: Apache-2.0
"""The contract and the daemon have the same routes, and every operation was seen in some test."""

import re

import pytest

from client import ANY

NO_ID = "0" * 32
ALL_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")


def paths(contract):
    found = {}
    for method, path, _ in contract.routes():
        found.setdefault(path, set()).add(method)
    return found


def test_every_path_allows_what_the_contract_has(contract, nobody):
    for path, methods in paths(contract).items():
        concrete = re.sub(r"\{[a-z]+\}", NO_ID, path.replace("{tile}", "0/000.p/1"))
        for method in ALL_METHODS:
            if method in methods:
                reply = nobody.call(method, concrete, {} if method in ("POST", "PUT") else None, expect=ANY)
                # Known: it asks for a credential, or serves what needs none.
                known = (200, 401, 503) if "{tile}" not in path else (200, 404, 503)  # may have been full for long
                assert reply.status in known, (method, path, reply)
            else:
                reply = nobody.call(method, concrete, {} if method in ("POST", "PUT", "PATCH") else None, expect=405)
                allowed = {word.strip() for word in reply.headers["Allow"].split(",")}
                assert allowed - {"HEAD", "OPTIONS"} == methods, (path, allowed)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v2/me", "/v1/me/", "/v1/Me", "/v1/traces/a/b", "/v1/log",
                                  "/log", "/log/checkpoint/", "/log/tile", "/log/tile/",
                                  "/log/checkpoint/0", "/v1/sales/x/void", "/v1/jobs/1", "/favicon.ico",
                                  "/livez", "/readyz", "/metrics"])
def test_nothing_else_is_served(api, path):
    response = api.session().get(api.instance.url + path, timeout=30)
    api.contract.check("GET", "/nowhere", response.status_code, response.headers, response.content)
    assert response.status_code == 404


def test_the_operator_listener_serves_nothing_else(api):
    for path in ("/v1/me", "/log/checkpoint", "/v1/traces", "/"):
        response = api.session().get(api.instance.operator_url + path, timeout=30)
        assert response.status_code == 404, path


def test_head_of_every_authenticated_answer(manufacturer, casetrace):
    reply = manufacturer.get("/v1/me")
    assert re.fullmatch("[A-Za-z0-9_-]{1,64}", reply.headers["Request-Id"])
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert "max-age" in reply.headers["Strict-Transport-Security"]
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert not re.search(r"\d", reply.headers.get("Server", "")), "no version banner"


@pytest.mark.last
def test_every_operation_was_seen(contract):
    """Runs last: each operation of the contract has answered with success, checked against it."""
    assert contract.unseen(success_only=True) == []
