"""Row 7: `Retry-After` is obeyed, in whatever form, and what cannot be read never raises.

Seconds, with and without places, the three forms of a date, with and without a `Date` of a server
whose clock is off by years, dates that have passed, huge and negative numbers, garbage.
"""

from tests.promises.child import in_child


def test_no_request_comes_before_the_server_wants_it(promise, size):
    """A throttled lookup asks again when it may and not long after, and ends as it should."""
    stated = promise(7, "`Retry-After` is obeyed")
    came = in_child("wishes", lookups=size(500, 20_000, quick=100), limit_s=3600)

    def how(word):
        return sum(trouble.startswith(word) for trouble in came["wrong"])

    stated.came(
        tried=came["tried"],
        failed=len(came["wrong"]),
        figure=f"{len(came['forms'])} forms; {how('early')} early, {how('raised')} raised",
        why="\n".join(came["wrong"][:20]),
    )
