"""Which texts are targets."""

import pytest

from discovery.errors import InvalidTargetError
from discovery.registry.target import Target, parse_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("consul:///order", Target("consul", "", "order", None, ())),
        ("consul:///order?tag=v2", Target("consul", "", "order", "v2", ())),
        ("consul://host:8500/order", Target("consul", "host:8500", "order", None, ())),
        ("consul://[::1]:8500/order", Target("consul", "[::1]:8500", "order", None, ())),
        ("memory:///order", Target("memory", "", "order", None, ())),
        ("memory://north/order?tag=v2", Target("memory", "north", "order", "v2", ())),
        (
            "static:///10.0.0.1:50051,10.0.0.2:50051",
            Target("static", "", "10.0.0.1:50051", None, ("10.0.0.1:50051", "10.0.0.2:50051")),
        ),
        ("static:///[::1]:50051", Target("static", "", "[::1]:50051", None, ("[::1]:50051",))),
        (
            "dns://8.8.8.8:53/order.internal",
            Target("dns", "8.8.8.8:53", "order.internal", None, ("order.internal",)),
        ),
        (
            "dns:///order.internal:50051",
            Target("dns", "", "order.internal:50051", None, ("order.internal:50051",)),
        ),
        ("unix:run/a.sock", Target("unix", "", "localhost", None, ("unix:run/a.sock",))),
        ("unix:///run/a", Target("unix", "", "localhost", None, ("unix:///run/a",))),
        ("unix-abstract:a", Target("unix-abstract", "", "localhost", None, ("unix-abstract:a",))),
    ],
)
def test_a_target_is_read(text: str, target: Target) -> None:
    """Each scheme names a registry, a service and which of its instances."""
    assert parse_target(text) == target


def test_a_scheme_of_the_caller_s_own_is_read() -> None:
    """With a registry of its own a caller may use any scheme; the rest is a service, as always."""
    own = parse_target("etcd://10.0.0.9:2379,10.0.0.8:2379/order?tag=v2", any_scheme=True)

    assert own == Target("etcd", "10.0.0.9:2379,10.0.0.8:2379", "order", "v2", ())
    for text in ("order", "/order", "etcd:order", "etcd:///", "etcd:///a/b", "Etcd:///order"):
        with pytest.raises(InvalidTargetError):
            parse_target(text, any_scheme=True)


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("", 0, "must begin with"),
        ("order", 0, "must begin with"),
        ("etcd:///order", 0, "must begin with"),
        ("consul:order", 6, "expected '://'"),
        ("consul:/order", 6, "expected '://'"),
        ("consul://order", 14, "expected '/'"),
        ("consul:///", 10, "the name of a service"),
        ("consul:///order/v1", 15, "'/' can't stand in"),
        ("consul:///or der", 12, "' ' can't stand in"),
        ("consul:///order?tga=v2", 16, "only parameter"),
        ("consul:///order?tag=", 20, "expected a tag"),
        ("consul:///order?tag=v2&tag=v3", 22, "'&' can't stand in"),
        ("consul://host/order", 9, "expected host:port"),
        ("consul://host:99999/order", 14, "from 1 to 65535"),
        ("static:///", 10, "expected host:port"),
        ("static:///10.0.0.1", 10, "expected host:port"),
        ("static:///10.0.0.1:50051,", 25, "expected host:port"),
        ("static:///10.0.0.1:50051,10.0.0.1:50051", 25, "listed twice"),
        ("static:///10.0.0.1:0", 19, "from 1 to 65535"),
        ("static://10.0.0.1:50051", 23, "expected '/'"),
        ("dns://8.8.8.8/order:50051", 6, "expected host:port"),
        ("dns://8.8.8.8:53/", 17, "expected a name"),
        ("dns://8.8.8.8:53/order:0", 23, "from 1 to 65535"),
        ("dns://8.8.8.8:53/or,der", 19, "',' can't stand in"),
        ("dns:///order", 7, "expected host:port"),
        ("unix:", 5, "expected the path"),
        ("unix:///", 8, "expected the path"),
        ("unix://host/run/a", 7, "takes no authority"),
    ],
)
def test_an_invalid_target_is_refused_with_the_place(text: str, place: int, reason: str) -> None:
    """The error says at which character the target is wrong."""
    with pytest.raises(InvalidTargetError, match="invalid target") as refused:
        parse_target(text)
    assert refused.value.place == place
    assert reason in refused.value.reason
    assert isinstance(refused.value, ValueError)
