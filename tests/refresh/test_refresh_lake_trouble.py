"""What stores say: what never will do is told from what may pass."""

import errno

import pytest

from altcraft_balance.errors import ConfigurationError
from altcraft_balance.refresh.files.lake_trouble import trouble_of

S3 = "When initiating multiple part upload for key 'k' in bucket 'b': AWS Error"


@pytest.mark.parametrize(
    "text",
    [
        f"{S3} NO_SUCH_BUCKET during CreateMultipartUpload operation: (Request ID: a)",
        f"{S3} INVALID_ACCESS_KEY_ID during CreateMultipartUpload operation: It does not exist",
        f"{S3} ACCESS_DENIED during HeadObject operation: No response body.",
        f"{S3} UNKNOWN (HTTP status 403) during PutObject operation: Forbidden",
        "google::cloud::Status(PERMISSION_DENIED: Permanent error in InsertObject: no access",
        "google::cloud::Status(NOT_FOUND: The specified bucket does not exist.",
        "Failed to put. Azure Error: [ContainerNotFound] 404 The container is not there",
        "Failed to put. Azure Error: [AuthorizationFailure] 403 This request is not authorized",
    ],
)
def test_what_never_will_do_is_bad_input(text):
    """One line says where to look."""
    error = trouble_of("s3://b/x/", OSError(text))
    assert isinstance(error, ConfigurationError)
    assert str(error).startswith("s3://b/x/ cannot be written: ")
    assert "no waiting helps: see to the name, to the keys" in str(error)
    assert "Request ID" not in str(error)


def test_a_file_system_s_refusal_is_bad_input():
    """HDFS has an errno for it."""
    error = trouble_of("hdfs://n/x/", OSError(errno.EACCES, "Permission denied: user=x"))
    assert isinstance(error, ConfigurationError)


@pytest.mark.parametrize(
    "text",
    [
        f"{S3} NETWORK_CONNECTION during PutObject operation: curlCode: 7, Couldn't connect",
        f"{S3} SLOW_DOWN during PutObject operation: Please reduce your request rate.",
        f"{S3} INTERNAL_FAILURE during PutObject operation: ",
        f"{S3} UNKNOWN (HTTP status 503) during PutObject operation: ",
        f"{S3} EXPIRED_TOKEN during PutObject operation: The provided token has expired.",
        "When listing objects under key 'ACCESS_DENIED/' in bucket 'b': AWS Error SLOW_DOWN",
        "google::cloud::Status(UNAVAILABLE: Retry policy exhausted in InsertObject",
        "a word that nobody knows",
    ],
)
def test_what_may_pass_is_tried_again(text):
    """And whatever is not known."""
    error = trouble_of("s3://b/x/", OSError(text))
    assert isinstance(error, OSError)
    assert error.errno == errno.EIO
    assert "nothing is lost: see to it, and run the same command again" in str(error)
