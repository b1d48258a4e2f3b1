"""Models run in their own framework, to compare a patched file with its original.

The only place that may import a framework, and only in a process of its own: ``python -m
archlint.runtime.verify``. Files are loaded without running anything that they hold (Keras with
``safe_mode``, ONNX Runtime on the CPU without custom operators), and never when a security rule has
something to say.
"""

from __future__ import annotations

from archlint.runtime.feeds import Feed, Job, job_for
from archlint.runtime.launch import Verdict, is_installed, runtime_name, verdict_on

__all__ = ["Feed", "Job", "Verdict", "is_installed", "job_for", "runtime_name", "verdict_on"]
