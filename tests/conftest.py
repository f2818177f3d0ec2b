"""Settings of the whole suite."""

from hypothesis import settings

settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci")


def pytest_addoption(parser):
    """`--scale` stands here, since an option that is defined further down is unknown at the top."""
    parser.addoption(
        "--scale",
        choices=("small", "full"),
        default="small",
        help="how many cases each promise under tests/promises tries: as in CI, or all of them",
    )
