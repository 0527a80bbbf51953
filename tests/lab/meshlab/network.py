"""A lab's networks: the nodes' own and the one outside, behind the routers. Addresses follow from prefix and number."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

IPV4, IPV6 = "ipv4", "ipv6"
FAMILIES = (IPV4, IPV6)
MTU = 1500
# Each lab's outside lies as far behind its own /24 as the pool of all labs' networks is large.
OUTSIDE = 2**16


@dataclass(frozen=True)
class Port:
    """One interface of a host."""

    interface: str
    network: str
    ip4: str | None
    ip6: str | None
    mac: str

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(address for address in (self.ip4, self.ip6) if address)

    @property
    def option(self) -> str:
        """As podman's --network has it."""
        parts = [f"interface_name={self.interface}", f"mac={self.mac}", *(f"ip={text}" for text in self.addresses)]
        return f"{self.network}:{','.join(parts)}"


@dataclass(frozen=True)
class Network:
    """`subnet` is the /24 from which all addresses are made, also where the families leave out IPv4."""

    name: str
    subnet: ipaddress.IPv4Network
    families: tuple[str, ...]

    @property
    def prefixes(self) -> dict[str, str]:
        known = {IPV4: str(self.subnet), IPV6: subnet6_of(self.subnet)}
        return {family: known[family] for family in FAMILIES if family in self.families}

    def address(self, family: str, number: int) -> str:
        return (ip_of if family == IPV4 else ip6_of)(self.subnet, number)

    def addresses(self, number: int) -> tuple[str, ...]:
        return tuple(self.address(family, number) for family in self.prefixes)

    def port(self, interface: str, number: int) -> Port:
        ip4 = ip_of(self.subnet, number) if IPV4 in self.families else None
        ip6 = ip6_of(self.subnet, number) if IPV6 in self.families else None
        return Port(interface, self.name, ip4, ip6, mac_of(self.subnet, number))

    def create_options(self, *, closed: bool) -> list[str]:
        """`closed`: podman gives neither a default route nor a way out; the machine itself still reaches the hosts."""
        options = ["--disable-dns", "--opt", f"mtu={MTU}", *(["--internal"] if closed else [])]
        for family, prefix in self.prefixes.items():
            options += ["--subnet", prefix, "--gateway", self.address(family, 1)]
        return options


def inside(prefix: str, subnet: ipaddress.IPv4Network, families: tuple[str, ...]) -> Network:
    return Network(prefix, subnet, families)


def outside(prefix: str, subnet: ipaddress.IPv4Network, families: tuple[str, ...]) -> Network:
    moved = ipaddress.IPv4Network((int(subnet.network_address) + OUTSIDE, subnet.prefixlen))
    return Network(f"{prefix}-out", moved, families)


def ip_of(subnet: ipaddress.IPv4Network, address: int) -> str:
    return str(subnet.network_address + address)


def subnet6_of(subnet: ipaddress.IPv4Network) -> str:
    """Unique local addresses that go with the IPv4 subnet."""
    packed = subnet.network_address.packed
    return f"fd4d:{packed[0]:x}{packed[1]:02x}:{packed[2]:x}::/64"


def ip6_of(subnet: ipaddress.IPv4Network, address: int) -> str:
    return str(ipaddress.IPv6Network(subnet6_of(subnet)).network_address + address)


def mac_of(subnet: ipaddress.IPv4Network, address: int) -> str:
    """Made from the address: a host that was killed and started again keeps it, as a real one does."""
    octets = (subnet.network_address + address).packed
    return "02:4d:" + ":".join(f"{octet:02x}" for octet in octets)
