# SPDX-License-Identifier: Apache-2.0
"""casetrace witness: it cosigns what extends the checkpoint that it cosigned last, and nothing else, whoever asks,
however many at once, and whenever it is killed."""

import concurrent.futures
import pathlib
import random
import signal
import socket
import subprocess
import time

import pytest
import requests

import tlog
from instance import TOP, wait_for
from witnesses import Key, Log, Witness, WitnessKey

KNOWN = TOP / "tests/data/kat/log300"
LOG_KEY, WITNESS_KEY = (KNOWN / "vkeys.txt").read_text().splitlines()
REQUEST = (KNOWN / "add-checkpoint.req").read_text()
OLD = (KNOWN / "checkpoint.old").read_text()


def text_of(note):
    return note.rpartition("\n\n")[0] + "\n"


@pytest.fixture
def log():
    return Log(Key("log.example/a"), [b"entry %d" % i for i in range(300)])


@pytest.fixture
def witness(tmp_path, log):
    one = Witness(tmp_path, "w1", [LOG_KEY, log.key.vkey]).start()
    yield one
    one.stop()
    assert "Sanitizer" not in (tmp_path / "w1.log").read_text()


def test_the_checker_itself():
    """Known answers: a cosignature, roots and a proof that others have made."""
    note = (KNOWN / "checkpoint").read_text()
    WitnessKey(WITNESS_KEY).check(note.rpartition("\n\n")[2], text_of(note))
    with pytest.raises(Exception):
        WitnessKey(WITNESS_KEY).check(note.rpartition("\n\n")[2], text_of(note).replace("300", "301"))
    log = Log(Key("audit.example.org/log1"), [b"entry %d" % i for i in range(300)])
    assert log.text(300) == text_of(note) and log.text(200) == text_of(OLD)
    assert log.request(200, 300, note="x") == REQUEST.partition("\n\n")[0] + "\n\nx"


def test_known_answers(witness):
    assert witness.add(REQUEST) == (409, "0\n")
    status, lines = witness.add("old 0\n\n" + OLD)
    assert status == 200
    witness.public.check(lines, text_of(OLD))
    assert witness.add("old 0\n\n" + OLD) == (409, "200\n")
    status, lines = witness.add(REQUEST)
    assert status == 200 and abs(witness.public.check(lines, text_of(REQUEST.partition("\n\n")[2])) - time.time()) < 60
    assert witness.add(REQUEST) == (409, "300\n")
    # The same again from where it is: a fresh time under the same checkpoint.
    status, lines = witness.add("old 300\n\n" + REQUEST.partition("\n\n")[2])
    assert status == 200
    witness.public.check(lines, text_of(REQUEST.partition("\n\n")[2]))


def test_every_refusal(witness, log):
    other = Log(Key("log.example/unknown"), log.leaves)
    thief = Log(Key(log.key.name), log.leaves)  # the right origin, another key
    assert witness.add(other.request(0, 10))[0] == 404
    assert witness.add(thief.request(0, 10))[0] == 403
    assert witness.add(log.request(0, 10, note=log.note(10, Key("other.example/k"))))[0] == 403
    note = log.note(10)
    at = note.rindex("=") - 10
    assert witness.add(log.request(0, 10, note=note[:at] + ("A" if note[at] != "A" else "B") + note[at + 1:]))[0] == 403
    assert witness.add(log.request(0, 10, proof=[b"x" * 32]))[0] == 422
    status, lines = witness.add(log.request(0, 10, note=log.note(10, Key("other.example/k"), log.key)))
    assert status == 200
    witness.public.check(lines, log.text(10))
    assert len(lines.splitlines()) == 1
    assert witness.add(log.request(10, 5, proof=[]))[0] == 400
    assert witness.add(log.request(9, 20)) == (409, "10\n")
    assert witness.add(log.request(0, 20)) == (409, "10\n")
    assert witness.add(log.request(11, 20)) == (409, "10\n")
    proof = log.proof(10, 20)
    for wrong in ([], proof[:-1], proof + [b"x" * 32], [b"x" * 32] + proof[1:], proof[::-1], log.proof(10, 21)):
        assert witness.add(log.request(10, 20, proof=wrong))[0] == 422
    for wrong in ("", "\n", "old 10", "old 10\n", "old 10\n\n", "old 010\n\n" + log.note(10), "old -1\n\n" + log.note(10),
                  "old 10\nxx\n\n" + log.note(20), log.request(10, 20)[4:], "old 10\n\n" + log.text(10),
                  log.request(10, 20, proof=[b"x" * 32] * 64), "old 18446744073709551616\n\n" + log.note(10),
                  log.request(10, 20, note=log.note(20).replace("\n20\n", "\n020\n")), "old 10\n\n" + log.note(20)[:-1]):
        assert witness.add(wrong)[0] == 400, wrong
    assert witness.add(log.request(10, 20))[0] == 200
    assert witness.add(log.request(20, 300))[0] == 200


def test_a_fork_is_refused_and_kept(witness, log):
    forked = Log(log.key, log.leaves[:50] + [b"another"] * 50)
    assert witness.add(log.request(0, 40))[0] == 200
    assert witness.add(forked.request(40, 45))[0] == 200  # no fork yet
    assert witness.add(log.request(45, 80))[0] == 200
    assert witness.add(forked.request(80, 90))[0] == 422
    assert witness.add(forked.request(45, 80)) == (409, "80\n")
    assert not pathlib.Path(f"{witness.state}.fork").exists()
    assert witness.add(forked.request(80, 80)) == (409, "80\n")
    kept = pathlib.Path(f"{witness.state}.fork").read_text()
    assert tlog.Checkpoint(kept, tlog.VerifierKey(log.key.vkey)).root == forked.root(0, 80)
    assert "has signed two trees of size 80" in (witness.folder / "w1.log").read_text()
    assert witness.add(log.request(80, 90))[0] == 200


def test_several_logs_and_keys(tmp_path, log):
    second = Log(Key("log.example/b"), [b"b %d" % i for i in range(30)])
    successor = Key(log.key.name)
    (tmp_path / "logs").write_text(f"# logs\n\n{second.key.vkey}\n{successor.vkey}")
    witness = Witness(tmp_path, "w2", [log.key.vkey])
    command = witness.command
    witness.command = lambda: [*command(), "--logs", tmp_path / "logs"]
    witness.start()
    try:
        assert witness.add(log.request(0, 7))[0] == 200
        assert witness.add(second.request(0, 5))[0] == 200
        assert witness.add(log.request(7, 9, note=log.note(9, log.key, successor)))[0] == 200
        assert witness.add(log.request(9, 11, note=log.note(11, successor)))[0] == 200
        assert witness.add(second.request(4, 5)) == (409, "5\n")
        assert witness.stop() == 0
        witness.start()
        assert witness.add(second.request(0, 6)) == (409, "5\n")
        assert witness.add(log.request(0, 12)) == (409, "11\n")
        assert witness.add(log.request(11, 12))[0] == 200
    finally:
        witness.stop()


def test_what_is_not_its_own_http(tmp_path, witness, log):
    good = log.request(0, 10).encode()
    head = f"Host: 127.0.0.1:{witness.port}\r\nContent-Length: {len(good)}\r\n"

    def status(text, body=good):
        with socket.create_connection(("127.0.0.1", witness.port), timeout=20) as wire:
            wire.sendall(text.encode() + b"\r\n" + body)
            return int(wire.makefile("rb").readline().split(b" ", 2)[1])

    assert status("POST / HTTP/1.1\r\n" + head) == 404
    assert status("POST /add-checkpoint/ HTTP/1.1\r\n" + head) == 404
    assert status("POST /add-checkpoint?x=1 HTTP/1.1\r\n" + head) == 404
    assert status("POST /%61dd-checkpoint HTTP/1.1\r\n" + head) == 404
    assert status("GET /add-checkpoint HTTP/1.1\r\n" + "Host: x\r\n", b"") == 405
    assert status("PUT /add-checkpoint HTTP/1.1\r\n" + head) == 405
    assert status("POST /add-checkpoint HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\n") == 400
    assert status("POST /add-checkpoint HTTP/1.1\r\n" + head + f"Content-Length: {len(good)}\r\n") == 400
    assert status("POST /add-checkpoint HTTP/1.1\r\n" + head + "Content-Encoding: gzip\r\n") == 415
    assert status("POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n", b"") == 413
    assert witness.add("old 0\n\n" + "x" * 100000)[0] == 413
    assert status("POST /add-checkpoint HTTP/1.1\r\n" + head) == 200
    idle = Witness(tmp_path, "w2", [log.key.vkey])
    for address in ("0.0.0.0:9", "127.0.0.1", "localhost:80", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:8x"):
        command = [*idle.command(), "--listen", address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        assert done.returncode == 1 and "is neither 127.0.0.1:PORT" in done.stderr


def test_a_slow_sender_is_cut_off(witness):
    """One byte now and then keeps no connection for ever: from its first byte a request has ten seconds."""
    with socket.create_connection(("127.0.0.1", witness.port), timeout=1) as slow:
        begun = time.monotonic()
        slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")

        def ended():
            try:
                slow.sendall(b"x")
                slow.settimeout(0.3)
                return slow.recv(100) == b""
            except TimeoutError:
                return False
            except OSError:
                return True
        wait_for(ended, 20, "the connection ends")
        assert 5 < time.monotonic() - begun < 16


def test_state_is_taken_by_one(tmp_path, witness, log):
    assert "another witness runs" in witness.refused()
    again = subprocess.run([witness.tool, "witness", "init", "--name", "x.example/w", "--key", tmp_path / "other.key",
                            "--state", witness.state], capture_output=True, text=True)
    assert again.returncode == 1 and "exists already" in again.stderr
    again = subprocess.run([witness.tool, "witness", "init", "--name", "x.example/w", "--key", witness.key,
                            "--state", tmp_path / "other.state"], capture_output=True, text=True)
    assert again.returncode == 1 and "exists already" in again.stderr and not (tmp_path / "other.state").exists()


def test_a_damaged_state_is_refused(tmp_path, witness, log):
    assert witness.add(log.request(0, 100))[0] == 200
    assert witness.stop() == 0
    whole = witness.state.read_bytes()
    assert (witness.state.stat().st_mode & 0o777, witness.key.stat().st_mode & 0o777) == (0o600, 0o600)
    # Every byte of it: no other state is taken for this one.
    for at in random.Random(1).sample(range(len(whole)), 12) + [0, len(whole) - 1, whole.index(b" 100 ") + 1]:
        witness.state.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        assert "is damaged" in witness.refused(), at
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        witness.state.write_bytes(whole[:length])
        assert "is damaged" in witness.refused(), length
    witness.state.unlink()
    assert "No such file" in witness.refused()
    other = Witness(tmp_path, "w9", [log.key.vkey])
    witness.state.write_bytes(other.state.read_bytes())
    assert "another witness" in witness.refused()
    witness.state.write_bytes(whole)
    witness.start()
    assert witness.add(log.request(0, 100)) == (409, "100\n")


def test_a_state_that_cannot_be_written(witness, log):
    """No signature without the state on disk: a folder in the place of the new file is what it cannot write."""
    block = pathlib.Path(f"{witness.state}.new")
    assert witness.add(log.request(0, 10))[0] == 200
    block.mkdir()
    status, text = witness.add(log.request(10, 20))
    assert status == 500 and "\u2014" not in text
    block.rmdir()
    assert witness.add(log.request(0, 10)) == (409, "10\n")
    assert witness.add(log.request(10, 20))[0] == 200


def extend(witness, branch, rounds, chance, signed):
    """One client: brings its branch of the log to the witness, from wherever that is; keeps what was cosigned."""
    old = 0
    for _ in range(rounds):
        new = min(old + chance.randint(1, 9), len(branch.leaves))
        try:
            status, text = witness.add(branch.request(old, max(old, new)))
        except requests.exceptions.RequestException:
            return  # killed
        if status == 200:
            witness.public.check(text, branch.text(max(old, new)))
            signed.append((branch, max(old, new)))
            old = max(old, new)
        elif status == 409 and int(text) <= len(branch.leaves):
            old = int(text)


def test_two_histories_at_once_and_kills(tmp_path, log):
    """Many clients at once bring two histories with a common beginning, and the witness is killed at any moment:
    all that was ever cosigned is of one history, and nothing cosigned is forgotten."""
    seed = random.SystemRandom().randrange(1 << 30)
    chance = random.Random(seed)
    common = [b"common %d" % i for i in range(20)]
    branches = [Log(log.key, common + [b"%d %d" % (side, i) for i in range(2000)]) for side in (1, 2)]
    for branch in branches:
        branch.root(0, len(branch.leaves))
    witness = Witness(tmp_path, "w1", [log.key.vkey])
    signed = []
    for _ in range(8):
        witness.start()
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            clients = [pool.submit(extend, witness, branches[i % 2], 60, random.Random(seed + i), signed) for i in range(6)]
            before, wanted = len(signed), chance.randint(1, 40)
            wait_for(lambda: len(signed) >= before + wanted or all(c.done() for c in clients), 60, "signatures")
            witness.stop(signal.SIGKILL)
            for client in clients:
                client.result()
        witness.start()
        status, text = witness.add(branches[0].request(0, 2))
        assert status == 409 and int(text) >= max(size for _, size in signed), f"seed {seed}: forgotten"
        assert witness.stop() == 0
    assert len(signed) > 50
    late = {id(branch) for branch, size in signed if size > len(common)}
    assert len(late) == 1, f"seed {seed}: two histories were cosigned"


@pytest.mark.parametrize("act", ["kill", "stop"])
def test_killed_between_disk_and_answer(tmp_path, log, act):
    """The signature never left; the checkpoint is on disk all the same."""
    witness = Witness(tmp_path, "w1", [log.key.vkey])
    witness.environment["CASETRACE_INJECT"] = f"witness-persisted={act}"
    witness.start()
    body = log.request(0, 33)
    with pytest.raises(requests.exceptions.RequestException):
        requests.post(witness.url + "/add-checkpoint", data=body.encode(), timeout=1.5)
    witness.stop(signal.SIGKILL)
    del witness.environment["CASETRACE_INJECT"]
    witness.start()
    assert witness.add(body) == (409, "33\n")
    assert witness.add(log.request(33, 34))[0] == 200
    witness.stop()


def test_bad_arguments(tmp_path, log):
    def says(*options):
        done = subprocess.run([witness.tool, "witness", *map(str, options)], capture_output=True, text=True, timeout=20)
        assert done.returncode != 0
        return done.stderr
    witness = Witness(tmp_path, "w1", [log.key.vkey])
    files = ("--key", witness.key, "--state", witness.state)
    assert "--log" in says(*files)
    assert "--state is missing" in says("--key", witness.key, "--log", log.key.vkey)
    assert "not the verifier key" in says(*files, "--log", witness.public.vkey)
    assert "given twice" in says(*files, "--log", log.key.vkey, "--log", log.key.vkey)
    (tmp_path / "logs").write_text(f"{log.key.vkey}\nnonsense\n")
    assert "logs:2:" in says(*files, "--logs", tmp_path / "logs")
    witness.key.chmod(0o644)
    assert "others may read" in says(*files, "--log", log.key.vkey)
    witness.key.chmod(0o600)
    witness.key.write_text(witness.key.read_text().replace("PRIVATE+KEY+w1", "PRIVATE+KEY+w2"))
    assert "not the key of a witness" in says(*files, "--log", log.key.vkey)
    for name in ("", "with blank", "a+b", "x" * 129):
        assert "name has 1 to" in says("init", "--name", name, "--key", tmp_path / "k", "--state", tmp_path / "s")
    assert not (tmp_path / "k").exists() and not (tmp_path / "s").exists()
