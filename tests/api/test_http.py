# SPDX-License-Identifier: Apache-2.0
"""Strict HTTP: heads, targets and methods that two programs could read in two ways are refused,
and the connection that brought them ends."""

import re
import socket
import ssl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wire import Closed, Wire, head, post

ME = "GET /v1/me HTTP/1.1"


@pytest.fixture(scope="module", autouse=True)
def same_front(casetrace):
    """Nothing that is sent here may end the process."""
    before = casetrace.front_pid
    yield
    assert casetrace.front_pid == before


def problem(contract, answer, status, code):
    assert answer.status == status, answer
    contract.check("GET", "/nowhere", answer.status, answer.headers, answer.body)
    assert answer.code == code
    assert answer.headers["request-id"] == answer.problem["request_id"]
    return answer


def served(answer):
    """It passed the front: the keeper asks for a credential."""
    assert answer.status == 401, answer
    return answer


# ---- what is fine ---------------------------------------------------------------------------------

FINE = {
    "plain": head(ME),
    "empty line before": b"\r\n" + head(ME),
    "header without value": head(ME, "X-Empty:"),
    "white space around a value": head(ME, "X-Y:  \t y \t"),
    "bytes over 0x7f": head(ME, "X-Name: J\xfcrgen"),
    "lower-case host": head(ME, "host: localhost", host=None),
    "address and port": head(ME, host="[::1]:8443"),
    "http/1.0": head("GET /v1/me HTTP/1.0", host=None),
    "content-length 0": head(ME, "Content-Length: 0"),
    "escaped parameter": head("GET /v1/traces/%41%c3%9c HTTP/1.1"),
    "query": head("GET /v1/traces?case_number=a+%C3%9C&limit=1 HTTP/1.1"),
    "cookies": head(ME, "Cookie: a=b; c=d", "Cookie: e=f"),
    "60 headers": head(ME, *(f"X-{i}: {i}" for i in range(60))),
    "a long header": head(ME, "X-Long: " + "x" * 12000),
}


@pytest.mark.parametrize("name", FINE)
def test_fine(casetrace, name):
    with Wire(casetrace) as wire:
        served(wire.send(FINE[name]).answer())


def test_every_answer_has_its_headers(casetrace):
    with Wire(casetrace) as wire:
        seen = set()
        for request in (head(ME), head("GET /nowhere HTTP/1.1"), head("PUT /v1/me HTTP/1.1"), head(ME)):
            answer = wire.send(request).answer()
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert int(re.fullmatch(r"max-age=(\d+)", answer.headers["strict-transport-security"])[1]) >= 31536000
            assert re.fullmatch("req_[0-9a-f]{32}", answer.headers["request-id"])
            assert "server" not in answer.headers
            seen.add(answer.headers["request-id"])
        assert len(seen) == 4


def test_request_ids_tell_no_order(casetrace):
    """Nobody learns from two of his own how many requests of others lay between."""
    with Wire(casetrace) as wire:
        ids = [int(wire.send(head(ME)).answer().headers["request-id"][20:], 16) for _ in range(20)]
    assert sorted(ids) != ids and sorted(ids, reverse=True) != ids
    assert min(abs(a - b) for a, b in zip(ids, ids[1:])) > 2**32


def test_pipelined(casetrace):
    with Wire(casetrace) as wire:
        wire.send(head(ME) + head("GET /nowhere HTTP/1.1") + post("/v1/sales", "{}") + head(ME))
        assert [wire.answer().status for _ in range(4)] == [401, 404, 401, 401]


def test_byte_by_byte(casetrace):
    with Wire(casetrace) as wire:
        for byte in post("/v1/sales", '{"a": 1}'):
            wire.send(bytes([byte]))
        served(wire.answer())


def test_http_1_0_ends_the_connection(casetrace):
    with Wire(casetrace) as wire:
        served(wire.send(head("GET /v1/me HTTP/1.0", host=None)).answer())
        assert wire.ends()


def test_connection_close_is_heeded(casetrace):
    with Wire(casetrace) as wire:
        answer = served(wire.send(head(ME, "Connection: close")).answer())
        assert answer.headers["connection"] == "close"
        assert wire.ends()


# ---- heads -----------------------------------------------------------------------------------------

MALFORMED = {
    "both framings": head("POST /v1/sales HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked"),
    "both framings, turned": head("POST /v1/sales HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 5"),
    "two lengths": head("POST /v1/sales HTTP/1.1", "Content-Length: 5", "Content-Length: 5"),
    "two different lengths": head("POST /v1/sales HTTP/1.1", "Content-Length: 0", "content-length: 5"),
    "two hosts": head(ME, "Host: localhost"),
    "two hosts, differently written": head(ME, "hOsT: other"),
    "no host": head(ME, host=None),
    "empty host": head(ME, "Host:", host=None),
    "host with a user": head(ME, host="a@localhost"),
    "host with a path": head(ME, host="localhost/x"),
    "space before the colon": head(ME, "X-Y : z"),
    "tab before the colon": head(ME, "X-Y\t: z"),
    "space before the host's colon": head(ME, "Host : localhost", host=None),
    "space before the first header": head(ME, " X-Y: z", host=None) ,
    "folded": head(ME, "X-Y: a", " b"),
    "folded with a tab": head(ME, "X-Y: a", "\tb"),
    "folded into another name": head("POST /v1/sales HTTP/1.1", "Content: 5", " -Length"),
    "version 1.2": head("GET /v1/me HTTP/1.2"),
    "version 1.9": head("GET /v1/me HTTP/1.9"),
    "two spaces before the target": head("GET  /v1/me HTTP/1.1"),
    "two spaces before the version": head("GET /v1/me  HTTP/1.1"),
    "space in the target": head("GET /v1/ me HTTP/1.1"),
    "bare LF after the request line": head(ME).replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"),
    "bare LF after a header": head(ME).replace(b"localhost\r\n", b"localhost\n"),
    "bare LF at the end": head(ME)[:-2] + b"\n",
    "NUL in a header": head(ME, "X-Y: a\0b"),
    "NUL before a header": head(ME, "\0X-Y: a"),
    "NUL in the target": head("GET /v1/me\0x HTTP/1.1"),
    "NUL in the method": head("GET\0 /v1/me HTTP/1.1"),
    "control character in a header": head(ME, "X-Y: a\x1bb"),
    "CR in a header": head(ME, "X-Y: a\rb"),
    "header without a name": head(ME, ": a"),
    "name that is no token": head(ME, "X(Y): a"),
    "name beyond ASCII": head(ME, "X-\xfc: a"),
    "method that is no token": head("G@T /v1/me HTTP/1.1"),
    "another transfer coding": head("POST /v1/sales HTTP/1.1", "Transfer-Encoding: gzip"),
    "two transfer codings": head("POST /v1/sales HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
    "chunked twice": head("POST /v1/sales HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "chunked in 1.0": head("POST /v1/sales HTTP/1.0", "Transfer-Encoding: chunked"),
    "another expectation": head("POST /v1/sales HTTP/1.1", "Content-Length: 2", "Expect: 200-ok"),
    "two credentials": head(ME, "Authorization: Bearer a", "Authorization: Bearer b"),
    "two keys": head("POST /v1/sales HTTP/1.1", "Idempotency-Key: a", "Idempotency-Key: b", "Content-Length: 2"),
    "65 headers": head(ME, *(f"X-{i}: {i}" for i in range(64))),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_head(casetrace, contract, name):
    """What follows it would be the attacker's second request: it is never read as one."""
    with Wire(casetrace) as wire:
        answer = wire.send(MALFORMED[name] + head(ME)).answer()
        problem(contract, answer, 400, "malformed_http")
        assert answer.headers["connection"] == "close"
        assert wire.ends()


# The library refuses these itself, with a body of its own or without an answer.
NOT_HTTP = {
    "no colon": head(ME, "X-Y"),
    "version 0.9": head("GET /v1/me HTTP/0.9"),
    "version 2.0": head("GET /v1/me HTTP/2.0"),
    "no version": head("GET /v1/me"),
    "version in lower case": head("GET /v1/me http/1.1"),
    "space after the version": head("GET /v1/me HTTP/1.1 "),
    "nothing but a method": b"GET\r\n\r\n",
    "length with a sign": head("POST /v1/sales HTTP/1.1", "Content-Length: +5"),
    "negative length": head("POST /v1/sales HTTP/1.1", "Content-Length: -5"),
    "hexadecimal length": head("POST /v1/sales HTTP/1.1", "Content-Length: 0x5"),
    "list of lengths": head("POST /v1/sales HTTP/1.1", "Content-Length: 5, 5"),
    "length of 20 digits": head("POST /v1/sales HTTP/1.1", "Content-Length: " + "9" * 20),
    "length of 40 digits": head("POST /v1/sales HTTP/1.1", "Content-Length: " + "9" * 40),
    "target of 60,000 bytes": head(f"GET /{'a' * 60000} HTTP/1.1"),
    "header of 60,000 bytes": head(ME, "X-Y: " + "a" * 60000),
    "5,000 headers": head(ME, *(f"X-{i}: {i}" for i in range(5000))),
    "TLS inside": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n" * 4,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("name", NOT_HTTP)
def test_not_http(casetrace, name):
    with Wire(casetrace) as wire:
        wire.send(NOT_HTTP[name] + head(ME))
        try:
            answer = wire.answer()
        except Closed:
            return
        assert answer.status in (400, 413, 414, 431, 505)
        assert answer.headers.get("connection") == "close"
        assert wire.ends()


FIELDS = {
    "credential beyond ASCII": (head(ME, "Authorization: Bearer \xfc"), "/header/Authorization"),
    "credential with a tab": (head(ME, "Authorization: Bearer\tx"), "/header/Authorization"),
    "empty credential": (head(ME, "Authorization:"), "/header/Authorization"),
    "empty key": (post("/v1/sales", "{}", "Idempotency-Key:"), "/header/Idempotency-Key"),
    "key beyond ASCII": (post("/v1/sales", "{}", "Idempotency-Key: \xfc"), "/header/Idempotency-Key"),
    "parameter twice": (head("GET /v1/traces?limit=1&limit=1 HTTP/1.1"), "/query/limit"),
    "parameter twice, escaped": (head("GET /v1/traces?limit=1&%6Cimit=2 HTTP/1.1"), "/query/limit"),
    "parameter without a value": (head("GET /v1/traces?limit HTTP/1.1"), None),
    "parameter without a name": (head("GET /v1/traces?=1 HTTP/1.1"), None),
    "empty query": (head("GET /v1/traces? HTTP/1.1"), None),
    "17 parameters": (head("GET /v1/traces?" + "&".join(f"p{i}=1" for i in range(17)) + " HTTP/1.1"), None),
}


@pytest.mark.parametrize("name", FIELDS)
def test_invalid_field(casetrace, contract, name):
    """Understood, and wrong: the connection stays."""
    request, pointer = FIELDS[name]
    with Wire(casetrace) as wire:
        answer = problem(contract, wire.send(request).answer(), 400, "invalid_request")
        assert [error["pointer"] for error in answer.problem["errors"]] == ([pointer] if pointer else [])
        served(wire.send(head(ME)).answer())


# ---- targets ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("target", [
    "/v1/me%00", "/v1%2Fme", "/v1%2fme", "//v1/me", "/v1//me", "/v1/./me", "/v1/../v1/me", "/v1/%2e%2e/me",
    "/v1/.%2E/me", "/v1/me%", "/v1/me%4", "/v1/me%gg", "/v1/me%0a", "/v1/%ff", "/v1/%c0%af", "/v1/%ed%a0%80",
    "/v1/me#x", "/v1/me\\x", "/v1/<x>", "/v1/\"x\"", "/v1/{x}", "/v1/\xfc", "/v1/me?x=%00", "/v1/me?x=%ff",
    "/v1/me?x=\xfc", "https://localhost/v1/me", "http://other/v1/me", "v1/me", "*", "?x=1",
    "/" + "a" * 4096, "/v1/traces?case_number=" + "a" * 4096])
def test_malformed_target(casetrace, contract, target):
    with Wire(casetrace) as wire:
        answer = problem(contract, wire.send(head(f"GET {target} HTTP/1.1")).answer(), 400, "malformed_http")
        assert answer.headers["connection"] == "close"
        assert wire.ends()


@pytest.mark.parametrize("target", ["/", "/v1/me/", "/v1/ME", "/v1/m%65", "/v1/me;x", "/v2/me", "/livez", "/readyz",
                                    "/metrics", "/v1/" + "a/" * 500])
def test_unknown_target(casetrace, contract, target):
    with Wire(casetrace) as wire:
        problem(contract, wire.send(head(f"GET {target} HTTP/1.1")).answer(), 404, "not_found")
        served(wire.send(head(ME)).answer())


# ---- methods ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("method, target, allow", [
    ("TRACE", "/v1/me", "GET"), ("OPTIONS", "/v1/me", "GET"), ("PUT", "/v1/me", "GET"), ("BREW", "/v1/me", "GET"),
    ("get", "/v1/me", "GET"), ("GETS", "/v1/me", "GET"), ("POST", "/v1/accounts/a/keys/k", "DELETE"),
    ("DELETE", "/v1/traces", "GET, POST"), ("CONNECT", "localhost:443", "GET, POST, DELETE"),
    ("OPTIONS", "*", "GET, POST, DELETE"), ("TRACE", "/nowhere", "GET, POST, DELETE")])
def test_method_not_allowed(casetrace, contract, method, target, allow):
    with Wire(casetrace) as wire:
        answer = wire.send(head(f"{method} {target} HTTP/1.1")).answer()
        problem(contract, answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == allow
        served(wire.send(head(ME)).answer())


def test_head_has_no_body(casetrace):
    with Wire(casetrace) as wire:
        answer = wire.send(head("HEAD /v1/me HTTP/1.1")).answer(head_only=True)
        assert answer.status == 405 and answer.headers["allow"] == "GET"
        served(wire.send(head(ME)).answer())


# ---- the operator's listener ------------------------------------------------------------------------

def test_operator_listener(casetrace, contract):
    with Wire(casetrace, tls=False) as wire:
        live = wire.send(head("GET /livez HTTP/1.1")).answer()
        assert (live.status, live.problem) == (200, {"state": "live"})
        assert live.headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in live.headers  # it would be no truth in plain HTTP
        answer = wire.send(head("POST /livez HTTP/1.1")).answer()
        assert problem(contract, answer, 405, "method_not_allowed").headers["allow"] == "GET"
        problem(contract, wire.send(head(ME)).answer(), 404, "not_found")
        problem(contract, wire.send(head("GET /livez HTTP/1.1", "Host: x")).answer(), 400, "malformed_http")
        assert wire.ends()


def test_refusals_are_counted(casetrace):
    def refused(code):
        with Wire(casetrace, tls=False) as wire:
            text = wire.send(head("GET /metrics HTTP/1.1")).answer().body.decode()
        assert re.search(r"^casetrace_front_connections \d+$", text, re.M)
        found = re.search(rf'^casetrace_front_refusals_total{{code="{code}"}} (\d+)$', text, re.M)
        return int(found[1]) if found else 0

    before = refused("malformed_http")
    with Wire(casetrace) as wire:
        assert wire.send(head(ME, host=None)).answer().status == 400
    assert refused("malformed_http") == before + 1


def test_operator_listener_is_on_loopback(casetrace):
    text = casetrace.configuration.read_text()
    assert f"127.0.0.1:{casetrace.operator_port}" in text


# ---- TLS -------------------------------------------------------------------------------------------

def context_of(casetrace, version, ciphers=None):
    context = ssl.create_default_context(cafile=str(casetrace.certificate))
    context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers + ":@SECLEVEL=0")
    return context


def test_tls_1_3(casetrace):
    with Wire(casetrace, context=context_of(casetrace, ssl.TLSVersion.TLSv1_3)) as wire:
        assert wire.socket.cipher()[0] in ("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256")
        served(wire.send(head(ME)).answer())


@pytest.mark.parametrize("cipher", ["ECDHE+AES256+AESGCM", "ECDHE+AES128+AESGCM"])
def test_tls_1_2(casetrace, cipher):
    with Wire(casetrace, context=context_of(casetrace, ssl.TLSVersion.TLSv1_2, cipher)) as wire:
        assert "GCM" in wire.socket.cipher()[0] and wire.socket.cipher()[0].startswith("ECDHE-")
        served(wire.send(head(ME)).answer())


@pytest.mark.parametrize("cipher", ["CHACHA20", "ECDHE+AES+SHA", "ECDHE+SHA384", "kRSA", "DHE+AESGCM", "AESCCM"])
def test_other_suites_are_refused(casetrace, cipher):
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        Wire(casetrace, context=context_of(casetrace, ssl.TLSVersion.TLSv1_2, cipher))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_refused(casetrace, version):
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        Wire(casetrace, context=context_of(casetrace, version, "ALL"))


def test_plain_http_on_the_tls_port(casetrace):
    class Plain:
        operator_port = casetrace.port
    with Wire(Plain, tls=False) as wire:
        wire.send(head(ME))
        with pytest.raises(Closed):
            wire.answer()


# ---- anything at all --------------------------------------------------------------------------------

PIECES = st.sampled_from([
    b"GET ", b"POST ", b"/v1/me", b"/v1/sales", b" HTTP/1.1", b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"Host: a\r\n",
    b"Content-Length: ", b"5", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"5\r\nabcde\r\n", b"{}", b"\xff",
    b"Content-Type: application/json\r\n", b"Expect: 100-continue\r\n", b"%2F", b"?a=b", b"Connection: close\r\n"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=30).map(b"".join)))
def test_any_bytes(casetrace, data):
    """Whatever comes: answers, then the end."""
    with Wire(casetrace) as wire:
        wire.send(data)
        socket.socket.shutdown(wire.socket, socket.SHUT_WR)  # the TCP side only: answers can still be read
        for _ in range(100):
            try:
                assert wire.answer().status in (100, 400, 401, 404, 405, 413, 414, 415, 431, 505)
            except Closed:
                return
        raise AssertionError("answers without end")
