"""The server that all clients ask: nginx when it is installed, else the package's own sandbox.

nginx runs on private ports of the loopback, out of a temporary folder: one worker, plain and
TLS (1.3) with a certificate of an authority made for the run, and keep-alive without an end. It
answers everybody with the documented reply, XML below the prefix ``/xml``.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from benchmarks.side.answer import CONTENT_TYPES, PATH, REPLIES, Target

try:
    import trustme
except ModuleNotFoundError:
    raise SystemExit("the suite needs an extra: python -m pip install -e '.[test,bench]'") from None

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20
_CONFIG = """
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {home}/pid;
error_log {home}/log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    ssl_certificate {home}/server.pem;
    ssl_certificate_key {home}/server.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:10m;
    server {{
        listen 127.0.0.1:{plain} backlog=4096;
        listen 127.0.0.1:{tls} ssl backlog=4096;
        {locations}
    }}
}}
"""
_PREFIXES = {"json": "", "xml": "/xml"}


@frozen(kw_only=True)
class Server:
    """A running server.

    Attributes:
        title: what it is, with its version.
        urls: base URLs by whether it is TLS and by format.
        ca_file: the authority of its certificate.
    """

    title: str
    urls: dict[tuple[bool, str], str]
    ca_file: str | None = None

    def target(self, tls: bool, syntax: str, at: int) -> Target:
        """What a client is told."""
        ca_file = self.ca_file if tls else None
        return Target(base_url=self.urls[tls, syntax], format=syntax, at=at, ca_file=ca_file)


def nginx() -> str | None:
    """The path of nginx, if it is installed."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def running(kind: str = "auto") -> Iterator[Server]:
    """A server while the block runs.

    Args:
        kind: ``nginx``, ``sandbox``, or ``auto``, which is nginx when it is installed.
    """
    path = nginx()
    if kind == "nginx" and path is None:
        sys.exit("nginx is not installed: install it, or choose --server sandbox")
    with _sandbox() if kind == "sandbox" or path is None else _nginx(path) as server:
        yield server


@contextlib.contextmanager
def _nginx(path: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        home = Path(folder)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(home / "ca.pem")
        certificate = authority.issue_cert("127.0.0.1")
        certificate.private_key_and_cert_chain_pem.write_to_path(home / "server.pem")
        plain, tls = _free_ports(2)
        (home / "nginx.conf").write_text(
            _CONFIG.format(home=home, plain=plain, tls=tls, locations=_locations())
        )
        command = [path, "-p", folder, "-c", str(home / "nginx.conf"), "-e", str(home / "log")]
        with _ended(subprocess.Popen(command)) as process:
            _until_it_listens(process, (plain, tls), home / "log")
            yield Server(
                title=_version(path),
                urls={
                    (is_tls, syntax): f"{scheme}://127.0.0.1:{port}{prefix}"
                    for is_tls, scheme, port in ((False, "http", plain), (True, "https", tls))
                    for syntax, prefix in _PREFIXES.items()
                },
                ca_file=str(home / "ca.pem"),
            )


def _locations() -> str:
    return "\n        ".join(
        f"location = {prefix}{PATH} {{ default_type {CONTENT_TYPES[syntax]}; "
        f"return 200 '{REPLIES[syntax].decode()}'; }}"
        for syntax, prefix in _PREFIXES.items()
    )


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _until_it_listens(process: subprocess.Popen, ports: tuple[int, ...], log: Path) -> None:
    give_up = time.monotonic() + PATIENCE_S
    for port in ports:
        while True:
            if process.poll() is not None or time.monotonic() > give_up:
                said = log.read_text() if log.exists() else "nothing"
                sys.exit(f"nginx does not start; it says: {said.strip()}")
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.02)


def _version(path: str) -> str:
    said = subprocess.run([path, "-v"], capture_output=True, text=True, check=False).stderr
    return said.partition(":")[2].strip() or "nginx"


@contextlib.contextmanager
def _ended(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def _sandbox() -> Iterator[Server]:
    """Two of them, in a process of their own, each with its format's reply for everybody."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.side.sandbox"], stdout=subprocess.PIPE, cwd=ROOT
    )
    with _ended(process), process.stdout as said:
        urls = json.loads(said.readline())
        yield Server(
            title="the package's sandbox (no TLS)",
            urls={(False, syntax): url for syntax, url in urls.items()},
        )
