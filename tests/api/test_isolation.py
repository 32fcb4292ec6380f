# SPDX-License-Identifier: Apache-2.0
"""Nobody sees, counts or disturbs what is somebody else's; what exists is answered as what does not."""

import concurrent.futures

from client import ANY, today

NO_ID = "0" * 32


def same_answer(client, path, missing):
    """A record of somebody else and one that does not exist: alike but for the request's id."""
    replies = [client.get(path, expect="not_found"), client.get(missing, expect="not_found")]
    bodies = [{**reply.body, "request_id": None} for reply in replies]
    assert bodies[0] == bodies[1]
    names = [sorted(name.lower() for name in reply.headers) for reply in replies]
    assert names[0] == names[1]


def test_somebody_elses_records_do_not_exist(people, registry):
    maker, other_maker = people.manufacturer(), people.manufacturer()
    dealer, other_dealer = people.dealer(), people.dealer()
    police, other_police = people.investigator(), people.investigator()
    firearm = registry.register(maker, dealer)
    sale = dealer.post("/v1/sales", registry.sale(firearm))
    trace = police.post("/v1/traces", registry.trace(firearm.code))

    same_answer(other_maker, "/v1/firearms/" + firearm.id, "/v1/firearms/frm_" + NO_ID)
    same_answer(other_dealer, "/v1/firearms/" + firearm.id, "/v1/firearms/frm_" + NO_ID)
    same_answer(other_dealer, "/v1/sales/" + sale["id"], "/v1/sales/sal_" + NO_ID)
    same_answer(other_police, "/v1/traces/" + trace["id"], "/v1/traces/trc_" + NO_ID)
    other_dealer.post(f"/v1/sales/{sale['id']}/delivery", {"delivered_on": today(-1)}, expect="not_found")
    for client in (other_maker, other_dealer):
        assert client.get("/v1/firearms?serial=" + firearm.serial)["data"] == []
    assert other_dealer.get("/v1/sales?transaction_number=" + sale["transaction_number"])["data"] == []
    assert other_dealer.pages("/v1/sales") == []
    # An agency's own accounts share its traces.
    colleague = people.account(police.organization, "supervisor")
    assert colleague.get("/v1/traces/" + trace["id"])["id"] == trace["id"]


def test_a_conflict_with_another_says_nothing(people, registry):
    maker, other = people.manufacturer(), people.manufacturer()
    dealer = people.dealer()
    firearm = registry.register(maker, dealer)
    stolen = registry.row(other, firearm.code, dealer.organization["licence"])
    never = registry.row(other, registry.codes(maker)[0], dealer.organization["licence"])
    refused = [other.post("/v1/firearms", {"mode": "atomic", "firearms": [row]}, expect=ANY) for row in (stolen, never)]
    # A code on another's firearm and a code of another's block: nothing tells them apart.
    bodies = [{**reply.body, "request_id": None} for reply in refused]
    assert refused[0].status in (409, 422) and bodies[0] == bodies[1], bodies
    assert maker.organization["name"] not in refused[0].content.decode()
    assert firearm.serial not in refused[0].content.decode()


def test_custody_of_anothers_firearm(people, registry):
    maker, dealer, stranger = people.manufacturer(), people.dealer(), people.dealer()
    firearm = registry.register(maker, dealer)
    sold = registry.register(maker, dealer)
    dealer.post("/v1/sales", registry.sale(sold))
    for kind in ("returned", "stolen", "destroyed", "exported"):
        event = {"kind": kind, "firearm": firearm.ref, "date": today(-1)}
        refused = stranger.post("/v1/custody-events", {"events": [event]}, expect=ANY)
        assert refused.status in (409, 422), refused
        assert dealer.organization["name"] not in refused.content.decode()


def test_lists_hold_only_ones_own_in_one_batch(people, registry):
    """A and B at the same moment, again and again, so that they share batches."""
    makers = [people.manufacturer() for _ in range(2)]
    dealer = people.dealer()
    own = [{f.id for f in registry.register(maker, dealer, 5, receive=False)} for maker in makers]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        asked = [(which, pool.submit(makers[which].get, "/v1/firearms?limit=200")) for _ in range(50) for which in (0, 1)]
        for which, future in asked:
            assert {row["id"] for row in future.result()["data"]} == own[which]


def test_every_answer_goes_to_the_one_who_asked(people):
    """Many accounts at once on connections of their own: nobody gets another's answer."""
    accounts = [people.dealer() for _ in range(12)]

    def ask(number):
        account = accounts[number % len(accounts)]
        assert account.get("/v1/me")["id"] == account.account["id"]

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        list(pool.map(ask, range(600)))


def test_only_agencies_and_auditors_learn_the_index(people):
    """For others the index would tell how busy the police are."""
    for account, told in ((people.manufacturer(), False), (people.dealer(), False),
                          (people.investigator(), True), (people.auditor(), True)):
        path = {"auditor": "/v1/log/entries?limit=1", "investigator": "/v1/traces?limit=1"}.get(
            account.account["roles"][0], "/v1/me")
        assert ("Access-Log-Entry" in account.get(path).headers) == told, account.account["roles"]
