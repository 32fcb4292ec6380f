# SPDX-License-Identifier: Apache-2.0
"""The registry and its witnesses: checkpoints are cosigned by a quorum or there is an alert, a witness that lies
counts for nothing, and a log that was put back is found out."""

import contextlib
import http.server
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest

import tlog
from client import ANY, Api, Client
from instance import Instance, process_stat, wait_for
from standby import load_on
from witnesses import COSIGNATURE, Key, Witness, WitnessKey

WAIT_S = 30


class Fake:
    """Somebody at a witness' address who does as the test says: answer(body) gives (status, text)."""

    def __init__(self, name):
        self.key, self.requests, self.answer = Key(f"{name}.example/w", COSIGNATURE), [], lambda body: (200, "")
        self.public = WitnessKey(self.key.vkey)
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                fake.requests.append((self.path, body))
                status, text = fake.answer(body)
                data = text.encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{fake.server.server_port}/elsewhere")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.wfile.write(data)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/prefix/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self, *_):
        self.server.shutdown()
        self.server.server_close()


def checkpoint_text(body):
    """The text of the checkpoint in a request."""
    return body.partition("\n\n")[2].partition("\n\n")[0] + "\n"


class Registry:
    """A daemon that was set up with a policy; start() starts it."""

    def __init__(self, folder, contract, **settings):
        self.policy = pathlib.Path(folder) / "witnesses.policy"
        settings = {"witness_interval_s": 1, "witness_alert_s": 2, "witness_stop_s": 4, **settings}
        self.instance = Instance(folder, settings=[f"log.policy={self.policy}", *(f"log.{n}={v}" for n, v in settings.items())])
        self.instance.prepare()
        self.instance.start_database()
        self.instance.setup()
        self.vkey = (self.instance.folder / "verifier.key").read_text().splitlines()[0]
        self.key = tlog.VerifierKey(self.vkey)
        self.admin = Client(Api(self.instance, contract, self.key), self.instance.administrator_key)
        self.witnesses = []

    def new_witness(self, name):
        self.witnesses.append(Witness(self.instance.folder, name, [self.vkey], self.instance.prefix))
        return self.witnesses[-1]

    def write_policy(self, quorum, *witnesses):
        lines = [f"log {self.vkey}", *(f"witness w{i} {w.public.vkey} {w.url}" for i, w in enumerate(witnesses))]
        names = " ".join(f"w{i}" for i in range(len(witnesses)))
        self.policy.write_text("\n".join(lines) + f"\ngroup g {quorum} {names}\nquorum g\n")
        self.policy.chmod(0o644)

    def start(self, ready=True):
        self.instance.start_daemon()
        if ready:
            self.instance.wait_ready()

    def stop(self):
        try:
            self.instance.stop()
        finally:
            for witness in self.witnesses:
                witness.stop()

    def metric(self, name):
        """A value, or the sum of all whose labels have this text."""
        found = re.findall(rf"^casetrace_{re.escape(name)} (\S+)$", self.instance.metrics(), re.M)
        return sum(float(value) for value in found)

    def failures(self, witness, reason):
        return self.metric(f'witness_failures_total{{witness="{witness}",reason="{reason}"}}')

    def check(self, name="witnesses"):
        _, body = self.instance.readiness()
        return next((c for c in body.get("checks", []) if c["name"] == name), {"state": "", "detail": ""})

    def cosigned(self, size, seconds=WAIT_S):
        wait_for(lambda: self.metric("witness_cosigned_size") >= size, seconds, f"a quorum at {size}")

    def size(self):
        return int(self.instance.psql("SELECT size FROM registry.log_head"))

    def grow(self, count):
        for _ in range(count):
            self.admin.get("/v1/me")
        return self.size()

    def errors(self, *expected):
        """Every expected error is in the log, and no other."""
        lines = [line for line in self.instance.log_findings()]
        for pattern in expected:
            assert any(re.search(pattern, line) for line in lines), (pattern, lines)
        left = [line for line in lines if not any(re.search(pattern, line) for pattern in expected)]
        assert not left, "\n".join(left)


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="casetrace-witness-") as name:
        os.chmod(name, 0o755)
        yield name


@pytest.fixture
def registry(folder, contract):
    one = Registry(folder, contract)
    yield one
    one.stop()


@pytest.fixture
def strict(folder, contract):
    one = Registry(folder, contract, witness_required="yes")
    yield one
    one.stop()


def published(registry):
    """The text and signature lines of the published checkpoint."""
    note = wait_for(lambda: (r := registry.admin.get("/log/checkpoint", expect=ANY)).status == 200 and r.body, WAIT_S,
                    "a published checkpoint")
    tlog.Checkpoint(note, registry.key)
    text, _, lines = note.rpartition("\n\n")
    return text + "\n", lines


def test_two_of_three_with_one_down(registry):
    first, second, third = (registry.new_witness(f"w{i}") for i in range(3))
    registry.write_policy(2, first, second, third)
    first.start()
    registry.start()
    # One is no quorum: nothing is published, and that is an alert.
    wait_for(lambda: registry.metric("witness_alert") == 1, WAIT_S, "an alert")
    assert registry.check()["state"] == "warning" and "no quorum" in registry.check()["detail"]
    assert registry.admin.get("/log/checkpoint", expect=ANY).status == 503
    assert registry.admin.get("/v1/me").status == 200  # none is required
    second.start()
    registry.cosigned(1)
    wait_for(lambda: registry.check()["state"] == "ok", WAIT_S, "no alert")
    text, lines = published(registry)
    for witness in (first, second):
        assert abs(witness.public.check(lines, text) - time.time()) < 60
    with pytest.raises(ValueError):
        third.public.check(lines, text)
    size = registry.grow(20)
    registry.cosigned(size)
    assert registry.failures("w2", "unreachable") >= 2
    for reason in ("refused", "bad_signature", "conflict"):
        assert registry.failures("w0", reason) == registry.failures("w1", reason) == 0
    # What they signed is behind the batches, and verifies with the log.
    rows = registry.instance.psql(f"SELECT count(*) FROM registry.log_signature WHERE name LIKE 'w_.example/w' AND size = {size}")
    assert rows == "2"
    done = registry.instance.tool("log", "verify", "--vkey", registry.vkey, "--vkey", first.public.vkey, "--database",
                                  f"host={registry.instance.folder}/run dbname=casetrace user=casetrace_auditor")
    assert done.returncode == 0, done.stdout + done.stderr
    # The quorum goes from one pair to another.
    third.start()
    first.stop()
    registry.cosigned(registry.grow(5))
    registry.errors("no quorum of witnesses for")


def test_a_witness_with_an_old_state(registry):
    """Its 409 says where it is, and it is brought from there; another one that knows nothing yet is brought from 0."""
    first, second = registry.new_witness("w0"), registry.new_witness("w1")
    registry.write_policy("all", first, second)
    first.start()
    second.start()
    old, new = first.state.read_bytes(), None
    registry.start()
    registry.cosigned(registry.grow(3))
    first.stop()
    new = first.state.read_bytes()
    size = registry.grow(30)
    for state in (new, old):
        first.stop()
        first.state.write_bytes(state)
        first.start()
        registry.cosigned(registry.grow(7))
    assert registry.size() > size
    for witness in ("w0", "w1"):
        for reason in ("refused", "bad_signature", "conflict"):
            assert registry.failures(witness, reason) == 0


def lies(fake):
    """(what, answer, the reason that is counted)"""
    other = Key(fake.key.name, COSIGNATURE)
    text = checkpoint_text

    def impostor(body):
        return 200, other.line(text(body))

    def another_text(body):
        return 200, fake.key.line(text(body).replace("\n", "\nx", 1))

    def another_key_id(body):
        return 200, fake.key.line(text(body)).replace("\u2014 ", "\u2014 other")

    return [("an impostor", impostor, "bad_signature"), ("another text", another_text, "bad_signature"),
            ("another name", another_key_id, "bad_signature"),
            ("long ago", lambda body: (200, fake.key.line(text(body), int(time.time()) - 3600)), "bad_signature"),
            ("to come", lambda body: (200, fake.key.line(text(body), int(time.time()) + 3600)), "bad_signature"),
            ("no end of time", lambda body: (200, fake.key.line(text(body), (1 << 64) - 1)), "bad_signature"),
            ("nothing", lambda body: (200, ""), "bad_signature"), ("zeros", lambda body: (200, "\0" * 500), "bad_signature"),
            ("no line's end", lambda body: (200, fake.key.line(text(body))[:-1]), "bad_signature"),
            ("very much", lambda body: (200, "x" * (1 << 20)), "unreachable"),
            ("elsewhere", lambda body: (302, ""), "refused"), ("unknown", lambda body: (404, "x"), "refused"),
            ("no number", lambda body: (409, "much\n"), "refused"), ("an error", lambda body: (500, "x"), "refused")]


def test_a_witness_that_lies(registry):
    """What it says is counted and goes nowhere, and the others are a quorum."""
    first, second, liar = registry.new_witness("w0"), registry.new_witness("w1"), Fake("w2")
    registry.write_policy(2, first, second, liar)
    first.start()
    second.start()
    registry.start()
    for what, answer, reason in lies(liar):
        liar.answer = answer
        count = len(liar.requests)
        wait_for(lambda: len(liar.requests) > count, WAIT_S, what)
        before = registry.failures("w2", reason)
        wait_for(lambda: registry.failures("w2", reason) > before, WAIT_S, f"{what} is counted as {reason}")
    registry.cosigned(registry.grow(1))
    assert {path for path, _ in liar.requests} == {"/prefix/add-checkpoint"}
    _, lines = published(registry)
    assert "w2.example" not in lines and "w0.example" in lines
    assert registry.instance.psql("SELECT count(*) FROM registry.log_signature WHERE name = 'w2.example/w'") == "0"
    # Two lines, of which one is its own and good, are one cosignature.
    liar.answer = lambda body: (200, Key("x.example/w", COSIGNATURE).line(checkpoint_text(body)) +
                                liar.key.line(checkpoint_text(body)))
    wait_for(lambda: registry.instance.psql("SELECT count(*) FROM registry.log_signature WHERE name = 'w2.example/w'") != "0",
             WAIT_S, "its true cosignature")
    # A size that nobody has reached alerts, is no reason to stop, and is forgotten when it signs again.
    true, liar.answer = liar.answer, lambda body: (409, "999999\n")
    wait_for(lambda: registry.metric('witness_conflict{witness="w2"}') == 1, WAIT_S, "a conflict")
    assert registry.check()["state"] == "warning" and "w2" in registry.check()["detail"]
    assert registry.admin.get("/v1/me").status == 200
    liar.answer = true
    wait_for(lambda: registry.check()["state"] == "ok", WAIT_S, "the conflict is over")
    liar.stop()
    registry.errors("witness w2 holds a checkpoint of size 999999")


def test_nothing_leaves_before_commit_and_anchor(registry):
    """Under load, a witness that looks: what it is sent is in the database and in the anchor when it arrives."""
    fake, wrong, seen = Fake("w0"), [], []
    anchor = registry.instance.folder / "keys/keeper/anchor"

    def answer(body):
        size = int(checkpoint_text(body).split("\n")[1])
        places = [p for p in anchor.read_text().split("\0") if p]
        if max(tlog.Checkpoint(p, registry.key).size for p in places) < size:
            wrong.append(f"{size} is not in the anchor")
        if registry.instance.psql(f"SELECT count(*) FROM registry.log_batch WHERE size = {size}") != "1":
            wrong.append(f"{size} is not committed")
        tlog.Checkpoint(body.partition("\n\n")[2], registry.key)
        seen.append(size)
        return 200, fake.key.line(checkpoint_text(body))
    fake.answer = answer
    registry.write_policy("all", fake)
    registry.start()
    wait_for(lambda: registry.grow(5) and len(set(seen)) >= 4, WAIT_S, "checkpoints of four sizes")
    assert not wrong, wrong
    assert seen == sorted(seen)
    fake.stop()


def refused_for_witnesses(registry):
    reply = registry.admin.get("/v1/me", expect=ANY)
    return reply.status == 503 and reply.code == "not_witnessed" and int(reply.headers["Retry-After"]) >= 1


def test_alert_stop_and_recovery(strict):
    witness = strict.new_witness("w0")
    strict.write_policy(1, witness)
    strict.start(ready=False)
    # From the start there is nobody: it serves for the time that it may.
    wait_for(lambda: strict.check()["state"] == "failed" and "no quorum" in strict.check()["detail"], WAIT_S, "the stop")
    assert strict.instance.readiness()[0] == 503 and strict.metric("witness_stopped") == 1
    before = strict.size()
    assert refused_for_witnesses(strict)
    assert strict.size() == before
    witness.start()
    strict.instance.wait_ready()
    assert strict.admin.get("/v1/me").status == 200
    # Once more, with time to see the alert come first.
    witness.stop()
    wait_for(lambda: strict.check()["state"] == "warning", WAIT_S, "the alert")
    assert strict.metric("witness_alert") == 1 and strict.metric("witness_stopped") == 0
    assert strict.instance.readiness()[0] == 200 and strict.admin.get("/v1/me").status == 200
    wait_for(lambda: refused_for_witnesses(strict), WAIT_S, "the stop")
    witness.start()
    wait_for(lambda: strict.admin.get("/v1/me", expect=ANY).status == 200, WAIT_S, "it goes on by itself")
    log = strict.instance.log("daemon.log")
    assert log.count("requests are answered again") == 2 and log.count("there is a quorum of witnesses again") == 2
    strict.errors("no quorum of witnesses for", "without a quorum of witnesses requests are refused")


def test_a_courier_that_is_killed(registry):
    witness = registry.new_witness("w0")
    registry.write_policy(1, witness)
    witness.start()
    registry.start()
    registry.cosigned(1)
    pid = registry.instance.part("courier")
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    keeper = pathlib.Path(f"/proc/{registry.instance.keeper_pid}/status").read_text()
    if os.geteuid() == 0:
        assert re.search(r"^Uid:.*", status, re.M)[0] != re.search(r"^Uid:.*", keeper, re.M)[0]
        files = [os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
        assert not [name for name in files if "keyring" in name or "anchor" in name], files
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: process_stat(pid) is None, WAIT_S, "its end")
    registry.cosigned(registry.grow(3))
    os.kill(registry.instance.keeper_pid, signal.SIGKILL)
    registry.instance.wait_ready()
    registry.cosigned(registry.grow(3))
    registry.instance.stop_daemon()
    assert not registry.instance.log_findings()


def test_a_database_that_was_put_back(strict):
    """Without its anchor the keeper cannot know it, and somebody vouches for the log; the witness knows better:
    nothing is answered on such a log."""
    witness = strict.new_witness("w0")
    strict.write_policy(1, witness)
    witness.start()
    strict.start()
    strict.cosigned(strict.grow(4))
    assert strict.instance.stop_daemon() == 0
    anchor = strict.instance.folder / "keys/keeper/anchor"
    strict.instance.psql("CREATE DATABASE old TEMPLATE casetrace", "postgres")
    strict.start()
    size = strict.grow(1)
    strict.cosigned(size)
    assert strict.instance.stop_daemon() == 0
    shutil.copy2(anchor, anchor.with_name("anchor.true"))
    for statement in ("ALTER DATABASE casetrace RENAME TO newer", "ALTER DATABASE old RENAME TO casetrace"):
        strict.instance.psql(statement, "postgres")
    anchor.unlink()
    epoch = strict.instance.psql("SELECT epoch FROM registry.log_head")
    strict.instance.tool("log", "override", "--config", strict.instance.configuration, "--epoch", epoch,
                         "--reason", "a mistake that witnesses find", check=True)
    held = held_by(witness)
    # First it is shorter than what the witness holds (409), then as long or longer and another (409, 422).
    answers = []
    while len(answers) < 4:
        # Somebody who asks from the first moment on is not answered once.
        with load_on(strict.admin) as load:
            strict.start(ready=False)
            wait_for(lambda: "another checkpoint" in strict.check()["detail"], WAIT_S, "the fork is found")
            wait_for(lambda: load.replies and load.replies[-1][1] == "not_witnessed", WAIT_S, "it is refused")
        assert 200 not in {status for status, _, _ in load.replies}
        assert strict.check()["state"] == "failed" and strict.instance.readiness()[0] == 503
        assert strict.metric('witness_conflict{witness="w0"}') == 1 and strict.metric("witness_stopped") == 1
        assert refused_for_witnesses(strict)
        answers.append(strict.size())
        assert strict.instance.stop_daemon() == 0
    assert answers[0] < held < answers[-1], (answers, held)
    assert held_by(witness) == held
    # The last state is put back, and its anchor with it: it goes on by itself.
    for statement in ("ALTER DATABASE casetrace RENAME TO forked", "ALTER DATABASE newer RENAME TO casetrace"):
        strict.instance.psql(statement, "postgres")
    anchor.unlink()
    shutil.copy2(anchor.with_name("anchor.true"), anchor)
    if os.geteuid() == 0:
        shutil.chown(anchor, "casetrace", "casetrace")
    strict.start()
    strict.cosigned(strict.grow(2))
    assert strict.metric('witness_conflict{witness="w0"}') == 0
    strict.errors("holds a checkpoint of size", "witnesses hold another log: requests are refused")


def held_by(witness):
    """The size that it cosigned last, as its state has it."""
    return int(re.search(r"^\S+ (\d+) \S+$", witness.state.read_text(), re.M)[1])


def test_policies_that_are_refused(registry):
    """With line and reason, by --check and at the start; nothing is started."""
    witness = registry.new_witness("w0")
    line = f"witness a {witness.public.vkey}"
    cases = {"quorum none\nnonsense\n": ":2: neither log, witness, group nor quorum",
             "# nothing\n": ": there is no quorum line", "quorum a\n": ":1: the quorum's name is not defined above",
             f"{line}\nquorum a\n": ": the witnesses that have a URL can make no quorum",
             f"{line} ftp://127.0.0.1/\nquorum a\n": ": the URL of witness a is not one that can be asked",
             f"{line} http://user@127.0.0.1/\nquorum a\n": ": the URL of witness a is not one that can be asked",
             f"{line} https://h/?q\nquorum a\n": ": the URL of witness a is not one that can be asked",
             f"log {Key('other.example/log').vkey}\n{line} {witness.url}\nquorum a\n": None}
    daemon = [registry.instance.prefix / "sbin/casetraced", "--config", registry.instance.configuration]
    for text, reason in cases.items():
        registry.policy.write_text(text)
        registry.policy.chmod(0o644)
        checked = subprocess.run([*daemon, "--check"], capture_output=True, text=True, timeout=20)
        # Which log it is for is known by the keyring, which --check does not open.
        assert checked.returncode == (78 if reason else 0), (text, checked)
        started = subprocess.run(daemon, capture_output=True, text=True, timeout=20)
        assert started.returncode == 78, (text, started)
        for said in ([checked.stderr] if reason else []) + [started.stderr]:
            assert str(registry.policy) + (reason or ": no log line has a key of this log") in said
    registry.policy.unlink()
    assert subprocess.run([*daemon, "--check"], capture_output=True, timeout=20).returncode == 78
    registry.write_policy(1, witness)
    assert subprocess.run([*daemon, "--check"], capture_output=True, timeout=20).returncode == 0
