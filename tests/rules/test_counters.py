"""Which proxy took a new connection, told by the real iptables' counters in both backends and families."""

from __future__ import annotations

import pytest
from meshlab import podman

# As kube-proxy leads a NodePort's packets, here to a port that nobody has: a connection's first packet is what counts.
# Without a rule that translates, the kernel tracks no connections and asks the table nat for none.
RULES = """\
*nat
:KUBE-EXT-AAAA - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-SERVICES - [0:0]
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-NODEPORTS -p tcp -m comment --comment "web/it:http" -m tcp --dport 30080 -j KUBE-EXT-AAAA
-A KUBE-EXT-AAAA -p tcp -j REDIRECT --to-ports 30082
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
COMMIT
"""
LOOK = """
import sys
sys.path.insert(0, "/run/collections")
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_host as judge
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_host_look as looking
host, address = looking.Host("agent"), sys.argv[1]
def by(port):
    before = looking._counts(host, 30080)
    host.get(address, port, "/")
    return judge.answered_by(before, looking._counts(host, 30080))
print(by(30080), by(30081), by(30080), looking.plan_sweep(host).chains)
"""


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("backend", ["nft", "legacy"])
def test_who_took_it(box: str, backend: str, family: int) -> None:
    program, address = f"ip{'6' if family == 6 else ''}tables-{backend}", "::1" if family == 6 else "127.0.0.1"
    podman.run(["exec", "-i", box, f"{program}-restore", "-w"], stdin=RULES)
    told = podman.run(["exec", "-i", box, "python3", "-", address], stdin=LOOK).stdout
    podman.run(["exec", "-i", box, f"{program}-restore", "-w"], stdin="*nat\nCOMMIT\n")
    assert told.startswith("kube-proxy cilium kube-proxy "), told
    assert f"'{backend} IPv{family} nat KUBE-NODEPORTS'" in told
