"""How many examples a property is tried with: so many, or a multiple of them.

A hundred in CI and fewer in a quick run, as the profile says that ``tests/conftest.py`` loads.
"""

from hypothesis import settings

USUAL = settings.default.max_examples
