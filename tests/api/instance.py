# SPDX-License-Identifier: Apache-2.0
"""A running Casetrace of one's own: a private PostgreSQL, keys, the daemon. For tests and benchmarks.

Where it was installed comes from CASETRACE_PREFIX (tests/run sets it). Everything is below one
folder and everything started is stopped by its process id. Start it from the main thread: its
programs end when the thread that started them does."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
READY_S = 60
STOP_S = 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, seconds, what):
    """Calls condition until it returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def process_stat(pid):
    """(state, parent, user and system time in ticks of 10 ms) of a process, None when it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rsplit(")", 1)[1].split()
    return fields[0], int(fields[1]), int(fields[11]) + int(fields[12])


def pause(pid):
    """Stops a process until SIGCONT; nothing of it runs any more when this returns."""
    os.kill(pid, signal.SIGSTOP)
    # The signal is taken by one thread, and the others run on until that one does.
    wait_for(lambda: all(pathlib.Path(f"/proc/{pid}/task/{task}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
                         for task in os.listdir(f"/proc/{pid}/task")), STOP_S, "a process that stands still")


def children(pid):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = process_stat(name)
            if stat and stat[1] == pid and stat[0] != "Z":
                found.append(int(name))
    return found


class Instance:
    def __init__(self, folder, settings=(), pg=(), prefix=None):
        self.folder = pathlib.Path(folder)
        self.prefix = pathlib.Path(prefix or os.environ["CASETRACE_PREFIX"])
        self.port, self.operator_port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.operator_url = f"http://127.0.0.1:{self.operator_port}"
        self.certificate = self.folder / "keys/tls/certificate.pem"
        self.configuration = self.folder / "casetrace.conf"
        self.settings, self.pg = list(settings), list(pg)
        self.database = self.daemon = None
        self.environment = dict(os.environ)

    def command(self, action, *arguments):
        return [str(TOP / "deploy/instance"), action, "--dir", str(self.folder), *map(str, arguments)]

    def prepare(self):
        options = ["--prefix", self.prefix, "--port", self.port, "--operator-port", self.operator_port]
        for setting in self.settings:
            options += ["--set", setting]
        for setting in self.pg:
            options += ["--pg", setting]
        subprocess.run(self.command("prepare", *options), check=True)

    def spawn(self, action, log):
        # Never a pipe: nobody would read it, and the program would stop when it is full.
        with open(self.folder / log, "ab") as file:
            return subprocess.Popen([*self.command(action), "--parent", str(os.getpid())], stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                    env=self.environment)

    def start_database(self):
        self.database = self.spawn("database", "postgresql.log")

    def setup(self):
        subprocess.run(self.command("setup"), check=True, stdout=subprocess.DEVNULL, env=self.environment)

    def start_daemon(self):
        self.daemon = self.spawn("daemon", "daemon.log")

    def start(self):
        self.prepare()
        self.start_database()
        self.setup()
        self.start_daemon()
        self.wait_ready()
        return self

    def readiness(self):
        try:
            with urllib.request.urlopen(self.operator_url + "/readyz", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}

    def wait_ready(self, seconds=READY_S):
        def ready():
            if self.daemon.poll() is not None:
                raise RuntimeError(f"casetraced ended with {self.daemon.returncode}:\n{self.log('daemon.log')[-3000:]}")
            return self.readiness()[0] == 200

        try:
            wait_for(ready, seconds, "ready")
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.readiness()}\n{self.log('daemon.log')[-3000:]}") from None

    def metrics(self):
        with urllib.request.urlopen(self.operator_url + "/metrics", timeout=5) as answer:
            return answer.read().decode()

    def log(self, name):
        return (self.folder / name).read_text(errors="replace")

    def part(self, name):
        """Process id of the front or the keeper; waits while it is being restarted."""
        def find():
            for pid in children(self.daemon.pid):
                try:
                    command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if os.path.basename(command).decode().endswith(name):
                    return pid
            return None
        return wait_for(find, READY_S, f"a {name} process")

    @property
    def front_pid(self):
        return self.part("front")

    @property
    def keeper_pid(self):
        return self.part("keeper")

    @property
    def administrator_key(self):
        return (self.folder / "logins/administrator.key").read_text().strip()

    def psql(self, statement, database="casetrace"):
        done = subprocess.run(self.command("psql", "-d", database, "-At", "-c", statement), check=True,
                              capture_output=True, text=True)
        return done.stdout.strip()

    def as_keeper(self, *command, **options):
        return subprocess.run(self.command("as-keeper", *command), env=self.environment, **options)

    def tool(self, *arguments, **options):
        """Runs the tool casetrace as the keeper's user."""
        return self.as_keeper(self.prefix / "bin/casetrace", *arguments, capture_output=True, text=True, **options)

    def client_tool(self, client, *arguments):
        """Runs the tool casetrace as a client, with that account's key."""
        path = self.folder / f"{client.account['id']}.key"
        if not path.exists():
            path.touch(0o600)
            path.write_text(client.key + "\n")
        environment = {**self.environment, "CASETRACE_URL": self.url, "CASETRACE_CACERT": str(self.certificate),
                       "CASETRACE_KEY_FILE": str(path)}
        return subprocess.run([self.prefix / "bin/casetrace", *arguments], env=environment, capture_output=True, text=True)

    def verify_log(self):
        """casetrace log verify on the database; what it said and its status."""
        return subprocess.run(self.command("verify-log"), env=self.environment, capture_output=True, text=True)

    def verify_receipt(self, text):
        """casetrace log verify on a receipt, with nothing but the log's public key."""
        path = self.folder / "receipt.txt"
        path.write_text(text)
        key = (self.folder / "verifier.key").read_text().splitlines()[0]
        return subprocess.run([self.prefix / "bin/casetrace", "log", "verify", "--vkey", key, "--receipt", path],
                              env=self.environment, capture_output=True, text=True)

    def stop_process(self, process, number):
        if process and process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise

    def stop_daemon(self):
        daemon, self.daemon = self.daemon, None
        self.stop_process(daemon, signal.SIGTERM)
        return daemon.returncode if daemon else None

    def stop_database(self):
        database, self.database = self.database, None
        self.stop_process(database, signal.SIGINT)

    def kill_database(self):
        """As a power cut would end it: the postmaster and all its children at once."""
        os.kill(self.database.pid, signal.SIGSTOP)  # so that it starts no others meanwhile
        pids = children(self.database.pid)
        for pid in [self.database.pid, *pids]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.database.wait()
        self.database = None
        # A new postmaster refuses to start while one of them still holds the old shared memory.
        wait_for(lambda: not [pid for pid in pids if (process_stat(pid) or "Z")[0] != "Z"], STOP_S, "all of it gone")

    def stop(self):
        try:
            self.stop_daemon()
        finally:
            self.stop_database()

    # ---- what logs must not hold ---------------------------------------------------------------

    SANITIZER = re.compile(r"runtime error:|(Address|Leak|Thread|UndefinedBehavior)Sanitizer|WARNING: ThreadSan")
    DAEMON_ERROR = re.compile(r"^\S+ \w+\[\d+\] error: ", re.M)
    PARAMETERS = re.compile(r"parameters: |\$\d+ = '|^\S+ \S+ \S+ \[\d+\] DETAIL: ", re.M)

    def log_findings(self, errors_allowed=False):
        """What is wrong in the logs of daemon and database; a list of lines."""
        findings = []
        daemon, database = self.log("daemon.log"), self.log("postgresql.log")
        for pattern, text in ((self.SANITIZER, daemon), (self.PARAMETERS, database),
                              *([] if errors_allowed else [(self.DAEMON_ERROR, daemon)])):
            for found in pattern.finditer(text):
                start = text.rfind("\n", 0, found.start()) + 1
                findings.append(text[start:text.find("\n", found.end())])
        return findings
