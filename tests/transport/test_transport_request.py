"""A request's head is built once for each mapping of headers and each length."""

from types import MappingProxyType

from yarl import URL

from altcraft_balance.transport.request import RequestWriter


def headers_with(token):
    return MappingProxyType({"Authorization": f"Bearer {token}"})


def test_a_head_is_built_once():
    """For the same mapping, and a body of the same length."""
    writer, headers = RequestWriter(URL("http://host.test/x"), {}), headers_with("one")
    assert writer.head(headers, 7) is writer.head(headers, 7)
    assert writer.head(headers, 7) != writer.head(headers, 8)


def test_heads_with_a_token_that_was_replaced_are_not_kept():
    """The newest mapping and the one before it are, for requests that are on their way."""
    writer = RequestWriter(URL("http://host.test/x"), {})
    mappings = [headers_with(f"token-{number}") for number in range(20)]
    heads = [writer.head(headers, 7) for headers in mappings]
    assert [kept for kept, _ in writer._heads.values()] == mappings[-2:]
    assert writer.head(mappings[-1], 7) is heads[-1]
