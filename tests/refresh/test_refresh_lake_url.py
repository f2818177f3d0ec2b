"""URLs of object stores: what is a folder there, and no secret in any of them."""

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.lake_url import LakeUrl, is_url, local_path


@pytest.mark.parametrize(
    ("url", "shown", "full"),
    [
        ("s3://b/balances/", "s3://b/balances/", "s3://b/balances"),
        ("s3://b/balances", "s3://b/balances/", "s3://b/balances"),
        ("s3://b", "s3://b/", "s3://b"),
        ("S3://b/x/?region=eu", "s3://b/x/", "s3://b/x?region=eu"),
        ("gs://b/x/", "gs://b/x/", "gs://b/x?retry_limit_seconds=60"),
        ("gs://b/x?retry_limit_seconds=5", "gs://b/x/", "gs://b/x?retry_limit_seconds=5"),
        ("hdfs://user@node:8020/x", "hdfs://user@node:8020/x/", "hdfs://user@node:8020/x"),
        (
            "abfs://box@account.dfs.core.windows.net/x",
            "abfs://box@account.dfs.core.windows.net/x/",
            "abfs://box@account.dfs.core.windows.net/x",
        ),
        (
            "s3://b/x/?endpoint_override=127.0.0.1:9&scheme=http",
            "s3://b/x/",
            "s3://b/x?endpoint_override=127.0.0.1:9&scheme=http",
        ),
    ],
)
def test_a_url_names_a_folder(url, shown, full):
    """With a slash at its end or without; what is shown has no query."""
    assert LakeUrl.of(url) == LakeUrl(shown, full)


@pytest.mark.parametrize(
    ("urls", "place"),
    [
        (
            ["s3://b/a%20x/", "s3://b/a%20x?region=eu", "S3://b/a%20x/?scheme=http&region=us"],
            "s3://b/a x",
        ),
        (
            [
                "s3://b/x/?endpoint_override=http://Host:9",
                "s3://b/x?scheme=http&endpoint_override=host:9",
                "s3://b/x?endpoint_override=http%3A%2F%2Fhost:9%2F&scheme=http&region=eu",
            ],
            "s3://b/x?endpoint_override=host:9",
        ),
        (["gs://b/x/", "gcs://b/x?retry_limit_seconds=5"], "gs://b/x"),
        (["abfs://box@account/x", "abfss://box@account/x/"], "abfs://box@account/x"),
        (["hdfs://user@node:8020/x/", "hdfs://user@node:8020/x?replication=2"],
         "hdfs://user@node:8020/x"),
    ],
)  # fmt: skip
def test_a_place_is_one_however_it_is_written(urls, place):
    """Where it is counts, not how it is reached."""
    assert {LakeUrl.of(url).place for url in urls} == {place}


@pytest.mark.parametrize(
    "url",
    [
        "s3://KEY:c4nary@b/x/",
        "s3://c4nary@b/x/",
        "s3://KEY:c4n/ary@b/x/",
        "s3://b/x/?secret_key=c4nary",
        "s3://b/x/?access_key=c4nary&region=eu",
        "s3://b/x/?endpoint_override=KEY:c4nary@host",
        "abfs://box:c4nary@account.dfs.core.windows.net/x",
        "abfs://box@account.dfs.core.windows.net/x?sas_token=c4nary",
        "hdfs://user:c4nary@node:8020/x",
        "hdfs://user:c4n/ary@node:8020/x",
        "gs://c4nary@b/x",
    ],
)
def test_a_secret_is_refused_and_not_shown(url):
    """The sentence says what to use in its place."""
    with pytest.raises(ConfigurationError, match="must not hold a key or a password") as caught:
        LakeUrl.of(url)
    assert "c4n" not in str(caught.value)
    assert "AWS_PROFILE" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://b/x/", "a URL must begin with one of file://, s3://, gs://, gcs://, abfs://"),
        ("s3://b/x y/", "a URL must begin with one of"),
        ("s3://[b/x/", "a URL must begin with one of"),
        ("s3:///x/", "a URL must look like s3://bucket/folder/"),
        ("s3://b/x#y", "a URL must look like s3://bucket/folder/"),
        ("s3://b/x.parquet", "s3://b/x.parquet is a file's name"),
        ("s3://b/x.csv.gz", "s3://b/x.csv.gz is a file's name"),
    ],
)
def test_what_is_no_folder_is_told(url, sentence):
    """In one sentence."""
    with pytest.raises(ConfigurationError) as caught:
        LakeUrl.of(url)
    assert str(caught.value).startswith(sentence)


def test_a_file_s_url_is_its_path():
    """With what is percent-encoded in it; a name without a scheme is no URL."""
    assert local_path("file:///data/a%20b/") == "/data/a b/"
    assert local_path("data/out/") == "data/out/"
    assert (is_url("s3://b"), is_url("data/out"), is_url("C:/x"), is_url("a:b//c")) == (
        True, False, False, False,
    )  # fmt: skip
    with pytest.raises(ConfigurationError, match="begins with file:///"):
        local_path("file://host/x")
