from __future__ import annotations

import ipaddress

from meshlab import network
from meshlab.network import IPV4, IPV6

SUBNET = ipaddress.IPv4Network("10.117.3.0/24")


def test_addresses_are_made_from_the_subnet() -> None:
    assert network.ip_of(SUBNET, 11) == "10.117.3.11"
    assert network.mac_of(SUBNET, 11) == "02:4d:0a:75:03:0b"
    assert network.subnet6_of(SUBNET) == "fd4d:a75:3::/64"
    assert network.ip6_of(SUBNET, 17) == "fd4d:a75:3::11"


def test_an_interface_has_an_address_of_each_family() -> None:
    dual = network.inside("tt", SUBNET, (IPV4, IPV6)).port("eth0", 11)
    assert dual.addresses == ("10.117.3.11", "fd4d:a75:3::b")
    wanted = "tt:interface_name=eth0,mac=02:4d:0a:75:03:0b,ip=10.117.3.11,ip=fd4d:a75:3::b"
    assert dual.option == wanted
    six = network.inside("tt", SUBNET, (IPV6,)).port("eth0", 11)
    assert (six.ip4, six.addresses) == (None, ("fd4d:a75:3::b",))


def test_the_outside_has_addresses_of_its_own() -> None:
    outside = network.outside("tt", SUBNET, (IPV4, IPV6))
    assert outside.name == "tt-out"
    assert outside.prefixes == {IPV4: "10.118.3.0/24", IPV6: "fd4d:a76:3::/64"}


def test_a_network_without_ipv4_names_no_ipv4() -> None:
    options = network.inside("tt", SUBNET, (IPV6,)).create_options(closed=True)
    assert options[-4:] == ["--subnet", "fd4d:a75:3::/64", "--gateway", "fd4d:a75:3::1"]
    assert "--internal" in options and not any("10.117" in option for option in options)
    assert "--internal" not in network.inside("tt", SUBNET, (IPV4,)).create_options(closed=False)
