"""The side-by-side suite: this client, its peers and the floor under all of them.

`answer` says what everybody asks and must get back, `clients` holds a client a file, `drive` asks
with one of them, `child` does so in a process of its own, `children` and `server` start what is
needed, and `table`, `grow`, `startup` and `codec` are the parts of ``python -m benchmarks``.
"""
