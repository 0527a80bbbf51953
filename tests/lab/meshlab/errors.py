"""The lab's one kind of error: something a person has to put right."""

from __future__ import annotations


class LabError(RuntimeError):
    """Printed as one sentence by the command line."""
