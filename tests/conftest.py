"""Settings of all tests: generated cases are the same each time, so that a commit passes or fails.

``pytest --hypothesis-profile=random`` draws new ones, and says how to see a failing one again.
"""

from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.register_profile("random", derandomize=False, print_blob=True)
settings.load_profile("same")
