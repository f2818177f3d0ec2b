"""Processes that share a rate keep to it together, counted when each permit is used."""

import pytest

from tests.pace.sharing import fullest_second, per_second, share

pytestmark = [pytest.mark.server, pytest.mark.alone]


@pytest.mark.parametrize(("processes", "per_s"), [(2, 200), (5, 200), (2, 1000)])
def test_several_processes_keep_one_rate(server, name, used_share, processes, per_s):
    """No second has more than 102 % of the rate, and they get 95 % of it while all have work."""
    answers = share(processes, url=server.url, name=name, per_s=per_s, seconds=5)
    used = [moment for answer in answers for moment in answer["used"]]
    assert fullest_second(used)[0] <= 1.02 * per_s
    assert per_second(used) >= used_share * per_s
    assert all(answer["used"] for answer in answers)
