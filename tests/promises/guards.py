"""The guards behind the promises, each with a small patch that takes it out.

A patch is a text that stands exactly once in its file, and another in its place. It should break
one promise and nothing else: a library that cannot be imported proves nothing about a test.
"""

from typing import NamedTuple

LIBRARY = "altcraft_balance"


class Guard(NamedTuple):
    """One guard.

    Attributes:
        row: of the table of promises.
        name: what it does, in a few words.
        edits: file below the package, text to find, text in its place.
        only: which of the row's tests must fail, as pytest's ``-k`` has it; "": any of them.
    """

    row: str
    name: str
    edits: tuple[tuple[str, str, str], ...]
    only: str = ""


def guard(row, name, file, find, put, *more, only=""):
    """A guard of one edit, or of more, as triples."""
    return Guard(str(row), name, ((file, find, put), *more), only)


_LOOK = ("transport/look.py", "return functools.partial(poll.poll, 0)", "return bool")

GUARDS = [
    guard(1, "idle connections are looked at: aiohttp", *_LOOK, only="stray and aiohttp"),
    guard(1, "idle connections are looked at: direct", *_LOOK, only="stray and direct"),
    guard(
        1,
        "half a record of TLS is seen",
        "transport/tls_records.py",
        "context.sslobject_class = WholeRecords",
        "pass",
        only="leads_its_rest_in and tls",
    ),
    guard(
        1,
        "a reply is measured: blank lines behind it",
        "transport/measure.py",
        "if more == 0 or not self.came:",
        "if more < 9 or not self.came:",
        only="leads_its_rest_in and plain",
    ),
    guard(
        21,
        "plain http goes to this machine alone",
        "urls.py",
        'if parts.scheme == "http" and not (',
        "if not parts.scheme and not (",
    ),
    guard(
        "1b",
        "who comes after the request has left waits for the next",
        "session/flight.py",
        "(self.later if self._gone else self.riders)[rider] = None",
        "self.riders[rider] = None",
    ),
    guard(
        2,
        "what fails is asked again, up to max_attempts",
        "policy/retry.py",
        "if progress.attempts >= policy.max_attempts:",
        "if progress.attempts >= 2:",
        only="nothing_is_lost and direct",
    ),
    guard(
        3,
        "all chance comes from the session's own generator",
        "session/lookup.py",
        "draw=session.rng.random(),",
        'draw=__import__("random").random(),',
        only="replayed",
    ),
    guard(
        4,
        "probes come one by one, and rarer and rarer",
        "policy/breaker.py",
        "self._probe_at = now + probe_after_s(now - self._opened_at, draw)",
        "self._probe_at = now + 0.2",
        only="storm",
    ),
    guard(  # either of them is enough
        4,
        "breaker and budget: a dead server is not asked on",
        "policy/breaker.py",
        "if self.failures < FAILURES_TO_OPEN and not silent:",
        "if now >= 0:",
        ("policy/budget.py", "if self.tokens < RETRY_COST:", "if self.tokens < 0:"),
        ("policy/budget.py", "self.tokens -= RETRY_COST", "self.tokens -= 0"),
        only="storm",
    ),
    guard(
        5,
        "a batch is paced after an outage",
        "session/traffic.py",
        "limit = self.rate.limit(now)\n",
        "limit = math.inf\n",
        only="smoothly",
    ),
    guard(
        6,
        "a batch learns the server's rate",
        "session/traffic.py",
        "limit = self.rate.limit(now)\n",
        "limit = math.inf\n",
        only="quota and not quota_known",
    ),
    guard(
        7,
        "a date is measured by the server's own clock",
        "policy/retry_after.py",
        "(until - (since or now))",
        "(until - now)",
    ),
    guard(
        8,
        "jitter comes after the cap",
        "policy/backoff.py",
        "return draw * min(policy.cap_s, policy.base_s * 2.0**doublings)",
        "return min(policy.cap_s, draw * policy.base_s * 2.0**doublings)",
    ),
    guard(
        9,
        "a dead connection costs a free repeat",
        "session/lookup.py",
        "if isinstance(result, Balance) or not was_dead_on_arrival(result) or self._repeated:",
        "if self._requests:",
        only="invisible and idle_close and direct",
    ),
    guard(
        10,
        "an attempt's clock starts when it is sent",
        "session/lookup.py",
        "limit_s, status = settings.timeouts.attempt_s, None",
        "limit_s, status = settings.timeouts.attempt_s - (now - self._started), None",
    ),
    guard(
        11,
        "limits are as exact as the loop's clock",
        "transport/sweep.py",
        "return Limit(self, self._loop.time() + seconds)",
        "return Limit(self, self._loop.time() + seconds + 0.2)",
        only="test_no_deadline_is_overrun and silence",
    ),
    guard(
        12,
        "a slot is given back however an attempt ends",
        "session/finish.py",
        "    session.admission.leave(now)\n",
        "    if result is not None:\n        session.admission.leave(now)\n",
        only="await_point and direct",
    ),
    guard(
        13,
        "what a body unpacks to has a cap",
        "transport/inflate.py",
        "whole += member.decompress(rest, max_bytes - len(whole) + 1)",
        "whole += member.decompress(rest)",
    ),
    guard(  # either of them is enough
        13,
        "a head has a cap",
        "transport/direct_reply.py",
        "return self._broken() if self._seen >= HEAD_BYTES else None",
        "return None",
        (
            "transport/direct_reply.py",
            "if self._odd and not self.began and len(data) > HEAD_BYTES - self._seen:",
            "if self._odd and not self._known and not data:",
        ),
        only="head_without_end",
    ),
    guard(
        14,
        "a DOCTYPE is refused unread",
        "codec/xml.py",
        "    parser.StartDoctypeDeclHandler = _refuse_doctype\n",
        "",
    ),
    guard(
        14,
        "elements are counted first: XML",
        "codec/xml.py",
        'if body.count(b"<") > 2 * MAX_ELEMENTS:',
        "if not body:",
    ),
    guard(
        15,
        "what no parser can read is our error",
        "codec/xml.py",
        "except (expat.ExpatError, ValueError, LookupError):",
        "except (expat.ExpatError, ValueError):",
    ),
    guard(
        16,
        "a key that stands twice is refused",
        "codec/json.py",
        "if len(found) != len(pairs):",
        "if len(found) > len(pairs):",
    ),
    guard(
        16,
        "numbers do not become floats",
        "codec/json.py",
        "            quotes = math.nan",
        "            quotes += 0",
    ),
    guard(
        17,
        "compressed data must come to its end",
        "transport/inflate.py",
        "        if not member.eof:",
        "        if member is None:",
    ),
    guard(
        18,
        "redirects are not followed",
        "transport/aiohttp.py",
        "allow_redirects=False,",
        "allow_redirects=True,",
        (
            "transport/aiohttp.py",
            "if self._proxy is not None or self._settings.trust_env:",
            "if self._session is not None:",
        ),
    ),
    guard(
        19,
        "the server's words are cleaned of what was asked",
        "codec/reply.py",
        "    if not betrays(text, values):\n        return text\n    text = redact(",
        "    return text\n    text = redact(",
    ),
    guard(
        19,
        "a kept reply that still betrays somebody is not kept",
        "codec/redacted.py",
        'return _HIDDEN if betrays(text.decode("utf-8", "replace"), values) else text',
        "return text",
        only="what_is_kept",
    ),
    guard(
        19,
        "a library's sentence is one line that a terminal may print",
        "codec/reply.py",
        'return "".join(c if c.isprintable() else " " for c in text).strip()',
        "return text.strip()",
        only="repeats_all",
    ),
    guard(  # either of them is enough
        19,
        "a command's sentence is one line that a terminal may print",
        "codec/reply.py",
        'return "".join(c if c.isprintable() else " " for c in text).strip()',
        "return text.strip()",
        (
            "cli/show.py",
            'character if character.isprintable() else character.encode("unicode_escape").decode()',
            "character",
        ),
        only="killed_job",
    ),
    guard(
        19,
        "a wire request hides its body",
        "secret.py",
        "class HiddenBytes(bytes):\n"
        '    """Bytes whose ``repr`` is ``***``; otherwise `bytes`, as sockets want them."""\n\n'
        "    __slots__ = ()\n\n    def __repr__(self) -> str:\n        return HIDDEN\n",
        "class HiddenBytes(bytes):\n    __slots__ = ()\n",
    ),
    guard(
        20,
        "a token has no control characters",
        "secret.py",
        "return \"has blanks or control characters in it\" if _CONTROL.search(value) else \"\"",
        'return ""',
        (
            "transport/request.py",
            "if not all(line.isprintable() for line in lines):",
            "if not lines:",
        ),
    ),
    guard(
        20,
        "XML text is escaped",
        "codec/xml.py",
        'return escape(value, {"\\r": "&#13;"})',
        "return value",
    ),
    guard(
        21,
        "certificates are verified",
        "transport/tls.py",
        "        context.minimum_version = ssl.TLSVersion.TLSv1_2\n",
        "        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE\n",
    ),
    guard(
        22,
        "a TLS context is made off the loop",
        "transport/tls.py",
        "return await asyncio.to_thread(_build, ca_file, client_cert)",
        "return _build(ca_file, client_cert)",
        only="authorities",
    ),
    guard(
        23,
        "a row that is written is let go",
        "refresh/writer.py",
        "        self._pending.append(row)\n",
        "        self._pending.append(row)\n"
        '        self.__dict__.setdefault("kept", []).append((row, bytearray(2000)))\n',
        only="memory and csv",
    ),
    guard(
        24,
        "a fatal code ends a run",
        "policy/classify.py",
        "        return error.code in fatal_codes\n",
        "        return error.code in ()\n",
    ),
    guard(
        25,
        "what is committed was synced before",
        "refresh/files/byte_sink.py",
        "                os.fsync(self._descriptor)\n",
        "                pass\n",
        only="durable",
    ),
    guard(
        25,
        "what was not committed is cut off",
        "refresh/state/disk.py",
        "        os.ftruncate(descriptor, size)\n",
        "",
        only="twice",
    ),
    guard(
        26,
        "a short write is gone on with",
        "refresh/state/disk.py",
        "view = view[os.write(descriptor, view) :]",
        "view = view[os.write(descriptor, view) + len(view) :]",
        only="short_writes",
    ),
    guard(
        27,
        "a run is locked",
        "refresh/state/lock.py",
        "        fcntl.flock(descriptor,",
        "        os.fstat(descriptor), (",
        only="exactly_one",
    ),
    guard(
        28,
        "the first signal asks, and cancels nothing",
        "cli/stopping.py",
        "if gently is not None and len(signals) == 1:",
        "if gently is None:",
        only="signal",
    ),
    guard(
        28,
        "the second signal waits for nobody",
        "cli/stopping.py",
        "        elif task is not None:\n            task.cancel()\n",
        "",
        only="signal",
    ),
    guard(
        28,
        "signals are ours while a run goes on",
        "cli/stopping.py",
        "loop.add_signal_handler(number, stop, number)",
        "signal.signal(number, signal.SIG_DFL)",
        only="signal",
    ),
]  # fmt: skip
