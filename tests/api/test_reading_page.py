# SPDX-License-Identifier: Apache-2.0
"""The examples of the page for examiners do what the page says."""

import re
import subprocess

import pytest

from instance import TOP

PAGE = TOP / "docs/reading-marks.md"
BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```\n", re.M | re.S)


@pytest.fixture(scope="module")
def folder(casetrace, people, admin, tmp_path_factory):
    """A folder like quickstart's, with the organizations of its demonstration."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "logins").mkdir()
    (folder / "keys/tls").mkdir(parents=True)
    (folder / "build").mkdir()
    (folder / "build/root").symlink_to(casetrace.prefix)
    (folder / "keys/tls/certificate.pem").symlink_to(casetrace.certificate)
    logins = {"administrator": admin, "investigator": people.investigator(),
              "manufacturer": people.manufacturer(name="Demonstration Arms", licence="1-42-001-07-9A-10001", models=["DA-9"]),
              "dealer": people.dealer(name="First Street Outfitters", licence="1-42-002-01-9A-10002")}
    for role, client in logins.items():
        path = folder / f"logins/{role}.key"
        path.touch(0o600)
        path.write_text(client.key + "\n")
    return folder


def examples():
    """(commands, lines that they print) in the order of the page."""
    found = []
    for kind, text in BLOCK.findall(PAGE.read_text()):
        if kind == "bash":
            found.append((text, []))
        else:
            found[-1][1].extend(text.splitlines())
    return found


def test_examples(casetrace, folder):
    """All in one shell, as they are pasted one after the other."""
    script = "set -eu\n"
    for number, (commands, _) in enumerate(examples()):
        script += f"echo '--- {number}'\n" + commands
    script = script.replace("D=var U=https://127.0.0.1:8443", f"D={folder} U={casetrace.url}")
    # Bash waits for no terminal here, and a command of the page that fails ends it.
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120,
                          env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, done.stdout + done.stderr
    printed = re.split(r"^--- \d+\n", done.stdout, flags=re.M)[1:]
    assert len(printed) == len(examples()) > 10
    for (commands, lines), text in zip(examples(), printed):
        at = 0
        for line in lines:
            assert line in text[at:], f"{commands}\nshould print {line!r}:\n{text}"
            at = text.index(line, at) + len(line)


def test_setting_up_again_changes_nothing(casetrace, folder, admin):
    before = casetrace.psql("SELECT count(*) FROM registry.mark")
    script = examples()[0][0].replace("D=var U=https://127.0.0.1:8443", f"D={folder} U={casetrace.url}")
    subprocess.run(["bash", "-euc", script], check=True, capture_output=True, timeout=60)
    assert casetrace.psql("SELECT count(*) FROM registry.mark") == before
