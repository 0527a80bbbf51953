"""What is wrong is told with its line; what FRR only seems to refuse is told apart."""

from __future__ import annotations

import pytest
from frr_cases import sample

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import frr_check
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.bgp_render_frr import config
from ansible_collections.meshwright.k3s_cilium.plugins.module_utils.errors import MeshwrightError

GOOD = config(*sample())
# As FRR 8.4.4 prints it.
BGPD = """\
% Configure the peer-group first
2026/11/21 16:58:16 BGP: [SHWNK-NWT5S][EC 100663304] Command returned Warning Config Failed on config line 5:  neighbor G bogus
Graceful restart configuration changed, reset all peers to take effect
% Invalid value
2026/11/21 16:58:18 BGP: [SHWNK-NWT5S][EC 100663304] Command returned Warning Config Failed on config line 6:  bgp graceful-restart
"""  # noqa: E501
TEXT = "router bgp 1\n neighbor G peer-group\n neighbor G remote-as 2\n neighbor G password hush\n neighbor G bogus\n"


def test_ours_is_consistent() -> None:
    assert frr_check.references(GOOD) == [] and frr_check.grammar(GOOD) == []
    frr_check.refuse(GOOD)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("route-map MW-HOME-IPV4-IN in", "route-map NONE in", "route-map NONE is used, but not defined"),
        ("match ip address prefix-list MW-HOME-IPV4-ACCEPT", "match ip address prefix-list NO", "list NO is used"),
        (" neighbor MW-HOME-IPV6 peer-group\n", "", "peer-group MW-HOME-IPV6 is used, but not defined"),
        ("MW-HOME-IPV4-OUT out", "MW-HOME-IPV4-IN out", "route-map MW-HOME-IPV4-OUT is defined, but not used"),
    ],
)
def test_references(old: str, new: str, told: str) -> None:
    assert old in GOOD
    assert any(told in sentence for sentence in frr_check.references(GOOD.replace(old, new)))
    with pytest.raises(MeshwrightError, match="consistent in itself"):
        frr_check.refuse(GOOD.replace(old, new))


def test_a_line_that_is_none_of_ours() -> None:
    assert frr_check.grammar("shutdown now\n") == ["line 1: shutdown now"]


def test_vtysh() -> None:
    said = "line 5: % Unknown command[25]:  neighbor G bogus\n"
    (complaint,) = frr_check.of_vtysh(2, said, TEXT)
    assert (complaint.line, complaint.text) == (5, "neighbor G bogus")
    assert frr_check.of_vtysh(0, "", TEXT) == []
    assert frr_check.of_vtysh(1, "vtysh: no such file", TEXT)[0].why == "vtysh: no such file"


def test_bgpd_and_its_false_alarm() -> None:
    real, false = frr_check.of_bgpd(BGPD, f"{TEXT} bgp graceful-restart\n")
    assert [(item.line, item.why) for item in real] == [(5, "Configure the peer-group first")]
    assert [item.line for item in false] == [6]


def test_a_file_that_bgpd_could_not_read_was_not_checked() -> None:
    said = "BGP: [VDWX6-W8CNF][EC 100663304] vty_read_config: can't open configuration file [/etc/frr/w.conf]"
    real, _false = frr_check.of_bgpd(said, TEXT)
    assert "nothing was checked" in real[0].why


def test_no_password_is_quoted() -> None:
    said = "line 4: % Unknown command[25]:  neighbor G password hush\n"
    with pytest.raises(MeshwrightError) as caught:
        frr_check.raised(frr_check.of_vtysh(2, said, TEXT), "vtysh -C")
    assert "hush" not in str(caught.value) and "line 4" in str(caught.value)
