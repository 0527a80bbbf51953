# GNU General Public License v3.0 or later
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action of the same name: it works on the controller alone."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stage2_lease
short_description: Keep other controllers out while a cluster is between the stages
version_added: 0.3.0
description:
  - Takes the Lease C(kube-system/meshwright-stage), and leaves a process behind that renews it until the run ends.
  - A Lease of a run that was killed is taken over once it was not renewed for its 30 seconds.
author: The meshwright developers (@meshwright)
extends_documentation_fragment: meshwright.k3s_cilium.cluster
options:
  state:
    description: V(held) takes it, and fails while another controller is at work. V(released) gives it up.
    type: str
    choices: [held, released]
    default: held
attributes:
  check_mode:
    support: full
    description: The Lease is left alone then.
  diff_mode:
    support: none
    description: A Lease has no content.
"""

EXAMPLES = r"""
- name: Keep other controllers out
  meshwright.k3s_cilium.stage2_lease:
    kubeconfig: ~/.local/state/meshwright/k3s_cilium/home/kubeconfig
"""

RETURN = r"""
verdict:
  description: V(take), V(take over) or V(renew).
  returned: with O(state=held)
  type: str
"""
