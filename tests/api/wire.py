# SPDX-License-Identifier: Apache-2.0
"""HTTP by hand: bytes over TLS, and what comes back taken apart strictly. For tests of what a
well-behaved client never sends."""

import json
import select
import socket
import ssl
import time

TIMEOUT_S = 20


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def problem(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.problem["code"]

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:500]!r}"


class Closed(Exception):
    """The connection ended where an answer could have been."""


class Wire:
    def __init__(self, instance, tls=True, context=None, timeout=TIMEOUT_S):
        port = instance.port if tls else instance.operator_port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.buffer = b""
        self.deadline = time.monotonic() + timeout
        if tls:
            context = context or ssl.create_default_context(cafile=str(instance.certificate))
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """What is sent into a connection that has just been closed is lost, and that is no error here."""
        try:
            self.socket.sendall(data if isinstance(data, bytes) else data.encode())
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass
        return self

    def _more(self):
        self.socket.settimeout(max(0.01, self.deadline - time.monotonic()))
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            data = b""
        if not data:
            raise Closed
        self.buffer += data

    def answer(self, head_only=False):
        """The next answer; interim ones are answers too. Raises Closed."""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("ascii").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        assert version == "HTTP/1.1", lines[0]
        headers = {}
        for line in lines[1:]:
            name, value = line.split(": ", 1)
            assert name.lower() not in headers, line
            headers[name.lower()] = value
        if int(status) < 200:
            return Answer(int(status), headers, b"")
        length = 0 if head_only else int(headers["content-length"])
        while len(self.buffer) < length:
            self._more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Answer(int(status), headers, body)

    def ends(self):
        """Whether the connection is closed now, with nothing more in it."""
        try:
            self._more()
        except Closed:
            return True
        return False

    def readable(self, seconds):
        """Whether something, if only the end, can be read within that time."""
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return True
        return bool(select.select([self.socket], [], [], seconds)[0])


def head(first="GET /v1/me HTTP/1.1", *lines, host="localhost"):
    """A head with a Host line, unless host is None."""
    all_lines = [first, *([f"Host: {host}"] if host else []), *lines]
    return ("\r\n".join(all_lines) + "\r\n\r\n").encode("latin-1")


def post(path, body, *lines, length=None):
    body = body if isinstance(body, bytes) else body.encode()
    return head(f"POST {path} HTTP/1.1", "Content-Type: application/json",
                f"Content-Length: {len(body) if length is None else length}", *lines) + body
