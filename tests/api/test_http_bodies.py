# SPDX-License-Identifier: Apache-2.0
"""Bodies: their length, framing, type and JSON are judged before anybody looks at what they say."""

import json
import socket

import pytest

from wire import Closed, Wire, head, post

ME = "GET /v1/me HTTP/1.1"
SMALL_LIMIT = 65536
LARGE_LIMIT = 8388608
JSON = "Content-Type: application/json"


@pytest.fixture(scope="module", autouse=True)
def same_front(casetrace):
    before = casetrace.front_pid
    yield
    assert casetrace.front_pid == before


def problem(contract, answer, status, code):
    assert answer.status == status, answer
    contract.check("POST", "/v1/firearms", answer.status, answer.headers, answer.body)
    assert answer.code == code
    return answer


def served(answer):
    """It passed the front: the keeper asks for a credential."""
    assert answer.status == 401, answer
    return answer


def chunked(path, *chunks, last=b"0\r\n\r\n"):
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head(f"POST {path} HTTP/1.1", JSON, "Transfer-Encoding: chunked") + body + last


def padded(size):
    """A JSON object of exactly that many bytes."""
    return b'{"a": "' + b"x" * (size - 9) + b'"}'


# ---- JSON ------------------------------------------------------------------------------------------

MALFORMED = {
    "empty": b"", "white space": b"  ", "half": b'{"a": 1', "two": b"{}{}", "rest": b"{} x", "array": b"[]",
    "string": b'"a"', "number": b"1", "null": b"null", "member twice": b'{"a": 1, "a": 2}',
    "member twice, escaped": b'{"a": 1, "\\u0061": 2}', "member twice, deep": b'{"b": [{"a": 1, "a": 1}]}',
    "NaN": b'{"a": NaN}', "single quotes": b"{'a': 1}", "comment": b'{"a": 1} // x', "trailing comma": b'{"a": 1,}',
    "not UTF-8": b'{"a": "\xff"}', "overlong": b'{"a": "\xc0\xaf"}', "surrogate": b'{"a": "\xed\xa0\x80"}',
    "half a surrogate": b'{"a": "\\ud800"}', "NUL": b'{"a": "\\u0000"}', "raw NUL": b'{"a": "\x00"}',
    "control character": b'{"a": "\n"}', "byte order mark": b"\xef\xbb\xbf{}", "UTF-16": '{"a": 1}'.encode("utf-16"),
    "huge number": b'{"a": 1e999}', "huge integer": b'{"a": ' + b"9" * 400 + b"}",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_json(casetrace, contract, name):
    with Wire(casetrace) as wire:
        answer = wire.send(post("/v1/sales", MALFORMED[name])).answer()
        problem(contract, answer, 400, "malformed_json")
        served(wire.send(head(ME)).answer())


def nested(depth):
    """An object with depth levels in all."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_depth(casetrace, contract):
    with Wire(casetrace) as wire:
        served(wire.send(post("/v1/sales", nested(32))).answer())
        for depth in (33, 1000, 10000):
            problem(contract, wire.send(post("/v1/sales", nested(depth))).answer(), 400, "too_deep")
        # What only looks like nesting, in a string, is none.
        served(wire.send(post("/v1/sales", '{"a": "' + "[" * 100 + '\\"["}')).answer())


def test_values(casetrace, contract):
    limit = contract.operation("POST", "/v1/sales").get("x-values", 4096)
    with Wire(casetrace) as wire:
        few = json.dumps({"a": [1] * (limit - 10)})
        served(wire.send(post("/v1/sales", few)).answer())
        problem(contract, wire.send(post("/v1/sales", json.dumps({"a": [1] * limit}))).answer(), 400,
                "too_many_values")
        problem(contract, wire.send(post("/v1/sales", '{"a":[' + "{}," * 20000 + "1]}")).answer(), 400,
                "too_many_values")


def test_large_documents(casetrace, contract):
    """Over 64 KiB another thread looks: the same outcomes."""
    with Wire(casetrace, timeout=120) as wire:
        served(wire.send(post("/v1/firearms", padded(LARGE_LIMIT))).answer())
        problem(contract, wire.send(post("/v1/firearms", b'{"a":[' + b"{}," * 1000000 + b"1]}")).answer(), 400,
                "too_many_values")
        problem(contract, wire.send(post("/v1/firearms", b"{" + b" " * 100000 + nested(40)[1:])).answer(), 400,
                "too_deep")
        problem(contract, wire.send(post("/v1/firearms", padded(100000)[:-1])).answer(), 400, "malformed_json")
        served(wire.send(post("/v1/firearms", padded(100000))).answer())


# ---- media types -----------------------------------------------------------------------------------

@pytest.mark.parametrize("line", ["Content-Type: application/json; charset=utf-8", "content-type:APPLICATION/JSON",
                                  'Content-Type: application/json;charset="UTF-8"'])
def test_json_by_other_spellings(casetrace, line):
    with Wire(casetrace) as wire:
        served(wire.send(head("POST /v1/sales HTTP/1.1", line, "Content-Length: 2") + b"{}").answer())


@pytest.mark.parametrize("lines", [
    [], ["Content-Type: text/plain"], ["Content-Type: application/x-www-form-urlencoded"], ["Content-Type:"],
    ["Content-Type: application/json; charset=latin-1"], ["Content-Type: application/json, text/plain"],
    [JSON, "Content-Encoding: gzip"], [JSON, "Content-Encoding: br"]])
def test_other_media_types(casetrace, contract, lines):
    with Wire(casetrace) as wire:
        answer = wire.send(head("POST /v1/sales HTTP/1.1", *lines, "Content-Length: 2") + b"{}").answer()
        problem(contract, answer, 415, "not_acceptable_media_type")
        served(wire.send(head(ME)).answer())


# ---- length and framing ------------------------------------------------------------------------------

@pytest.mark.parametrize("path, limit", [("/v1/sales", SMALL_LIMIT), ("/v1/firearms", LARGE_LIMIT)])
def test_length(casetrace, contract, path, limit):
    with Wire(casetrace, timeout=60) as wire:
        served(wire.send(post(path, padded(limit))).answer())
    with Wire(casetrace) as wire:
        # By its head alone: nothing of the body was sent yet.
        answer = wire.send(post(path, b"", length=limit + 1)).answer()
        problem(contract, answer, 413, "body_too_large")
        assert answer.headers["connection"] == "close"
        assert wire.ends()


def test_a_huge_length_costs_nothing(casetrace, contract):
    with Wire(casetrace) as wire:
        problem(contract, wire.send(post("/v1/firearms", b"", length=10**15)).answer(), 413, "body_too_large")


def test_who_sends_on_after_413_sees_the_answer_or_the_end(casetrace):
    with Wire(casetrace) as wire:
        wire.send(post("/v1/sales", padded(1 << 20)))
        try:
            assert wire.answer().status == 413
        except Closed:
            pass


def test_chunked(casetrace, contract):
    with Wire(casetrace) as wire:
        served(wire.send(chunked("/v1/sales", b'{"a"', b": ", b"1}")).answer())
        served(wire.send(chunked("/v1/sales", b"{}", last=b"0\r\nX-Trailer: y\r\n\r\n")).answer())
        served(wire.send(chunked("/v1/sales", *[padded(SMALL_LIMIT)[i:i + 4096] for i in range(0, SMALL_LIMIT, 4096)])).answer())
        answer = wire.send(chunked("/v1/sales", padded(SMALL_LIMIT + 1))).answer()
        problem(contract, answer, 413, "body_too_large")
        served(wire.send(head(ME)).answer())


def test_chunked_without_end_is_cut_off(casetrace):
    with Wire(casetrace) as wire:
        wire.send(head("POST /v1/sales HTTP/1.1", JSON, "Transfer-Encoding: chunked"))
        for _ in range(1000):
            wire.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        with pytest.raises(Closed):
            wire.answer()


@pytest.mark.parametrize("body", [b"x\r\n{}\r\n0\r\n\r\n", b"-2\r\n{}\r\n0\r\n\r\n", b"2\r\n{}0\r\n\r\n", b" 2\r\n{}\r\n0\r\n\r\n",
                                  b"fffffffffffffffff\r\n{}\r\n", b"0x2\r\n{}\r\n0\r\n\r\n"])
def test_malformed_chunks(casetrace, body):
    with Wire(casetrace) as wire:
        wire.send(head("POST /v1/sales HTTP/1.1", JSON, "Transfer-Encoding: chunked") + body + head(ME))
        try:
            assert wire.answer().status in (400, 413)
        except Closed:
            return
        assert wire.ends()


def test_expect(casetrace, contract):
    with Wire(casetrace) as wire:
        wire.send(head("POST /v1/sales HTTP/1.1", JSON, "Content-Length: 2", "Expect: 100-continue"))
        assert wire.answer().status == 100
        served(wire.send("{}").answer())
    for request, status in ((post("/v1/sales", b"", "Expect: 100-continue", length=SMALL_LIMIT + 1), 413),
                            (post("/nowhere", b"", "Expect: 100-continue", length=2), 404)):
        with Wire(casetrace) as wire:
            # Refused instead of asked for.
            assert wire.send(request).answer().status == status
            assert wire.ends()


@pytest.mark.parametrize("lines, body", [(["Content-Length: 2"], b"{}"),
                                         (["Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n")])
def test_body_where_none_is_taken(casetrace, contract, lines, body):
    with Wire(casetrace) as wire:
        answer = wire.send(head(ME, *lines) + body).answer()
        problem(contract, answer, 413, "body_too_large")
        served(wire.send(head(ME)).answer())


@pytest.mark.parametrize("request_line", ["POST /nowhere HTTP/1.1", "PUT /v1/me HTTP/1.1", "POST /v1/sales HTTP/1.1"])
def test_a_refused_body_is_no_request(casetrace, request_line):
    """A request inside of a body that nobody wanted."""
    inside = head("GET /livez HTTP/1.1") * 3
    with Wire(casetrace) as wire:
        wire.send(head(request_line, f"Content-Length: {len(inside)}") + inside + head(ME))
        assert wire.answer().status in (404, 405, 415)
        served(wire.answer())
        assert not wire.readable(0.2)


# ---- clients that go --------------------------------------------------------------------------------

def test_clients_that_go_away(casetrace):
    whole = post("/v1/sales", padded(2000))
    for cut in (1, 20, 100, len(whole) - 1, len(whole)):
        for hard in (False, True):
            with Wire(casetrace) as wire:
                wire.send(whole[:cut])
                if hard:
                    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    with Wire(casetrace) as wire:
        served(wire.send(head(ME)).answer())


def test_large_bodies_are_bounded_together(casetrace):
    """Ten times 8 MiB that never end are more than the front keeps: some are cut off, and others
    are served meanwhile."""
    body = padded(LARGE_LIMIT)[:-1]
    wires = [Wire(casetrace, timeout=60) for _ in range(10)]
    try:
        for wire in wires:
            wire.send(post("/v1/firearms", body, length=LARGE_LIMIT))
        with Wire(casetrace) as other:
            served(other.send(post("/v1/sales", "{}")).answer())
        cut = 0
        for wire in wires:
            wire.send(b"}")
            try:
                served(wire.answer())
            except Closed:
                cut += 1
        assert 1 <= cut <= 5
    finally:
        for wire in wires:
            wire.socket.close()
    with Wire(casetrace, timeout=60) as wire:
        served(wire.send(post("/v1/firearms", padded(LARGE_LIMIT))).answer())
