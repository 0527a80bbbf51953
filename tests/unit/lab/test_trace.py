"""Which packets explain a lost request."""

from __future__ import annotations

from meshlab.trace import reset_flows

SYN = "100.000100 eth0  In  IP 10.0.0.20.40000 > 10.0.9.1.80: Flags [S], seq 1, win 64240, options [mss 1460], length 0"
ANSWER = "100.000140 eth0  Out IP 10.0.9.1.80 > 10.0.0.20.40000: Flags [S.], seq 5, ack 2, win 65160, length 0"
RESET = "100.000300 eth0  Out IP 10.0.9.1.80 > 10.0.0.20.40000: Flags [R], seq 6, win 0, length 0"
OTHER = "100.000200 lxc1 P   IP 10.0.0.20.40001 > 10.0.9.1.80: Flags [S], seq 1, win 64240, length 0"
SIX = [
    "100.5 eth0  In  IP6 fd00::1.4000 > fd00::2.80: Flags [S], seq 1, win 64240, length 0",
    "100.6 eth0  Out IP6 fd00::2.80 > fd00::1.4000: Flags [R.], seq 0, ack 2, win 0, length 0",
]


def test_a_connection_that_was_reset_is_told_from_its_beginning() -> None:
    found = reset_flows([SYN, ANSWER, OTHER, RESET, "tcpdump: truncated"])
    assert [line.split("Flags ")[1].split(",")[0] for line in found] == ["[S]", "[S.]", "[R]"]
    assert len(reset_flows(SIX)) == 2 and reset_flows([SYN, ANSWER, OTHER]) == []
