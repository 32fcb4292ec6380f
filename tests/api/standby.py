# SPDX-License-Identifier: Apache-2.0
"""Several daemons on one database: one serves, the others stand by; and people who ask them without pause."""

import concurrent.futures
import configparser
import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time

import requests

import tlog
from client import ANY, Api, Client
from instance import TOP, Instance, children, wait_for

TAKEOVER_S = 10
LIMITS = {name: int(value) / 1000 for name, value in
          re.findall(r"#define LIMIT_(\w+)_MS (\d+)", (TOP / "keeper/limits.h").read_text())}
# A request that comes when the database has gone: its turn, one statement that hangs, a new connection.
REFUSED_S = LIMITS["QUEUE"] + LIMITS["LOCK"] + LIMITS["STATEMENT"] + LIMITS["CONNECT"] + 1


class Standby(Instance):
    """Another daemon with the same keyring and database, its own ports, name and anchor."""

    def __init__(self, first, name="second"):
        folder = first.folder / name
        folder.mkdir()
        super().__init__(folder, prefix=first.prefix)
        self.first = first
        self.certificate = first.certificate
        config = configparser.ConfigParser(interpolation=None)
        config.read(first.configuration)
        self.anchor = config["keeper"]["anchor"] + "-" + name
        config["server"].update(listen=f"127.0.0.1:{self.port}", operator_listen=f"127.0.0.1:{self.operator_port}")
        config["keeper"].update(anchor=self.anchor, name=name)
        with open(self.configuration, "w") as file:
            config.write(file)

    def start_daemon(self):
        with open(self.folder / "daemon.log", "ab") as file:
            self.daemon = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", self.prefix / "sbin/casetraced", "--config", self.configuration],
                stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=self.environment)

    def tool(self, *arguments, **options):
        return self.first.tool(*arguments, **options)


class World:
    """The first daemon with its database, and what is asked of whichever."""

    def __init__(self, instance, contract):
        self.first, self.contract, self.seconds = instance, contract, []
        self.key = tlog.VerifierKey((instance.folder / "verifier.key").read_text().splitlines()[0])
        self.admin = self.client(instance)

    def client(self, instance):
        return Client(Api(instance, self.contract, self.key), self.first.administrator_key)

    def standby(self, given=""):
        """A second daemon that stands by. It is given the first's anchor, as its own or (".former") beside it."""
        second = Standby(self.first)
        self.seconds.append(second)
        self.give_anchor(second, given)
        second.start_daemon()
        wait_for(lambda: stands_by(second), TAKEOVER_S, "a daemon that stands by")
        return second

    def give_anchor(self, instance, given="", of=None):
        self.first.as_keeper("cp", of or self.anchor, instance.anchor + given, check=True)

    @property
    def anchor(self):
        config = configparser.ConfigParser(interpolation=None)
        config.read(self.first.configuration)
        return config["keeper"]["anchor"]

    def stop(self):
        for second in self.seconds:
            second.stop_daemon()
        self.first.stop()

    def head(self):
        writer, epoch, size = self.first.psql("SELECT writer, epoch, size FROM registry.log_head").split("|")
        return writer, int(epoch), int(size)

    def headers(self, start=0):
        rows = self.first.psql("SELECT convert_from(header, 'UTF8') FROM registry.log_entry "
                               f"WHERE idx >= {start} ORDER BY idx").splitlines()
        return [json.loads(row) for row in rows]

    def verify(self):
        anchors = [word for second in self.seconds if os.path.exists(second.anchor) for word in ("--since", second.anchor)]
        done = subprocess.run(self.first.command("verify-log", *anchors), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def check_logs(self):
        """No error that nobody expected, in none of the logs."""
        findings = self.first.log_findings()
        for second in self.seconds:
            (second.folder / "postgresql.log").touch()
            findings += second.log_findings()
        assert not findings, "\n".join(findings)


def stands_by(instance):
    status, body = instance.readiness()
    return status == 503 and any("stands by" in check["detail"] for check in body.get("checks", []))


def serves(client):
    try:
        return client.get("/v1/me", expect=ANY).status == 200
    except requests.exceptions.RequestException:
        return False


def refuses(client, code, within=REFUSED_S):
    """A read and a write, refused in time with a word on when to come again."""
    for call in (lambda: client.get("/v1/me", expect=ANY),
                 lambda: client.post("/v1/organizations", {"name": "x", "kind": "agency", "ori": "CA0000001"}, expect=ANY)):
        start = time.monotonic()
        reply = call()
        assert reply.status == 503 and reply.code in ([code] if isinstance(code, str) else code), reply
        assert int(reply.headers["Retry-After"]) >= 1
        assert time.monotonic() - start <= within, f"{reply.code} after {time.monotonic() - start:.1f} s"


def power_cut(instance):
    """The machine of a daemon is off: all of its processes end at once."""
    daemon, instance.daemon = instance.daemon, None
    os.kill(daemon.pid, signal.SIGSTOP)  # so that it starts no others meanwhile
    for pid in [daemon.pid, *children(daemon.pid)]:
        os.kill(pid, signal.SIGKILL)
    daemon.wait()


class Load:
    """People who ask one daemon without pause; keeps what they were answered."""

    def __init__(self, client, threads=4):
        self.client, self.replies, self.stopping = client, [], threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(threads)
        self.running = [self.pool.submit(self.run) for _ in range(threads)]

    def run(self):
        while not self.stopping.is_set():
            try:
                reply = self.client.get("/v1/me", expect=ANY)
            except requests.exceptions.RequestException:
                continue  # a front that ends
            self.replies.append((reply.status, reply.code, reply.headers["Request-Id"]))
            if reply.status >= 500:
                self.stopping.wait(0.02)

    def stop(self):
        self.stopping.set()
        for one in self.running:
            one.result()
        self.pool.shutdown()


@contextlib.contextmanager
def load_on(client):
    load = Load(client)
    try:
        yield load
    finally:
        load.stop()
