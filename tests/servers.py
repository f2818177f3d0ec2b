"""Real servers on private ports of the loopback, which a test may stop, freeze and start again."""

import contextlib
import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

PATIENCE_S = 20
SHARED_MEMORY, ENOUGH_BYTES = Path("/dev/shm"), 2**30
#: The system's own: the one that tests leave things in is for its owner alone.
TEMPORARY = Path(tempfile.gettempdir())
#: Below those that a system gives to whoever asks for any port: a server that is stopped finds its
#: own free when it starts again, whatever other tests have opened meanwhile.
PORTS = range(20_000, 32_000)
_CHANCE = random.SystemRandom()  # pytest-randomly gives every worker the same seed


def free_port():
    while True:
        port = _CHANCE.choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def quick_place():
    """Where a database of many small files is made and thrown away in half the time."""
    is_one = SHARED_MEMORY.is_dir() and shutil.disk_usage(SHARED_MEMORY).free > ENOUGH_BYTES
    return SHARED_MEMORY if is_one else TEMPORARY


class Server:
    """A server in a directory of its own; `command`, `prepare` and `answers` say which."""

    _quit = _drop = signal.SIGTERM

    def __init__(self):
        self.port = free_port()
        self.home = Path(tempfile.mkdtemp(prefix="server-", dir=quick_place()))
        self.home.chmod(0o755)  # the server may run as another user
        self.process = None
        self.user = {}

    def prepare(self):
        """What must be done once, before the first start."""

    def start(self):
        if self.process is not None:
            self.thaw()
            return
        self.process = self._spawn(self.command())
        give_up = time.monotonic() + PATIENCE_S
        while not self.answers():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < give_up, self.said()
            time.sleep(0.01)

    def stop(self, how=None):
        if self.process is None:
            return
        self.thaw()
        self.process.send_signal(how or self._quit)
        self.process.wait(PATIENCE_S)
        self.process = None

    def freeze(self):
        """It keeps its connections and its port, and does nothing."""
        self._tell(signal.SIGSTOP)

    def thaw(self):
        self._tell(signal.SIGCONT)

    def pids(self):
        return [self.process.pid]

    def remove(self):
        self.stop(self._drop)
        shutil.rmtree(self.home)

    def said(self):
        return (self.home / "log").read_text(errors="replace")

    def _tell(self, what):
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):  # a connection's, closed meanwhile
                os.kill(pid, what)

    def _spawn(self, command):
        with (self.home / "log").open("ab") as log:
            return subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.home, start_new_session=True, **self.user
            )


def running(kind):
    """A server of this kind, for a fixture; the test is skipped where it is not installed."""
    if kind.missing():
        pytest.skip(kind.missing())
    server = kind()
    try:
        server.prepare()
        server.start()
        yield server
    finally:
        server.remove()


class RedisServer(Server):
    def __init__(self, password=""):
        super().__init__()
        self.password = password
        userinfo = f":{password}@" if password else ""
        self.url = f"redis://{userinfo}127.0.0.1:{self.port}/0"

    @staticmethod
    def missing():
        return "" if shutil.which("redis-server") else "redis-server is not installed"

    def command(self):
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        if self.password:
            options["requirepass"] = self.password
        return ["redis-server", *(part for k, v in options.items() for part in (f"--{k}", str(v)))]

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(1) in b"+-"
        except OSError:
            return False


class PostgresServer(Server):
    _quit = signal.SIGINT  # "fast": it ends its connections and goes
    _drop = signal.SIGQUIT  # "immediate": what it would write first takes up to 40 s

    def __init__(self):
        super().__init__()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.data = self.home / "data"
        if getpass.getuser() == "root":  # which PostgreSQL refuses
            self.user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(self.home, "nobody")

    @staticmethod
    def binaries():
        found = shutil.which("initdb")
        homes = [Path(found).parent] if found else []
        return [*homes, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]

    @classmethod
    def missing(cls):
        return "" if cls.binaries() else "PostgreSQL's server is not installed"

    def prepare(self):
        command = [str(self.binaries()[0] / "initdb"), "-D", str(self.data), "-A", "trust"]
        command += ["-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
        assert self._spawn(command).wait(PATIENCE_S * 3) == 0, self.said()

    def command(self):
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.home,
            "fsync": "off",
        }
        settings = (part for k, v in options.items() for part in ("-c", f"{k}={v}"))
        return [str(self.binaries()[0] / "postgres"), "-D", str(self.data), *settings]

    def answers(self):
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def pids(self):
        """The server and its children, of which each connection has one."""
        own = self.process.pid
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        return [own, *map(int, children)]


class TinyProxy(Server):
    """A forward proxy; with `credentials`, such as ``me:secret``, for nobody else."""

    def __init__(self, credentials=""):
        super().__init__()
        self.credentials = credentials
        userinfo = f"{credentials}@" if credentials else ""
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{userinfo}{self.host}"

    @staticmethod
    def missing():
        return "" if shutil.which("tinyproxy") else "tinyproxy is not installed"

    def prepare(self):
        lines = [f"Port {self.port}", "Listen 127.0.0.1", "Timeout 30", "LogLevel Connect"]
        if self.credentials:
            lines.append("BasicAuth " + self.credentials.replace(":", " "))
        (self.home / "conf").write_text("\n".join(lines) + "\n")

    def command(self):
        return ["tinyproxy", "-d", "-c", str(self.home / "conf")]

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def tunnels(self):
        """How many connections it was asked to carry through."""
        return self.said().count("): CONNECT ")
