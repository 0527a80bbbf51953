"""An agent with the wrong token: a clear word instead of a time-out, and the right token mends it."""

from __future__ import annotations

import pytest
from conftest import site
from meshlab.lab import Lab

pytestmark = [pytest.mark.usefixtures("whole_cluster"), pytest.mark.full]

WRONG = "canary-wrong-token-0123456789abcdef"


def test_agent_with_wrong_token(lab: Lab) -> None:
    agent = lab.hosts["agent1"]
    agent.run(["systemctl", "stop", "k3s-agent"], timeout=60)
    agent.run(["sh", "-c", "cd /var/lib/rancher/k3s/agent && rm -f *.kubeconfig *.crt *.key"])
    run = site("--extra-vars", f"k3s_agent_token={WRONG}", "--limit", "agent1").refused()
    assert "agent1" in run.output
    assert "token" in run.output.lower()
    assert WRONG not in run.output
    site().succeeded()
    assert sum(site().succeeded().changed.values()) == 0
