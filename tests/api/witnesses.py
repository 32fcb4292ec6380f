# SPDX-License-Identifier: Apache-2.0
"""Witnesses and what is sent to them, written from the formats (RFC 6962, C2SP signed-note, tlog-cosignature,
tlog-witness) with hashlib and python3-cryptography, not from the C."""

import base64
import os
import pathlib
import signal
import subprocess
import time

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import tlog
from instance import free_port, wait_for

ED25519, COSIGNATURE = 1, 4


def base64_text(data):
    return base64.b64encode(data).decode()


class Key:
    """A key that signs notes, or checkpoints as a witness does."""

    def __init__(self, name, kind=ED25519):
        self.name, self.kind, self.key = name, kind, Ed25519PrivateKey.generate()
        raw = bytes([kind]) + self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = tlog.sha256(name.encode(), b"\n", raw)[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64_text(raw)}"

    def line(self, text, at=None):
        """The signature line under a text; at: the time of a cosignature."""
        blob = b"" if self.kind == ED25519 else (at if at is not None else int(time.time())).to_bytes(8, "big")
        message = text if self.kind == ED25519 else f"cosignature/v1\ntime {int.from_bytes(blob, 'big')}\n{text}"
        return f"\u2014 {self.name} {base64_text(self.id + blob + self.key.sign(message.encode()))}\n"


class WitnessKey:
    """The public part of a witness' key."""

    def __init__(self, vkey):
        self.vkey = vkey.strip()
        self.name, identity, key = self.vkey.split("+", 2)
        raw = base64.b64decode(key, validate=True)
        self.id = tlog.sha256(self.name.encode(), b"\n", raw)[:4]
        if raw[0] != COSIGNATURE or self.id.hex() != identity:
            raise ValueError("not the key of a witness")
        self.key = Ed25519PublicKey.from_public_bytes(raw[1:])

    def check(self, lines, text):
        """The time of this witness' cosignature among the lines; raises where there is none or it is wrong."""
        for line in lines.strip("\n").split("\n"):
            dash, name, blob = line.split(" ")
            raw = base64.b64decode(blob, validate=True)
            if dash == "\u2014" and name == self.name and raw[:4] == self.id:
                at = int.from_bytes(raw[4:12], "big")
                self.key.verify(raw[12:], f"cosignature/v1\ntime {at}\n{text}".encode())
                return at
        raise ValueError("no cosignature by " + self.name)


def split_of(width):
    """The largest power of two below it."""
    return 1 << (width - 1).bit_length() - 1


class Log:
    """A log in memory: leaves, roots and consistency proofs as RFC 6962 defines them."""

    def __init__(self, key, leaves=()):
        self.key, self.leaves, self.known = key, list(leaves), {}

    def root(self, low, high):
        if low == high:
            return tlog.sha256()
        if (low, high) not in self.known:
            if high - low == 1:
                self.known[low, high] = tlog.leaf_hash(self.leaves[low])
            else:
                middle = low + split_of(high - low)
                self.known[low, high] = tlog.sha256(b"\1", self.root(low, middle), self.root(middle, high))
        return self.known[low, high]

    def proof(self, old, new):
        """SUBPROOF of RFC 6962, 2.1.2."""
        def part(count, low, high, whole):
            if count == high - low:
                return [] if whole else [self.root(low, high)]
            middle = low + split_of(high - low)
            if count <= middle - low:
                return part(count, low, middle, whole) + [self.root(middle, high)]
            return part(count - (middle - low), middle, high, False) + [self.root(low, middle)]
        return part(old, 0, new, True) if 0 < old < new else []

    def text(self, size):
        return f"{self.key.name}\n{size}\n{base64_text(self.root(0, size))}\n"

    def note(self, size, *keys):
        text = self.text(size)
        return text + "\n" + "".join(key.line(text) for key in keys or (self.key,))

    def request(self, old, new, proof=None, note=None):
        hashes = self.proof(old, new) if proof is None else proof
        return f"old {old}\n" + "".join(base64_text(h) + "\n" for h in hashes) + "\n" + (note or self.note(new))


class Witness:
    """`casetrace witness` as a process of its own."""

    def __init__(self, folder, name, logs, prefix=None):
        self.folder, self.name, self.logs = pathlib.Path(folder), name, list(logs)
        self.tool = pathlib.Path(prefix or os.environ["CASETRACE_PREFIX"]) / "bin/casetrace"
        self.key, self.state = self.folder / f"{name}.key", self.folder / f"{name}.state"
        self.port, self.process = free_port(), None
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = dict(os.environ)
        done = subprocess.run([self.tool, "witness", "init", "--name", f"{name}.example/w", "--key", self.key,
                               "--state", self.state], check=True, capture_output=True, text=True)
        self.public = WitnessKey(done.stdout)

    def command(self):
        return [self.tool, "witness", "--key", self.key, "--state", self.state, "--listen", f"127.0.0.1:{self.port}",
                *(word for log in self.logs for word in ("--log", log))]

    def start(self):
        with open(self.folder / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *self.command()], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.environment)

        def answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"the witness ended: {(self.folder / f'{self.name}.log').read_text()[-1000:]}")
            try:
                return requests.get(self.url, timeout=5).status_code == 404
            except requests.exceptions.ConnectionError:
                return False
        wait_for(answers, 20, "a witness that answers")
        return self

    def refused(self):
        """Tries to start it; what it says when it does not."""
        done = subprocess.run(self.command(), capture_output=True, text=True, timeout=20)
        assert done.returncode == 1, done
        return done.stderr

    def add(self, body):
        """(status, text of the answer)"""
        with requests.post(self.url + "/add-checkpoint", data=body.encode(), timeout=10) as reply:
            if reply.status_code == 409:
                assert reply.headers["Content-Type"] == "text/x.tlog.size"
            return reply.status_code, reply.content.decode()

    def stop(self, number=signal.SIGTERM):
        process, self.process = self.process, None
        if process and process.poll() is None:
            process.send_signal(number)
            process.wait(20)
        return process.returncode if process else None
