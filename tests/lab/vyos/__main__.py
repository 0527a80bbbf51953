# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 /usr/local/lib/meshlab/vyos` is the router's services; with the argument `shell`, somebody's login."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from vyos import service, shell  # noqa: E402

if __name__ == "__main__":
    sys.exit(shell.main() if sys.argv[1:2] == ["shell"] else service.main())
