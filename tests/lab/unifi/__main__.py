"""`python3 <this directory>`: serves the stand-in on port 443 with what the environment says."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from unifi.accounts import Accounts
from unifi.api import Api
from unifi.device import Device
from unifi.faults import Faults
from unifi.server import Server
from unifi.state import State


def main() -> None:
    directory = Path(os.environ.get("STATE_DIRECTORY", "/var/lib/meshlab/unifi"))
    state = State(directory)
    certificate, key = Path(os.environ["TLS_CERT"]), Path(os.environ["TLS_KEY"])
    device = Device(
        base=certificate.parent / "frr.conf", target=Path("/etc/frr/frr.conf"),
        how=os.environ.get("UNIFI_APPLY", "reload"),
    )
    accounts = Accounts(os.environ["UNIFI_API_KEY"], os.environ["UNIFI_USERNAME"], os.environ["UNIFI_PASSWORD"])
    api = Api(state, accounts, Faults(directory / "faults.json"), device.provision)
    if not device.has(state.bgp):  # as after a boot: what was uploaded is put in place again
        device.provision(state.bgp)
    device.start()
    Server(("::", 443), certificate, key, api.answer).serve_forever()


if __name__ == "__main__":
    main()
