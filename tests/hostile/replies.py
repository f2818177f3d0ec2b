"""Replies as bytes, whole or made wrong on purpose."""


def head(*lines, status="200 OK", version="1.1"):
    """What stands before a body; `lines` are headers."""
    return "\r\n".join([f"HTTP/{version} {status}", *lines, "", ""]).encode()


def chunked(body, size=16):
    """`body` in chunks, and their end."""
    parts = [body[n : n + size] for n in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def reply(body=b"", *headers, status="200 OK", version="1.1", length=True):
    """A whole reply as bytes; `headers` are lines."""
    lines = [*headers, f"Content-Length: {len(body)}"] if length else headers
    return head(*lines, status=status, version=version) + body


def balance_of(body):
    """The right answer to the request with this body."""
    return b"balance of " + body


FRAMINGS = ("length", "chunked", "close")


def framed(body, framing, encoding="identity"):
    """A whole reply whose body ends by its length, its chunks, or the end of the connection."""
    lines = () if encoding == "identity" else (f"Content-Encoding: {encoding}",)
    if framing == "chunked":
        return head(*lines, "Transfer-Encoding: chunked") + chunked(body, 40)
    return reply(body, *lines, length=framing == "length")
