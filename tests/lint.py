"""ansible-lint on the tree, without its asking Ansible of every import whether that playbook is sound.

The playbooks that ours import are all of the tree, so each is checked as a file of its own anyway, once; asked again
of each place that imports it, that took a third of the time. That the file is there ansible-lint sees by itself.
"""

from __future__ import annotations

import runpy
import sys

from ansible_compat.runtime import Runtime

Runtime.has_playbook = lambda self, playbook, *, basedir=None: True
sys.argv = ["ansible-lint", "-q", "--nocolor", *sys.argv[1:]]
runpy.run_module("ansiblelint", run_name="__main__", alter_sys=True)
