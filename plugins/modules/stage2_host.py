# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's half: it looks, waits and tidies. The action of the same name judges what k3s' files say."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stage2_host
short_description: See kube-proxy come and go on a host, and remove what it leaves behind
version_added: 0.1.0
description:
  - kube-proxy runs inside k3s' own process. That it runs is told by its ports (10256 and 10249, or those of
    C(kube-proxy-arg)) in the hands of k3s' unit, or by k3s' log since its start. That it does not run counts only some
    seconds after k3s came up, and after it last waited for a server's word, because an agent asks one when it starts.
  - Whether a server is to run without it is told by its configuration files, and whether it does by those that it was
    started with. An agent has no such setting; it was told to run none when there is none although there was time.
  - Only kube-proxy in its mode C(iptables) is known, which is k3s' own.
author: The meshwright developers (@meshwright)
attributes:
  check_mode:
    support: full
    description: It looks once, and does not wait for what was not done; what would go is told.
  diff_mode:
    support: full
    description: The chains that go.
options:
  role:
    description: What the host is.
    type: str
    choices: [server, agent]
    default: server
  state:
    description:
      - V(observed) tells what there is. Where k3s came up just now, it waits some seconds for what it starts.
      - V(proxyless) and V(proxied) wait until kube-proxy is gone, or there with rules that it wrote itself. Then they
        tell the same as V(observed).
      - V(answered) waits until a NodePort answers on the host's own addresses, and tells which proxy did it.
      - V(swept) removes the chains of kube-proxy and of the network policy controller, in their backend, one by one.
        Kubelet's and everybody else's stay, and so does a chain to which others lead. Refused while kube-proxy runs.
      - V(forgotten) makes the kernel forget UDP flows to services that were translated once.
    type: str
    choices: [observed, proxyless, proxied, answered, swept, forgotten]
    default: observed
  service_cidrs:
    description: The networks of services. They say which flows are meant, and which families V(proxied) wants rules of.
    type: list
    elements: str
    default: []
  service_addresses:
    description: Addresses of services outside of these networks.
    type: list
    elements: str
    default: []
  udp_node_ports:
    description: NodePorts for UDP.
    type: list
    elements: int
    default: []
  health_ports:
    description: The Services' C(healthCheckNodePort), each of which is asked.
    type: list
    elements: int
    default: []
  network_policy:
    description: Whether the chains of k3s' network policy controller are leftovers, too.
    type: bool
    default: true
  addresses:
    description: The node's own addresses, for V(answered), each of which has to answer.
    type: list
    elements: str
  node_port:
    description: The NodePort for V(answered). Nobody else should use it meanwhile, as packets are counted.
    type: int
  path:
    description: What is asked for. An answer with 500 or more is none.
    type: str
    default: /
  wanted_by:
    description: Which proxy has to answer. Left out, any.
    type: str
    choices: [kube-proxy, cilium]
  timeout:
    description: Seconds to wait, for the states that wait.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: See what there is
  meshwright.k3s_cilium.stage2_host:
    role: agent
    service_cidrs: [10.43.0.0/16]
    health_ports: [31234]
  register: __stage2_host

- name: See that kube-proxy is gone
  meshwright.k3s_cilium.stage2_host:
    role: agent
    state: proxyless

- name: Let Cilium answer
  meshwright.k3s_cilium.stage2_host:
    state: answered
    addresses: [192.0.2.11]
    node_port: 30999
    wanted_by: cilium
"""

RETURN = r"""
says:
  description:
    - What the host reports of itself, C(host), C(kube_proxy), C(kube_proxy_elsewhere), C(kube_proxy_mode), C(disables),
      C(started_disables), C(leftovers), C(flows) and C(dead_ports).
  returned: when observed, proxyless or proxied
  type: dict
evidence:
  description:
    - What that rests on, C(state) of k3s' unit, C(ports) of kube-proxy that it serves, whether its C(log) says that it
      started one, C(quiet) seconds since it came up or last waited for a server's word, and all of it in words as
      C(told).
  returned: when observed, proxyless or proxied
  type: dict
answered:
  description: Status by address; 0 where there was no answer.
  returned: when answered, and not in check mode
  type: dict
by:
  description: Which proxy answered, V(kube-proxy) or V(cilium).
  returned: when answered, and not in check mode
  type: str
removed:
  description: How many chains or flows went, or would go in check mode.
  returned: when swept or forgotten
  type: int
kept:
  description: Chains of kube-proxy that stay because others lead to them, with backend and table.
  returned: when swept
  type: list
  elements: str
unknown:
  description: Chains that begin with KUBE- and that nobody here knows; they stay.
  returned: when swept
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import stage2_host_look as looking
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError


def main() -> None:
    strings = {"type": "list", "elements": "str", "default": []}
    numbers = {"type": "list", "elements": "int", "default": []}
    states = ["observed", "proxyless", "proxied", "answered", "swept", "forgotten"]
    module = AnsibleModule(
        argument_spec={
            "role": {"type": "str", "choices": ["server", "agent"], "default": "server"},
            "state": {"type": "str", "choices": states, "default": "observed"},
            "service_cidrs": strings, "service_addresses": strings, "udp_node_ports": numbers, "health_ports": numbers,
            "network_policy": {"type": "bool", "default": True},
            "addresses": {"type": "list", "elements": "str"}, "node_port": {"type": "int"},
            "path": {"type": "str", "default": "/"},
            "wanted_by": {"type": "str", "choices": ["kube-proxy", "cilium"]},
            "timeout": {"type": "int", "default": 60},
        },
        required_if=[("state", "answered", ("addresses", "node_port"))],
        supports_check_mode=True,
    )  # fmt: skip
    host = looking.Host(module.params["role"])
    try:
        answer = looking.act(host, module.params, module.check_mode)
    except MeshwrightError as error:
        module.fail_json(**error.fail_args())
    module.exit_json(**{"changed": False, **answer})


if __name__ == "__main__":
    main()
