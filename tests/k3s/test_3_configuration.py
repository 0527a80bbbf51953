"""What the first server made of its configuration, which conftest.py spreads over several files."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from .cluster import BINARY, DATA, KUBECONFIG, Node
from .conftest import Cluster


@pytest.fixture(scope="module")
def labels(server1: Node) -> dict[str, str]:
    return dict(server1.get("node", server1.name)["metadata"]["labels"])


def test_a_later_file_replaces_a_list(labels: dict[str, str]) -> None:
    """k3s docs, installation/configuration.md: the last value found is used; drop-ins follow config.yaml."""
    assert labels.get("suite/first") == "replaces"
    assert "suite/replaced" not in labels


@pytest.mark.parametrize("label", ["suite/second", "suite/third"], ids=["yaml", "yml"])
def test_a_plus_appends_to_what_earlier_files_have(labels: dict[str, str], label: str) -> None:
    """k3s docs, installation/configuration.md, `key+`; k3s: pkg/configfilearg/parser.go for *.yml."""
    assert labels.get(label) == "appended"


def test_files_with_other_names_are_not_read(labels: dict[str, str]) -> None:
    """k3s docs, installation/configuration.md: config.yaml.d/*.yaml."""
    assert "suite/ignored" not in labels


def test_taints_are_merged_alike(server1: Node) -> None:
    """k3s docs, installation/configuration.md: its own example appends to node-taint."""
    taints = {taint["key"]: taint["effect"] for taint in server1.get("node", server1.name)["spec"]["taints"]}
    wanted = {"suite/first": "PreferNoSchedule", "suite/second": "PreferNoSchedule"}
    assert {key: effect for key, effect in taints.items() if key.startswith("suite/")} == wanted


def test_the_command_line_beats_all_files(server1: Node) -> None:
    """k3s docs, installation/configuration.md: arguments take precedence. Files say 600, 644 and 604."""
    assert server1.mode(KUBECONFIG) == "640"


def test_unknown_keys_are_skipped_with_a_warning(server1: Node) -> None:
    """k3s issues 4510 and 6756: k3s starts all the same."""
    assert "Unknown flag --no-such-option-of-k3s found in" in server1.journal()


def test_node_has_the_roles_and_annotations_of_a_server(server1: Node) -> None:
    """k3s: pkg/etcd/metadata_controller.go, pkg/nodeconfig: roles as labels, arguments and host name as annotations."""
    metadata = server1.get("node", server1.name)["metadata"]
    for role in ("control-plane", "etcd"):
        assert metadata["labels"][f"node-role.kubernetes.io/{role}"] == "true"
    annotations = metadata["annotations"]
    assert annotations["k3s.io/hostname"] == server1.name
    assert json.loads(annotations["k3s.io/node-args"])[0] == "server"
    assert isinstance(json.loads(annotations["k3s.io/node-env"]), dict)
    assert annotations["etcd.k3s.cattle.io/node-address"] == server1.ip
    assert annotations["etcd.k3s.cattle.io/node-name"].startswith(f"{server1.name}-")


def test_annotations_do_not_give_the_tokens_away(server1: Node, cluster: Cluster) -> None:
    """k3s: pkg/nodeconfig/nodeconfig.go masks secrets among the arguments."""
    text = json.dumps(server1.get("node", server1.name))
    assert cluster.token not in text
    assert cluster.agent_token not in text


@pytest.mark.parametrize(("name", "user"), [("token", "server"), ("node-token", "server"), ("agent-token", "node")])
def test_token_files_are_secret_and_in_secure_form(server1: Node, cluster: Cluster, name: str, user: str) -> None:
    """k3s docs, cli/token.md; k3s issue 5619: node-token leads to the server token."""
    authority = hashlib.sha256(server1.read(f"{DATA}/server/tls/server-ca.crt").encode()).hexdigest()
    given = cluster.agent_token if user == "node" else cluster.token
    path = f"{DATA}/server/{name}"
    assert server1.read(path).strip() == f"K10{authority}::{user}:{given}"
    assert server1.mode(path) == "600"


def test_kubeconfig_leads_to_the_server_itself(server1: Node) -> None:
    """k3s docs, cluster-access.md: it has to be edited before it is of use elsewhere."""
    assert "server: https://127.0.0.1:6443" in server1.read(KUBECONFIG)
    assert server1.kubectl("--kubeconfig", KUBECONFIG, "get", "--raw", "/readyz") == "ok"


def test_no_cni_directories_without_flannel(server1: Node) -> None:
    """k3s: pkg/agent/templates: with flannel-backend none containerd keeps its own, /etc/cni/net.d and /opt/cni/bin."""
    config = server1.read(f"{DATA}/agent/etc/containerd/config.toml")
    assert f"{DATA}/agent/etc/cni" not in config
    assert f"{DATA}/data/" not in config
    assert not server1.exists(f"{DATA}/agent/etc/cni/net.d/10-flannel.conflist")


def test_node_without_a_cni_is_not_ready_but_k3s_is(server1: Node) -> None:
    """k3s docs, networking/basic-network-options.md, custom CNI: nodes wait for one; the service does not."""
    assert server1.state() == "active"
    conditions = {c["type"]: c for c in server1.get("node", server1.name)["status"]["conditions"]}
    assert conditions["Ready"]["status"] == "False"
    assert "cni" in conditions["Ready"]["message"].lower()


def test_secrets_are_encrypted_in_etcd(server1: Node) -> None:
    """k3s docs, security/secrets-encryption.md, cli/secrets-encrypt.md: AES-CBC, and the status says so."""
    server1.kubectl("create", "secret", "generic", "suite", "--from-literal=key=not-to-be-read")
    key = base64.b64encode(b"/registry/secrets/default/suite").decode()
    stored = base64.b64decode(server1.etcd("/v3/kv/range", {"key": key})["kvs"][0]["value"])
    assert stored.startswith(b"k8s:enc:aescbc:v1:")
    assert b"not-to-be-read" not in stored
    assert "Encryption Status: Enabled" in server1.run(BINARY, "secrets-encrypt", "status")
