"""A host between flannel and Cilium, against programs that answer from a table."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_host
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import client_iptables as iptables
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import migrate_host as migrate
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

NODES = [
    {"name": "s0", "addresses": ["10.1.0.11"], "pod_cidrs": ["10.42.0.0/24"], "moved": True,
     "notes": {"backend-type": "vxlan", "backend-data": '{"VtepMAC":"aa:aa:aa:aa:aa:00"}', "public-ip": "10.1.0.11"}},
    {"name": "s1", "addresses": ["10.1.0.12"], "pod_cidrs": ["10.42.1.0/24"], "moved": True, "notes": {}},
    {"name": "a0", "addresses": ["10.1.0.21"], "pod_cidrs": ["10.42.3.0/24"], "moved": False,
     "notes": {"backend-data": '{"VtepMAC":"aa:aa:aa:aa:aa:03"}'}},
]  # fmt: skip
OVER = {"dst": "10.42.3.0/24", "gateway": "10.42.3.0", "dev": "flannel.1"}
DIRECT = {"dst": "10.42.1.0/24", "gateway": "10.1.0.12", "dev": "eth0"}
RULES = "*nat\n:POSTROUTING ACCEPT [0:0]\n:FLANNEL-POSTRTG - [0:0]\n-A POSTROUTING -j FLANNEL-POSTRTG\nCOMMIT\n"


class Programs:
    """Links, routes and rules of a host; commands that change are kept."""

    def __init__(self) -> None:
        self.links = ["lo", "eth0", "cni0", "flannel.1"]
        self.routes: list[dict[str, Any]] = [OVER, DIRECT]
        self.saved = RULES
        self.pods = ""
        self.done: list[str] = []

    def run(self, *argv: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        text = " ".join(argv)
        answers = {
            "ip -json -4 route show": json.dumps(self.routes), "ip -json -6 route show": "",
            "ip -json link show": json.dumps([{"ifname": name} for name in self.links]),
            "ip -json address show": json.dumps(
                [{"ifname": "eth0", "mtu": 1500, "addr_info": [{"local": "10.1.0.11"}]}]),
            "/usr/local/bin/k3s crictl pods": self.pods,
        }  # fmt: skip
        if text.startswith("ip -json route get"):
            return self._said('[{"dst": "x", "gateway": "10.1.0.1"}]' if text.endswith(".21") else "[{}]")
        if text in answers:
            return self._said(answers[text])
        self.done.append(text)
        if text.startswith("ip link delete"):
            self.links.remove(argv[-1])
        return self._said("", 1 if "fails" in text else 0)

    def restore(self, argv: Sequence[str], text: str = "") -> subprocess.CompletedProcess[str]:
        self.done.append(text)
        self.saved = ""
        return self._said("")

    @staticmethod
    def _said(text: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess((), code, text, "no" if code else "")


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Programs:
    found = Programs()
    monkeypatch.setattr(client_host, "run", found.run)
    monkeypatch.setattr(client_host, "unit", lambda _name: {"ActiveState": "active"})
    monkeypatch.setattr(iptables, "backends", lambda: [iptables.Backend(4, "nft", "save", "restore")])
    monkeypatch.setattr(iptables, "saved", lambda _backend: found.saved)
    monkeypatch.setattr(iptables, "run", found.restore)
    monkeypatch.setattr(migrate, "KEPT", (str(tmp_path / "cbr0"),))
    monkeypatch.setattr(migrate, "FILES", (str(tmp_path / "cbr0"), str(tmp_path / "flannel.conflist")))
    monkeypatch.setattr(migrate, "CILIUM_CONF", str(tmp_path))
    return found


def test_looked_at(programs: Programs, tmp_path: Path) -> None:
    seen = migrate.observe("agent", migrate.peers_of("s0", NODES))
    assert seen["up"] and seen["bridge"] and seen["overlay"] and seen["remains"] and not seen["conf"]
    assert seen["behind"] == ["a0"] and not seen["direct"] and seen["frozen"] == 0
    (tmp_path / "05-cilium.conflist").touch()
    programs.links = ["lo", "eth0"]
    programs.routes = [{**OVER, "gateway": "10.1.0.21", "dev": "eth0"}, DIRECT]
    seen = migrate.observe("agent", migrate.peers_of("s0", NODES))
    assert seen["direct"] and seen["conf"] and not seen["bridge"]
    assert not seen["overlay"], "its flannel.1 is what the others' packets are for"


def test_a_host_without_a_node(programs: Programs) -> None:
    with pytest.raises(MeshwrightError, match="not in the cluster"):
        migrate.peers_of("nobody", NODES)


def test_whether_k3s_runs_flannel() -> None:
    assert not migrate.runs_none(None), "it never started"
    assert not migrate.runs_none('conf_dir = "/var/lib/rancher/k3s/agent/etc/cni/net.d"')
    assert migrate.runs_none('sandbox_image = "pause"')
    assert migrate.fixed("ExecStart={ argv[]=/usr/local/bin/k3s server --flannel-backend=vxlan ;")
    assert not migrate.fixed("ExecStart={ argv[]=/usr/local/bin/k3s server ; }")


def test_cleared(programs: Programs, tmp_path: Path) -> None:
    kept = tmp_path / "cbr0"
    kept.mkdir()
    (kept / "10.42.0.7").touch()
    programs.saved = RULES.replace("FLANNEL-POSTRTG", "KUBE-ROUTER-INPUT")
    said = migrate.clear(check=True)
    assert len(said) == 3 and programs.done == [] and kept.exists()
    assert migrate.clear(check=False) == said
    assert not kept.exists() and "cni0" not in programs.links and "flannel.1" in programs.links
    assert any("-X KUBE-ROUTER-INPUT" in text for text in programs.done)
    assert migrate.clear(check=False) == []


def test_mended_to_those_that_have_flannel_only(programs: Programs) -> None:
    peers = migrate.peers_of("s0", NODES)
    said = migrate.mend(peers, check=False)
    assert said == programs.done and not any("link add" in text for text in said), "the link is there"
    assert any("route replace 10.42.3.0/24" in text for text in said)
    assert not any("10.42.1.0" in text for text in said), "that way is Cilium's"
    programs.links.remove("flannel.1")
    assert "link add flannel.1 address aa:aa:aa:aa:aa:00 mtu 1450" in migrate.mend(peers, check=True)[0]


def test_swept(programs: Programs, tmp_path: Path) -> None:
    (tmp_path / "flannel.conflist").touch()
    said = migrate.act({"state": "swept"}, False)
    assert said["changed"] and len(said["done"]) == 4
    assert programs.links == ["lo", "eth0"] and not (tmp_path / "flannel.conflist").exists()
    assert migrate.act({"state": "swept"}, False) == {"changed": False, "done": []}


STANDIN = "POD ID         STATE  NAME   NAMESPACE    ATTEMPT\n0123456789abc  READY  log-x  kube-system  0\n"
REAL = (
    "POD ID              CREATED             STATE               NAME       NAMESPACE      ATTEMPT   RUNTIME\n"
    "0123456789abc       About an hour ago   Ready               log-x      kube-system    0         (default)\n"
    "1123456789abc       2 minutes ago       Ready               other      web            0         (default)\n"
)


@pytest.mark.parametrize("table", [STANDIN, REAL])
def test_renewed(programs: Programs, table: str) -> None:
    programs.pods = table
    wanted = {"state": "renewed", "pods": ["kube-system/log-x", "web/gone"]}
    assert migrate.act(wanted, True)["done"] == ["kube-system/log-x"] and programs.done == []
    assert migrate.act(wanted, False)["changed"]
    assert programs.done == ["/usr/local/bin/k3s crictl stopp 0123456789abc"]
    assert migrate.sandboxes("", ["a/b"]) == {}


def test_a_command_that_fails_says_so(programs: Programs) -> None:
    programs.pods = STANDIN.replace("0123456789abc", "fails--------")
    with pytest.raises(MeshwrightError, match="stopp"):
        migrate.renew(["kube-system/log-x"], check=False)


def test_observed_by_the_module(programs: Programs) -> None:
    wanted = {"state": "observed", "role": "agent", "node": "s0", "nodes": NODES}
    assert migrate.act(wanted, False)["raw"]["files"] == {}
