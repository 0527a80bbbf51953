"""The lab: systemd hosts on podman, and the artifacts that they need.

Standard library only, so that the inventory script runs with any Python 3.11.
"""

from __future__ import annotations
