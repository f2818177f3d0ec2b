"""Object stores to write to: one of the same manners in a folder, and S3 by moto's server."""

import io
import os
import shutil
from itertools import count
from pathlib import Path

import pyarrow.fs
import pyarrow.parquet as pq

from altcraft_balance.refresh.files.lake import Lake

BUCKET = "balances-of-members"
_NUMBERS = count()


class FolderStore:
    """A folder with an object store's manners: an object is there wholly or not at all."""

    def __init__(self):
        self._files = pyarrow.fs.LocalFileSystem()
        self.get_file_info = self._files.get_file_info
        self.open_input_stream = self._files.open_input_stream

    def open_output_stream(self, path):
        return _Upload(self, path)

    def put(self, path, data):
        there = Path(path)
        there.parent.mkdir(parents=True, exist_ok=True)
        new = there.with_name(f".{there.name}.{next(_NUMBERS)}")
        new.write_bytes(data)
        new.rename(there)

    def copy_file(self, path, target):
        self.put(target, Path(path).read_bytes())

    def delete_file(self, path):
        Path(path).unlink()

    def delete_dir(self, path):
        shutil.rmtree(path)


class _Upload(io.BytesIO):
    def __init__(self, store, path):
        super().__init__()
        self._store, self._path = store, path

    def __exit__(self, kind, error, frames):
        if kind is None:
            self._store.put(self._path, self.getvalue())


def connect_to_folder(lake):
    """What `Lake.connect` does, for the URL ``s3://`` of a folder's path without its slash."""
    lake._fs, lake._store = pyarrow.fs, FolderStore()
    lake._root = "/" + lake._url.shown.removeprefix("s3://").rstrip("/")


def use_folders(monkeypatch):
    """Let all object stores be folders."""
    monkeypatch.setattr(Lake, "connect", connect_to_folder)


def url_of(folder):
    """The URL of a folder, when `use_folders` was called."""
    return f"s3:/{folder}/"


class S3Server:
    """An S3 server, which keeps what it has when it is stopped.

    Attributes:
        port: where it listens, after a stop as before.
    """

    port = 0

    def start(self):
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self._server.start()
        self.port = self._server.get_host_and_port()[1]

    def stop(self):
        self._server.stop()


def make_bucket(port):
    """The bucket of `s3_url`."""
    store, _ = store_of(s3_url(port, "x") + "&allow_bucket_creation=true")
    store.create_dir(BUCKET)


def s3_url(port, name):
    """A place in that server."""
    query = f"endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"
    return f"s3://{BUCKET}/{name}/?{query}"


def keys_for(environ):
    """Let `environ` have keys that the server takes."""
    environ["AWS_ACCESS_KEY_ID"] = "nobody"
    environ["AWS_SECRET_ACCESS_KEY"] = "s3cret-key-canary"
    environ["AWS_EC2_METADATA_DISABLED"] = "true"
    environ.pop("AWS_PROFILE", None)
    return environ


def store_of(url):
    """The file system of `url`, and its root there."""
    if "?" not in url:
        return FolderStore(), "/" + url.removeprefix("s3://").rstrip("/")
    store, root = pyarrow.fs.FileSystem.from_uri(url)
    return store, root.rstrip("/")


def listing(url):
    """The names of all objects below `url`."""
    store, root = store_of(url)
    where = pyarrow.fs.FileSelector(root, allow_not_found=True, recursive=True)
    found = store.get_file_info(where)
    # A name with a dot is an upload of `FolderStore` that was cut off: no object yet.
    files = [info.path for info in found if info.is_file and info.base_name[0] != "."]
    return sorted(os.path.relpath(path, root) for path in files)


def parts_of(url):
    """The rows that a reader finds, by the names of the parts."""
    store, root = store_of(url)
    found = {}
    for name in listing(url):
        if name.endswith(".parquet") and "/" not in name and not name.startswith("_"):
            with store.open_input_stream(f"{root}/{name}") as file:
                found[name] = pq.read_table(io.BytesIO(file.read())).to_pylist()
    return found


def put(url, name, data):
    """Put an object there."""
    store, root = store_of(url)
    with store.open_output_stream(f"{root}/{name}") as file:
        file.write(data)
