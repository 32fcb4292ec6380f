# SPDX-License-Identifier: Apache-2.0
"""Clients that take their time: each phase of a connection has a total deadline, however often
a byte comes. The bounds are those of keeper/limits.h. All wait side by side."""

import pathlib
import re
import select
import socket
import ssl
import threading
import time

import pytest

from wire import Wire, head, post

LIMITS = {name: int(value) / 1000 for name, value in re.findall(
    r"#define (LIMIT_\w+)_MS[\s\\]+(\d+)",
    (pathlib.Path(__file__).resolve().parents[2] / "keeper/limits.h").read_text())}
EARLY_S, LATE_S = 0.5, 5
PULSE_S = 0.5


class Slow(threading.Thread):
    """Opens a connection, and then sends a byte now and then until the other side ends it."""

    def __init__(self, casetrace, prepare, drip):
        super().__init__(daemon=True)
        self.casetrace, self.prepare, self.drip = casetrace, prepare, drip
        self.lasted = self.error = None
        self.start()

    def run(self):
        try:
            sock = self.prepare(self.casetrace)
            started = time.monotonic()
            end = started + LIMITS["LIMIT_BODY"] + 3 * LATE_S
            poll = select.poll()
            poll.register(sock, select.POLLIN if self.drip is not None else 0)
            while time.monotonic() < end:
                events = poll.poll(PULSE_S * 1000)
                if any(event & (select.POLLHUP | select.POLLERR) for _, event in events):
                    break
                if events and self.ended(sock):
                    break
                if self.drip:
                    try:
                        sock.send(self.drip)
                    except (OSError, ssl.SSLError):
                        break
            self.lasted = time.monotonic() - started
            sock.close()
        except Exception as error:  # shown by the test
            self.error = error

    @staticmethod
    def ended(sock):
        try:
            return sock.recv(65536) == b""
        except (OSError, ssl.SSLError):
            return True


def prepared(data=b""):
    def prepare(casetrace):
        wire = Wire(casetrace)
        wire.send(data)
        return wire.socket
    return prepare


def after_an_answer(casetrace):
    wire = Wire(casetrace)
    assert wire.send(head("GET /nowhere HTTP/1.1")).answer().status == 404
    return wire.socket


def without_tls(casetrace):
    return socket.create_connection(("127.0.0.1", casetrace.port))


def half_a_handshake(casetrace):
    sock = without_tls(casetrace)
    sock.sendall(b"\x16\x03\x01\x20\x00\x01\x00\x1f\xfc\x03\x03")  # a record of 8 KiB, hello
    return sock


def not_reading(casetrace):
    """Asks for much and reads nothing of it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", casetrace.port))
    sock = ssl.create_default_context(cafile=str(casetrace.certificate)).wrap_socket(sock, server_hostname="localhost")
    sock.setblocking(False)
    request = head("GET /v1/openapi.yaml HTTP/1.1", f"Authorization: Bearer {casetrace.administrator_key}")
    for _ in range(2000):
        try:
            sock.send(request)
        except (ssl.SSLWantWriteError, BlockingIOError):
            break
    return sock


CASES = {
    "header, byte by byte": ("LIMIT_HEADER", prepared(b"GET /v1/me HTTP/1.1\r\nHost: a\r\nX: "), b"x"),
    "request line, byte by byte": ("LIMIT_HEADER", prepared(b"GET /"), b"x"),
    "empty lines": ("LIMIT_HEADER", prepared(), b"\r\n"),
    "nothing": ("LIMIT_HEADER", prepared(), b""),
    "nothing after an answer": ("LIMIT_HEADER", after_an_answer, b""),
    "no handshake": ("LIMIT_HEADER", without_tls, b""),
    "half a handshake": ("LIMIT_HEADER", half_a_handshake, b"x"),
    "body, byte by byte": ("LIMIT_BODY", prepared(post("/v1/sales", b"{", length=60000)), b" "),
    "refused body, byte by byte": ("LIMIT_BODY", prepared(head("POST /nowhere HTTP/1.1", "Content-Length: 60000")), b" "),
    "chunks, byte by byte": ("LIMIT_BODY", prepared(head(
        "POST /v1/sales HTTP/1.1", "Content-Type: application/json", "Transfer-Encoding: chunked")), b"1\r\nx\r\n"),
    "answer that is not read": ("LIMIT_ANSWER", not_reading, None),
}


@pytest.fixture(scope="module")
def slow(casetrace):
    before = casetrace.front_pid
    threads = {name: Slow(casetrace, prepare, drip) for name, (_, prepare, drip) in CASES.items()}
    # Others are served meanwhile.
    for _ in range(20):
        with Wire(casetrace) as wire:
            assert wire.send(head("GET /v1/me HTTP/1.1")).answer().status == 401
    for thread in threads.values():
        thread.join()
    assert casetrace.front_pid == before
    return threads


@pytest.mark.parametrize("name", CASES)
def test_deadline(slow, name):
    limit = LIMITS[CASES[name][0]]
    if slow[name].error:
        raise slow[name].error
    assert limit - EARLY_S <= slow[name].lasted <= limit + LATE_S
