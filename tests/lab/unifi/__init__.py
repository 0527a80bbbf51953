"""Stand-in for the UniFi Network application's API on the lab's `udm`; see README.md."""

from __future__ import annotations
