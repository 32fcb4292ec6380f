# SPDX-License-Identifier: Apache-2.0
"""One Casetrace for all tests of this folder, over TLS, with a PostgreSQL of its own.

    casetrace   the running Instance                 api        what all clients share
    admin       the first administrator's Client     nobody     a Client without a key
    people      makes organizations and accounts     registry   makes firearms, sales, traces
    manufacturer, dealer, investigator, auditor      a fresh one of each for a test

When the last test is done the logs must hold no error, no sanitizer's report and no parameter of a
statement, and the access log must verify. A test that provokes an error line on purpose names it
with casetrace.expected_errors.append(pattern)."""

import os
import re
import sys
import tempfile

import pytest

sys.dont_write_bytecode = True

import tlog
from client import Api, Client, People, Registry
from contract import Contract
from instance import Instance


def pytest_configure(config):
    config.addinivalue_line("markers", "last: looks at what the other tests have seen, so runs after them")
    if not os.environ.get("CASETRACE_PREFIX"):
        pytest.exit("CASETRACE_PREFIX must name the folder that Casetrace was installed into; tests/run does that", 2)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture(scope="session")
def contract():
    return Contract()


@pytest.fixture(scope="session")
def casetrace():
    with tempfile.TemporaryDirectory(prefix="casetrace-api-") as folder:
        os.chmod(folder, 0o755)  # as root the parts run as other users
        instance = Instance(folder)
        instance.expected_errors = []
        try:
            instance.start()
            yield instance
            verified = instance.verify_log()
            assert verified.returncode == 0, verified.stdout + verified.stderr
        finally:
            instance.stop()
        findings = [line for line in instance.log_findings()
                    if not any(re.search(pattern, line) for pattern in instance.expected_errors)]
        assert not findings, "\n".join(findings)


@pytest.fixture(scope="session")
def verifier_key(casetrace):
    return tlog.VerifierKey((casetrace.folder / "verifier.key").read_text().splitlines()[0])


@pytest.fixture(scope="session")
def api(casetrace, contract, verifier_key):
    return Api(casetrace, contract, verifier_key)


@pytest.fixture(scope="session")
def admin(api, casetrace):
    return Client(api, casetrace.administrator_key)


@pytest.fixture(scope="session")
def nobody(api):
    return Client(api)


@pytest.fixture(scope="session")
def people(admin):
    return People(admin)


@pytest.fixture(scope="session")
def registry():
    return Registry()


@pytest.fixture
def manufacturer(people):
    return people.manufacturer()


@pytest.fixture
def dealer(people):
    return people.dealer()


@pytest.fixture
def investigator(people):
    return people.investigator()


@pytest.fixture
def auditor(people):
    return people.auditor()
