"""How bytes get out and in.

`port` says what a transport is; `aiohttp` is the one by default, `direct` the fast lane.
A transport decides nothing about meaning: it sends one request, gives back a status, headers
and bytes, or says how that failed, and tells what happens through a callback.
"""
