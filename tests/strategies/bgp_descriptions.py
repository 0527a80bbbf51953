"""Random descriptions of BGP, as strange as the model's types let them be."""

from __future__ import annotations

from hypothesis import strategies as st

from ansible_collections.meshwright.k3s_cilium.plugins.module_utils import bgp_model as model

LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
SELECTORS = st.one_of(
    st.just({}),
    st.dictionaries(LABEL, LABEL, min_size=1, max_size=2).map(lambda labels: {"matchLabels": labels}),
    st.tuples(LABEL, st.sampled_from(["In", "NotIn"]), st.lists(LABEL, min_size=1, max_size=2)).map(
        lambda item: {"matchExpressions": [{"key": item[0], "operator": item[1], "values": item[2]}]}
    ),
)
ASN = st.integers(1, 4294967295)
COMMUNITY = st.one_of(
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda pair: f"{pair[0]}:{pair[1]}"),
    st.sampled_from(["no-export", "no-advertise", "internet", "blackhole"]),
)
LARGE = st.tuples(ASN, ASN, ASN).map(lambda parts: ":".join(map(str, parts)))
NAMES = st.one_of(LABEL, st.text("aZ9._- é", min_size=1, max_size=90))
V4, V6 = st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str)


@st.composite
def timers(draw: st.DrawFn) -> model.Timers:
    keepalive = draw(st.integers(1, 100))
    hold = draw(st.integers(max(3, 3 * keepalive), 65535))
    return model.Timers(hold, keepalive, draw(st.integers(1, 1000)), draw(st.integers(0, 4095)))


@st.composite
def routers(draw: st.DrawFn, announced: tuple[str, ...]) -> model.Router:
    chosen = draw(st.sampled_from([("ipv4",), ("ipv6",), ("ipv4", "ipv6")]))
    addresses = tuple(draw(V4 if family == "ipv4" else V6) for family in chosen)
    return model.Router(
        draw(NAMES), draw(st.sampled_from(["unifi", "vyos", "frr"])), draw(st.one_of(ASN, st.just(65000))), addresses,
        password=draw(st.text("aé \"'$", max_size=80)), port=draw(st.integers(1, 65535)), timers=draw(timers()),
        multihop=draw(st.integers(0, 255)), families=chosen,
        announcements=tuple(name for name in announced if draw(st.booleans())),
    )  # fmt: skip


@st.composite
def announcements(draw: st.DrawFn, name: str) -> model.Announcement:
    return model.Announcement(
        name, draw(st.sampled_from(model.KINDS)), draw(SELECTORS), tuple(draw(st.lists(COMMUNITY, max_size=2))),
        tuple(draw(st.lists(LARGE, max_size=2))), draw(st.none() | st.integers(0, 4294967295)),
    )  # fmt: skip


@st.composite
def descriptions(draw: st.DrawFn) -> model.Bgp:
    heard = tuple(draw(st.lists(NAMES, max_size=3, unique=True)))
    block = draw(st.integers(0, 255))
    return model.Bgp(
        draw(NAMES), 65000,
        nodes=tuple(
            model.Node(name, name, (draw(V4),), local=tuple(draw(st.lists(V4, max_size=1))),
                       router_id=draw(st.just("") | V4))
            for name in draw(st.lists(LABEL, max_size=3, unique=True))
        ),
        routers=tuple(draw(st.lists(routers(heard), max_size=3, unique_by=lambda item: item.name))),
        announcements=tuple(draw(announcements(name)) for name in heard),
        pools=tuple(
            model.Pool(name, (f"10.{block}.{number}.0/24",), (), draw(SELECTORS), draw(st.booleans()))
            for number, name in enumerate(draw(st.lists(NAMES, max_size=2, unique=True)))
        ),
        l2_policies=tuple(
            model.L2Policy(name, tuple(draw(st.lists(LABEL, max_size=1))), draw(SELECTORS), draw(SELECTORS))
            for name in draw(st.lists(NAMES, max_size=2, unique=True))
        ),
        node_selector=draw(SELECTORS),
    )  # fmt: skip
