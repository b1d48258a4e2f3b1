"""Settings of all tests: in CI generated cases are the same each time, so that a commit passes or fails."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
