# SPDX-License-Identifier: Apache-2.0
"""A COMMIT lost in transit, again and again, under load: no answer without its entry, and nothing done twice,
with Idempotency-Keys and without."""

import collections
import os
import re
import select
import shutil
import subprocess
import tempfile
import threading
import uuid

import pytest

from client import ANY, Api, Client, People, Registry
from instance import TOP, Instance, free_port
from test_batch import metric
from tlog import VerifierKey

CUTS = int(os.environ.get("CASETRACE_COMMIT_CUTS", "60"))
ORDERS = ("dropped", "crossed", "answered", "late")
ASKERS = 6
ANSWERED_S = 20


class Proxy:
    def __init__(self, instance, port):
        # The keeper's user may not be able to enter the folder that this one is in.
        program = instance.folder / "commit_proxy.py"
        shutil.copy(TOP / "tests/api/commit_proxy.py", program)
        program.chmod(0o644)
        state = dict(line.split("=", 1) for line in (instance.folder / ".casetrace-instance").read_text().splitlines())
        self.process = subprocess.Popen(
            instance.command("as-keeper", "/usr/bin/python3", program,
                             "--port", port, "--socket", state["socket"] + "/.s.PGSQL.5432"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self.said() == "listening"

    def said(self):
        ready, _, _ = select.select([self.process.stdout], [], [], ANSWERED_S)
        assert ready, "the proxy has met no COMMIT"
        return self.process.stdout.readline().strip()

    def lose(self, order):
        self.process.stdin.write(order + "\n")
        assert self.said() == order

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def lossy():
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="casetrace-commit-") as folder:
        os.chmod(folder, 0o755)
        instance = Instance(folder, settings=[
            f"database.connection=host=127.0.0.1 port={port} sslmode=disable dbname=casetrace user=casetrace_keeper",
            "keeper.trace_budget_account=0", "keeper.trace_budget_agency=0"])
        instance.prepare()
        proxy = Proxy(instance, port)
        try:
            instance.start_database()
            instance.setup()
            instance.start_daemon()
            instance.wait_ready()
            yield instance, proxy
        finally:
            instance.stop()
            proxy.stop()


class Asker(threading.Thread):
    """Sells firearms under a key, repeated until it is answered, and traces them without one."""

    def __init__(self, dealer, police, registry, firearms, stopping):
        super().__init__(daemon=True)
        self.dealer, self.police, self.registry, self.firearms, self.stopping = dealer, police, registry, firearms, stopping
        self.answers, self.sales, self.traces, self.problem = [], [], [], None

    def ask(self, client, path, body, idempotency):
        reply = client.post(path, body, idempotency=idempotency, expect=ANY)
        self.answers.append((reply.headers["Request-Id"], reply.status, reply.code))
        return reply

    def work(self):
        firearm = self.firearms.pop()
        body, key, asked = self.registry.sale(firearm), uuid.uuid4().hex, []
        while not asked or asked[-1].status != 201:
            asked.append(self.ask(self.dealer, "/v1/sales", body, key))
            assert asked[-1].status in (201, 503), asked[-1]
        self.sales.append((asked[-1]["id"], [reply.headers["Request-Id"] for reply in asked]))
        for idempotency in (None, uuid.uuid4().hex):
            reply = self.ask(self.police, "/v1/traces", self.registry.trace(firearm.code), idempotency)
            if reply.status == 201:
                assert reply["candidates"][0]["first_purchaser"]["family_name"] == body["purchaser"]["family_name"]
                self.traces.append(reply["id"])

    def run(self):
        try:
            while not self.stopping.is_set() and self.firearms:
                self.work()
        except Exception as error:  # whatever it was, the test has failed
            self.problem = f"{type(error).__name__}: {error}"


def entries(instance):
    """outcome by request id; how often each request id is there."""
    rows = [row.split("|") for row in instance.psql(
        "SELECT convert_from(header, 'UTF8')::json ->> 'request_id', convert_from(header, 'UTF8')::json ->> 'outcome' "
        "FROM registry.log_entry WHERE convert_from(header, 'UTF8')::json ->> 'request_id' <> ''").splitlines()]
    return dict(rows), collections.Counter(row[0] for row in rows)


def check(instance, askers):
    outcomes, times = entries(instance)
    answers = [answer for asker in askers for answer in asker.answers]
    assert not [name for name, count in times.items() if count > 1], "a request with two entries"
    missing = [name for name, status, _ in answers if status < 300 and name not in outcomes]
    assert not missing, f"{len(missing)} answers without an entry"
    # Every loss was found out about, so nobody has to be told that it is not known.
    assert {code for _, status, code in answers if status >= 300} <= {"not_attempted", "overloaded"}, answers
    done = [name for name, status, _ in answers if status >= 300 and name in outcomes]
    assert not done, f"{len(done)} refused as not done, and done"

    sales = [sale for asker in askers for sale in asker.sales]
    stored = instance.psql("SELECT 'sal_' || replace(id::text, '-', '') FROM registry.sale").splitlines()
    assert sorted(stored) == sorted(sale for sale, _ in sales), "each sale once"
    for _, names in sales:
        assert collections.Counter(outcomes.get(name) for name in names)["ok"] == 1, "done once, later ones are replayed"
    traces = [trace for asker in askers for trace in asker.traces]
    stored = instance.psql("SELECT 'trc_' || replace(id::text, '-', '') FROM registry.trace").splitlines()
    assert sorted(stored) == sorted(traces), "each trace once"
    return len(answers)


def test_a_commit_lost_in_transit(lossy, contract):
    instance, proxy = lossy
    api = Api(instance, contract, VerifierKey((instance.folder / "verifier.key").read_text().splitlines()[0]))
    nobody, people, registry = Client(api), People(Client(api, instance.administrator_key)), Registry()
    maker, dealer, police = people.manufacturer(), people.dealer(), people.investigator()
    firearms = [firearm for _ in range(max(2, CUTS // 25)) for firearm in registry.register(maker, dealer, 500)]
    keeper, resolved, stopping = instance.keeper_pid, metric(nobody, "commits_resolved_total"), threading.Event()
    askers = [Asker(dealer, police, registry, firearms, stopping) for _ in range(ASKERS)]
    for asker in askers:
        asker.start()
    try:
        for number in range(CUTS):
            proxy.lose(ORDERS[number % len(ORDERS)])
    finally:
        stopping.set()
        for asker in askers:
            asker.join(60)
    assert not [asker.problem for asker in askers if asker.problem]
    assert firearms, "there was load to the end"
    assert check(instance, askers) > CUTS
    assert metric(nobody, "commits_resolved_total") == resolved + CUTS
    assert instance.keeper_pid == keeper, "the keeper went on"
    verified = instance.verify_log()
    assert verified.returncode == 0, verified.stdout + verified.stderr
    findings = instance.log_findings()
    assert not findings, "\n".join(findings)
    assert len(re.findall("a batch of", instance.log("daemon.log"))) <= CUTS
