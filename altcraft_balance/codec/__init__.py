"""Bytes to models and back, with no clock, loop or socket.

`request` builds what is sent, once per lookup; `reply` makes a `Balance` or an error of what
came back. Both formats meet in `envelope`; `protocol.md` beside this file keeps what is known
about the wire, and how surely.
"""
