# SPDX-License-Identifier: Apache-2.0
"""What goes wrong around a COMMIT, and what is said of it."""

import concurrent.futures
import contextlib
import os
import signal

from client import ANY
from instance import pause, wait_for
from standby import LIMITS
from test_batch import metric
from test_takeover import wait_until_idle


@contextlib.contextmanager
def planted(casetrace, table, body, when="BEFORE INSERT"):
    """A trigger on that table while the test runs; body: its PL/pgSQL, which may call nextval('public.planted')."""
    casetrace.psql(f"""
        CREATE SEQUENCE public.planted;
        CREATE FUNCTION public.planted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $planted$ {body} $planted$;
        GRANT EXECUTE ON FUNCTION public.planted() TO PUBLIC; GRANT USAGE ON SCHEMA public TO casetrace_registry;
        CREATE TRIGGER planted {when} ON registry.{table} FOR EACH ROW EXECUTE FUNCTION public.planted()""")
    try:
        yield
    finally:
        casetrace.psql(f"DROP TRIGGER planted ON registry.{table}; DROP FUNCTION public.planted(); "
                       "DROP SEQUENCE public.planted; REVOKE USAGE ON SCHEMA public FROM casetrace_registry")


def entries_of(casetrace, reply):
    """How many entries of the log are that request's."""
    return int(casetrace.psql("SELECT count(*) FROM registry.log_entry WHERE convert_from(header, 'UTF8')::json "
                              f"->> 'request_id' = '{reply.headers['Request-Id']}'"))


def test_a_lost_commit_is_looked_up_and_done_again(people, registry, casetrace, nobody):
    """The session ends between COMMIT's sending and its outcome: done once, and no serialization failure."""
    maker, dealer, police = people.manufacturer(), people.dealer(), people.investigator()
    body = registry.trace(registry.register(maker, dealer).code)
    casetrace.expected_errors.append("batch")
    resolved, retries = metric(nobody, "commits_resolved_total"), metric(nobody, "batch_retries_total")
    with planted(casetrace, "trace", f"""
            BEGIN IF NEW.case_number = '{body["case_number"]}' AND nextval('public.planted') = 1
            THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END"""):
        reply = police.post("/v1/traces", body)
    assert reply.status == 201 and entries_of(casetrace, reply) == 1
    assert casetrace.psql(f"SELECT count(*) FROM registry.trace WHERE case_number = '{body['case_number']}'") == "1"
    assert metric(nobody, "commits_resolved_total") == resolved + 1
    assert metric(nobody, "batch_retries_total") == retries


def test_a_lost_commit_does_not_happen_later(people, registry, casetrace):
    """The keeper gives up a session that is busy with what comes before the log's head. Whatever it is told of
    the batch then must stay so, although COMMIT is on its way to that session."""
    maker, dealer, police = people.manufacturer(), people.dealer(), people.investigator()
    body = registry.trace(registry.register(maker, dealer).code)
    case, keeper = body["case_number"], casetrace.keeper_pid
    casetrace.expected_errors.append("batch")
    with planted(casetrace, "trace", f"""
            BEGIN
                IF NEW.case_number <> '{case}' THEN RETURN NEW; END IF;
                IF nextval('public.planted') > 1 THEN RAISE EXCEPTION 'not again' USING ERRCODE = 'query_canceled'; END IF;
                BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END;
                PERFORM pg_sleep({LIMITS["STATEMENT"] + LIMITS["LOCK"] + 1}); -- statement_timeout has struck, and does once
                RETURN NEW;
            END"""):
        reply = police.post("/v1/traces", body, expect="overloaded")
        assert casetrace.psql("SELECT last_value FROM public.planted") == "2", "not tried again"
        wait_for(lambda: casetrace.psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == "0", 20,
                 "the end of the session that was given up")
    assert entries_of(casetrace, reply) == 0, "what was refused as not done was done later"
    assert casetrace.psql(f"SELECT count(*) FROM registry.trace WHERE case_number = '{case}'") == "0"
    assert police.post("/v1/traces", body).status == 201
    assert casetrace.keeper_pid == keeper


VALUE = "Unfindable-Value-4711"


def test_messages_of_postgresql_are_not_repeated(people, registry, casetrace):
    """They may quote what was sent: the log names the error and the place, never the value."""
    maker, dealer = people.manufacturer(), people.dealer()
    firearm = registry.register(maker, dealer)
    casetrace.expected_errors.append("batch|internal")
    said = len(casetrace.log("daemon.log"))
    with planted(casetrace, "sale", """
            BEGIN PERFORM NEW.transaction_number::date; RETURN NEW; END"""):
        dealer.post("/v1/sales", registry.sale(firearm, transaction_number=VALUE), expect="internal")
    casetrace.psql(f"ALTER TABLE registry.sale ADD CONSTRAINT planted CHECK (transaction_number <> '{VALUE}')")
    try:
        dealer.post("/v1/sales", registry.sale(firearm, transaction_number=VALUE), expect="internal")
    finally:
        casetrace.psql("ALTER TABLE registry.sale DROP CONSTRAINT planted")
    text = casetrace.log("daemon.log")[said:]
    assert VALUE not in text
    assert "22007: routine DateTimeParseError at public.planted line 2" in text
    assert "23514: routine ExecConstraints table sale constraint planted at api.create_sale" in text


# ---- seals that do not open ----------------------------------------------------------------------


def at_once(casetrace, calls):
    """Their replies, the keeper having found all of them waiting, so that they share a batch."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        keeper = casetrace.keeper_pid
        pause(keeper)
        try:
            futures = [pool.submit(call) for call in calls]
            wait_until_idle(casetrace.front_pid)
        finally:
            os.kill(keeper, signal.SIGCONT)
        return [future.result() for future in futures]


def broken_seals(casetrace):
    """Entries that say that a seal did not open."""
    return int(casetrace.psql("SELECT count(*) FROM registry.log_entry WHERE convert_from(header, 'UTF8')::json "
                              "->> 'operation' = 'unseal'"))


def test_a_broken_seal_that_cannot_be_logged(people, registry, casetrace, nobody):
    """Only whoever met it is sent away; when it can be logged, the answer says what is the matter."""
    maker, dealer, police = people.manufacturer(), people.dealer(), people.investigator()
    firearms = registry.register(maker, dealer, 10)
    sales = [dealer.post("/v1/sales", registry.sale(firearm))["id"] for firearm in firearms]
    broken = (3, 8)
    ids = ", ".join(f"'{sales[n][4:]}'" for n in broken)
    casetrace.expected_errors.append("sealed records did not open")
    casetrace.psql("SET session_replication_role = replica; UPDATE registry.sale_purchaser "
                   f"SET sealed = set_byte(sealed, 40, (get_byte(sealed, 40) + 1) % 256) WHERE sale_id IN ({ids})")
    bodies, keeper, logged = [registry.trace(firearm.code) for firearm in firearms], casetrace.keeper_pid, broken_seals(casetrace)

    def ask(n):
        return police.post("/v1/traces", bodies[n], idempotency=f"broken-seal-{n}", expect=ANY)
    with planted(casetrace, "log_entry", """
            BEGIN IF convert_from(NEW.header, 'UTF8')::json ->> 'operation' = 'unseal' THEN RAISE EXCEPTION 'planted'; END IF;
            RETURN NEW; END"""):
        batches = metric(nobody, "batches_total")
        replies = at_once(casetrace, [lambda n=n: ask(n) for n in range(10)])
    assert metric(nobody, "batches_total") <= batches + 3, "they hardly shared a batch"
    assert {n for n in range(10) if replies[n].status != 201} == set(broken)
    for n, reply in enumerate(replies):
        assert entries_of(casetrace, reply) == 1
        if n in broken:
            assert reply.status == 503 and reply.code == "outcome_unknown"
        else:
            assert reply["candidates"][0]["first_purchaser"]["family_name"].startswith("Quispe")
    assert casetrace.keeper_pid == keeper and broken_seals(casetrace) == logged
    for n in broken:
        shown = ask(n)["candidates"][0]["first_purchaser"]
        assert shown["disclosed"] is False and shown["reason"] == "seal_broken"
    wait_for(lambda: broken_seals(casetrace) == logged + 2, 5, "entries of the broken seals")
