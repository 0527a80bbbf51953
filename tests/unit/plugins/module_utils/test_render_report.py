from __future__ import annotations

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import render_report
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.findings import (
    CLUSTER,
    fine,
    merged,
    note,
    refuse,
    skipping,
    warn,
)

FINDINGS = [
    fine("server1", "kernel", "its kernel", "6.12"),
    note("agent1", "bpffs", "the BPF file system", "not mounted", "Cilium mounts it"),
    warn("server1", "firewall", "ufw", "active", "off", "open the ports"),
    refuse("server2", "ports", "port 6443/tcp", "held by nginx", "free for the API", "stop that program " * 8),
]


def test_the_worst_comes_first_and_what_is_in_order_is_counted() -> None:
    lines = render_report.table(FINDINGS, "Title").splitlines()
    assert lines[0] == "Title"
    assert lines[1].split()[:3] == ["refuse", "server2", "ports"]
    assert lines[-1].strip() == "1 refused, 1 warned of, 1 noted, 1 in order"
    assert max(map(len, lines)) <= 120
    assert "6.12" not in "\n".join(lines)


def test_the_document_has_everything() -> None:
    document = render_report.document(FINDINGS, {"server1": {}}, live=False)
    assert document["counts"]["refuse"] == 1 and len(document["findings"]) == 4 and document["live"] is False


def test_what_is_said_of_all_hosts_is_said_once() -> None:
    same = [note(host, "clock", "a time service", "not active") for host in ("a", "b", "c")]
    assert [finding.host for finding in merged(same, ["a", "b", "c"])] == [CLUSTER]
    assert [finding.host for finding in merged(same[:2], ["a", "b", "c"])] == ["a, b"]
    assert [finding.host for finding in merged(same[:1], ["a"])] == ["a"]


def test_skipping_touches_only_the_named_and_only_what_is_wrong() -> None:
    levels = [finding.level for finding in skipping(FINDINGS, ["ports", "kernel"])]
    assert levels == ["ok", "note", "warn", "skipped"]
