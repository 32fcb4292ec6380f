# SPDX-License-Identifier: Apache-2.0
"""What benchmarks share: a private cluster and a Casetrace of its own, firearms in it, the load
generator, and processor time by part."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests/api"))

from client import Api, Client, People, today
from contract import Contract
from instance import Instance, children, process_stat, wait_for

import tlog

TICKS = os.sysconf("SC_CLK_TCK")
# One account asks all day long: it has no budget.
SETTINGS = ["keeper.trace_budget_account=0", "keeper.trace_budget_agency=0", "keeper.trace_no_match_limit=0"]
# The same for all loads. Durability is PostgreSQL's default: fsync and synchronous_commit on.
# Checkpoints would fall into some rounds and not into others, so there is room for none.
POSTGRES = ["shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=1h", "max_connections=100"]


def say(text):
    print(text, file=sys.stderr, flush=True)


def busy_s(pid):
    """User and system time of a process so far, with that of the children that it has waited for."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(fields[n]) for n in (11, 12, 13, 14)) / TICKS


class Meter:
    """Processor time by part, over a stretch of time."""

    def __init__(self, instance):
        self.instance = instance
        self.pids = {"front": instance.front_pid, "keeper": instance.keeper_pid}
        self.start = self.read()

    def read(self):
        database = self.instance.database.pid
        found = {name: busy_s(pid) for name, pid in self.pids.items()}
        # Sessions that end meanwhile are in the postmaster's sum of its children.
        found["postgres"] = busy_s(database) + sum(own_s(pid) for pid in children(database))
        return found

    def spent(self):
        now = self.read()
        return {name: now[name] - self.start[name] for name in now}


def own_s(pid):
    stat = process_stat(pid)
    return stat[2] / TICKS if stat else 0.0


def peak_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return round(int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024, 1)


class Load:
    """A load generator that has connected and waits to be told to begin."""

    def __init__(self, bench, seconds, connections, kinds=None, sample=None):
        command = [bench.load_program, "--port", bench.instance.port, "--ca", bench.instance.certificate,
                   "--key-file", bench.key_file, "--codes", bench.codes, "--incident", today(),
                   "--connections", connections, "--seconds", seconds]
        if bench.opaque:
            command += ["--opaque-codes", bench.opaque_codes]
        if kinds:
            command += ["--kinds", ",".join(kinds)]
        if sample:
            command += ["--sample-file", sample, "--sample-every", 1000]
        self.bench = bench
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", "the load generator did not connect"

    def go(self):
        self.before = own_s(self.process.pid)
        self.meter = Meter(self.bench.instance)
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self

    def result(self):
        with self.process:
            line = self.process.stdout.readline()
            spent = self.meter.spent()
            result = json.loads(line)
            spent["load"] = busy_of_ended(self.process) - self.before
        result["cpu_s"] = spent
        return result


class Bench:
    opaque = 0  # per cent of the firearms that have a code their maker brought
    postgres = POSTGRES

    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        build = pathlib.Path(args.build or folder / "build").resolve()
        if not args.build:
            subprocess.run([TOP / "deploy/build", "--dir", build, "--quiet", "--", "CFLAGS=-O2 -g"], check=True)
        self.load_program = build / "obj/bench/trace-load"
        self.seal_program = build / "obj/bench/seal-purchasers"
        self.instance = Instance(folder / "instance", settings=SETTINGS, pg=self.postgres, prefix=build / "root")
        self.codes, self.opaque_codes, self.key_file = folder / "codes", folder / "codes.opaque", folder / "key"
        self.state = {}

    # ---- before ------------------------------------------------------------------------------------

    def prepare(self):
        instance = self.instance.start()
        self.state = dict(line.split("=", 1) for line in (instance.folder / ".casetrace-instance").read_text().splitlines())
        self.verifier = tlog.VerifierKey((instance.folder / "verifier.key").read_text().splitlines()[0])
        people = People(Client(Api(instance, Contract(), self.verifier), instance.administrator_key))
        police = people.investigator()
        self.key_file.write_text(police.key + "\n")
        self.credential = police.key_id[4:]
        say(f"loading {self.args.firearms} firearms")
        with open(TOP / "bench/load.sql") as script:
            subprocess.run(instance.command("psql", "-d", "casetrace", "-o", "/dev/null", "-v", f"n={self.args.firearms}",
                                            "-v", f"opaque={self.opaque}", "-f", "-"), check=True, stdin=script)
        self.seal_purchasers()
        found = self.write_codes("R29-8", self.codes) + self.write_codes("opaque", self.opaque_codes)
        assert found == self.args.firearms, f"{found} codes instead of {self.args.firearms}"
        instance.psql("VACUUM (ANALYZE)")
        instance.psql("CHECKPOINT")
        # New sessions, with plans made for the loaded tables.
        instance.stop_daemon()
        instance.start_daemon()
        instance.wait_ready()

    def seal_purchasers(self):
        """Gives every sale a purchaser under a seal that opens."""
        sales = subprocess.run(self.instance.command("psql", "-d", "casetrace", "-At", "-c", "SELECT sale_id FROM registry.sale_purchaser"),
                               check=True, capture_output=True, text=True).stdout
        sealed = self.instance.as_keeper(self.seal_program, self.instance.folder / "keys/keeper/keyring.json", check=True,
                                         input=sales, capture_output=True, text=True).stdout
        script = ("CREATE TEMP TABLE seal (sale uuid PRIMARY KEY, key text, sealed bytea);\n"
                  "COPY seal FROM stdin;\n" + sealed + "\\.\n"
                  "UPDATE registry.sale_purchaser p SET key_id = s.key, sealed = s.sealed FROM seal s WHERE s.sale = p.sale_id;\n")
        subprocess.run(self.instance.command("psql", "-d", "casetrace", "-o", "/dev/null", "-f", "-"), check=True, input=script, text=True)

    def write_codes(self, scheme, path):
        """The codes of registered firearms, and what is engraved beside them; returns how many."""
        query = ("SELECT m.word, f.serial FROM registry.mark m JOIN registry.firearm f ON f.id = m.firearm_id "
                 f"WHERE m.scheme = '{scheme}'")
        with open(path, "w") as file:
            subprocess.run(self.instance.command("psql", "-d", "casetrace", "-At", "-F", "\t", "-c", query), check=True, stdout=file)
        return sum(1 for _ in open(path))

    # ---- the load ------------------------------------------------------------------------------------

    def load(self, seconds, connections=None, kinds=None, sample=None):
        return Load(self, seconds, connections or self.args.connections, kinds, sample).go().result()

    def settle(self):
        """Waits until the background has caught up, so that it takes nothing from what comes next."""
        def level():
            found = re.search(r"^casetrace_log_search_behind (\S+)", self.instance.metrics(), re.M)
            return found and float(found.group(1)) == 0
        wait_for(level, 300, "lists complete")

    def metric_pair(self):
        text = self.instance.metrics()
        return [float(re.search(rf"^casetrace_{name} (\S+)", text, re.M).group(1)) for name in ("requests_total", "batches_total")]

    def verify_log(self):
        verified = self.instance.verify_log()
        assert verified.returncode == 0, verified.stdout + verified.stderr
        return True


def busy_of_ended(process):
    """Processor time of a child at its end, before it is waited for."""
    wait_for(lambda: (process_stat(process.pid) or "Z")[0] == "Z", 10, "the end of the load generator")
    return own_s(process.pid)


def merged(histograms):
    """One histogram of several lists of (microseconds, count)."""
    whole = {}
    for histogram in histograms:
        for us, count in histogram:
            whole[us] = whole.get(us, 0) + count
    return whole


def percentile_ms(histogram, share):
    wanted, seen = share * sum(histogram.values()), 0
    for us in sorted(histogram):
        seen += histogram[us]
        if seen > wanted:
            return round(us / 1000, 3)
    return None


def options(description):
    """A parser with what all benchmarks take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--firearms", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--build")
    return parser


def measure(kind, args):
    """Makes a Bench of that kind in a folder of its own, and prints what its measure() returns; the
    status to exit with."""
    with tempfile.TemporaryDirectory(prefix="casetrace-bench-") as folder:
        os.chmod(folder, 0o755)
        bench = kind(args, pathlib.Path(folder))
        try:
            bench.prepare()
            report = bench.measure()
        except BaseException:
            log = bench.instance.folder / "daemon.log"
            if log.exists():
                say("--- daemon.log\n" + "\n".join(log.read_text(errors="replace").splitlines()[-30:]))
            raise
        finally:
            bench.instance.stop()
    print(json.dumps(report))
    return 0 if report["errors"] == 0 else 1
