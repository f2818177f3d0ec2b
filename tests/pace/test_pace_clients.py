"""Real clients in two processes keep one rate, counted when each request leaves."""

import time

import pytest

from tests.pace.sharing import fullest_second, share

PROGRAM = "tests.pace.clients"
PER_S = 200

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.alone]


def clients(server, name, **further):
    """What two processes sent in 6 s, each of which has work all the time."""
    answers = share(2, program=PROGRAM, url=server.url, name=name, per_s=PER_S, **further)
    assert [answer["failed"] for answer in answers] == [0, 0]
    return answers


def sent_by(answers):
    """When requests left, of all together."""
    return sorted(moment for answer in answers for moment in answer["used"])


def test_two_clients_keep_one_rate_and_use_it(server, name, used_share):
    """200/s over a store: at most 204 in any second, and at least 190/s while both have work."""
    answers = clients(server, name)
    assert [answer["said"] for answer in answers] == [[], []]
    sent, both_until = sent_by(answers), min(answer["used"][-1] for answer in answers)
    assert fullest_second(sent)[0] <= 204
    both = [moment for moment in sent if moment <= both_until]
    assert len(both) / (both_until - sent[0]) >= used_share * PER_S
    assert min(len(answer["used"]) for answer in answers) > 0.1 * len(sent)


def test_when_the_store_goes_each_keeps_to_its_share_and_says_so_once(server, name):
    """Stopped in the middle: no second is fuller than before, and the work goes on."""

    def stop():
        time.sleep(3)
        server.stop()

    answers = clients(server, name, meanwhile=stop)
    sent = sent_by(answers)
    assert fullest_second(sent)[0] <= 204
    assert [answer["away"] for answer in answers] == [[True], [True]]
    for answer in answers:
        [said] = answer["said"]
        assert "going on with this process's share, 100 requests per second" in said
    last_second = [moment for moment in sent if moment > sent[-1] - 1]
    assert len(last_second) > 0.8 * PER_S


def test_a_store_that_stands_still_for_a_moment_is_gone_without(server, name):
    """Silent for a second and a bit: the work goes on, nothing is said, and the rate is held."""
    frozen_at = []

    def freeze_and_thaw():
        time.sleep(2)
        frozen_at.append(time.monotonic())
        server.freeze()
        time.sleep(1.3)
        server.thaw()

    answers = clients(server, name, meanwhile=freeze_and_thaw)
    assert [answer["said"] for answer in answers] == [[], []]
    sent, began = sent_by(answers), frozen_at[0] + 0.3
    assert fullest_second(sent)[0] <= 204
    assert sum(began <= moment < began + 1 for moment in sent) > 0.8 * PER_S


def test_a_store_that_comes_back_is_used_again(server, name):
    """Away from the third second to the fifth: said twice by each, and the rate is held."""

    def stop_and_start():
        time.sleep(2)
        server.stop()
        time.sleep(1)
        server.start()

    answers = clients(server, name, meanwhile=stop_and_start, seconds=16)
    assert [answer["away"] for answer in answers] == [[True, False], [True, False]]
    assert [len(answer["said"]) for answer in answers] == [2, 2]
    assert fullest_second(sent_by(answers))[0] <= 204
