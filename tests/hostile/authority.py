"""A certificate authority for the loopback."""

import ssl

import pytest
import trustme


class Authority:
    """A certificate authority, and files of its certificates."""

    def __init__(self, folder):
        self.folder, self.ca, self.count = folder, trustme.CA(), 0
        self.file = str(folder / "ca.pem")
        self.ca.cert_pem.write_to_path(self.file)

    def issue(self, *names, **options):
        return self.ca.issue_cert(*names, **options)

    def file_of(self, cert):
        self.count += 1
        path = self.folder / f"{self.count}.pem"
        cert.private_key_and_cert_chain_pem.write_to_path(str(path))
        return str(path)

    def serving(self, *names, **options):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.issue(*(names or ("127.0.0.1",)), **options).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Whom the clients trust."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """Whom nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"))
