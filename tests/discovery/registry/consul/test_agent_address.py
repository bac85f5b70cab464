"""Where an agent is, and how Consul's own variables say so."""

from pathlib import Path

import pytest

from discovery.registry.consul.agent_address import AgentAddress


@pytest.mark.parametrize(
    ("environ", "authority", "expected"),
    [
        ({}, "", "http://127.0.0.1:8500"),
        ({"CONSUL_HTTP_ADDR": "10.0.0.1:8501"}, "", "http://10.0.0.1:8501"),
        ({"CONSUL_HTTP_ADDR": "https://consul.internal:8501"}, "", "https://consul.internal:8501"),
        ({"CONSUL_HTTP_ADDR": "consul.internal"}, "", "http://consul.internal:8500"),
        ({"CONSUL_HTTP_ADDR": "[::1]:8500"}, "", "http://[::1]:8500"),
        ({"CONSUL_HTTP_ADDR": "10.0.0.1:8501"}, "10.0.0.2:8502", "http://10.0.0.2:8502"),
        ({"CONSUL_HTTP_SSL": "true"}, "10.0.0.2:8501", "https://10.0.0.2:8501"),
        ({"CONSUL_HTTP_SSL": "false"}, "10.0.0.2:8501", "http://10.0.0.2:8501"),
        (
            {"CONSUL_HTTP_SSL": "1", "CONSUL_HTTP_ADDR": "http://10.0.0.1:8501"},
            "",
            "https://10.0.0.1:8501",
        ),
    ],
)
def test_where_the_agent_is(environ: dict[str, str], authority: str, expected: str) -> None:
    """The target's authority, else CONSUL_HTTP_ADDR, else the agent on this machine."""
    assert str(AgentAddress.from_environment(environ, authority=authority)) == expected


@pytest.mark.parametrize("text", ["unix:///var/run/consul.sock", "http://", "host:port:more"])
def test_an_address_that_can_t_be_used(text: str) -> None:
    """A Unix socket or nonsense is refused when it is read, not when it is used."""
    with pytest.raises(ValueError, match=r"Consul agent|[Pp]ort"):
        AgentAddress.from_environment({"CONSUL_HTTP_ADDR": text})


def test_an_error_leaves_out_a_password() -> None:
    """It says where a user and a password go, without repeating them or a parameter."""
    with pytest.raises(ValueError, match="not 'host:8500' with a user: set") as caught:
        AgentAddress.from_environment({"CONSUL_HTTP_ADDR": "http://me:hunter2@host:8500?t=hunter2"})

    assert "CONSUL_HTTP_AUTH" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_token_stays_out_of_logs() -> None:
    """The text of an address doesn't contain its token."""
    address = AgentAddress.parse("127.0.0.1:8500", token="s3cret", ca_file=None)
    assert "s3cret" not in f"{address} {address!r}"


def test_the_variables_of_consul_s_own_tools(tmp_path: Path) -> None:
    """Each variable is read; a token in a file comes before one in the environment."""
    (tmp_path / "token").write_text("from-file\n")
    environ = {
        "CONSUL_HTTP_ADDR": "10.0.0.1:8501",
        "CONSUL_HTTP_SSL": "T",
        "CONSUL_HTTP_SSL_VERIFY": "0",
        "CONSUL_HTTP_TOKEN": "from-environment",
        "CONSUL_HTTP_TOKEN_FILE": str(tmp_path / "token"),
        "CONSUL_HTTP_AUTH": "me:password",
        "CONSUL_CACERT": "ca.pem",
        "CONSUL_CLIENT_CERT": "client.pem",
        "CONSUL_CLIENT_KEY": "key.pem",
        "CONSUL_NAMESPACE": "shop",
        "CONSUL_PARTITION": "north",
    }
    assert AgentAddress.from_environment(environ) == AgentAddress(
        host="10.0.0.1",
        port=8501,
        tls=True,
        verify=False,
        token="from-file",
        http_auth="me:password",
        ca_file="ca.pem",
        cert_file="client.pem",
        key_file="key.pem",
        namespace="shop",
        partition="north",
    )
    unset = AgentAddress.from_environment(dict.fromkeys(environ, ""))
    assert unset == AgentAddress()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONSUL_HTTP_SSL", "yes"),
        ("CONSUL_HTTP_SSL_VERIFY", "no"),
        ("CONSUL_HTTP_TOKEN_FILE", "/nowhere/token"),
        ("CONSUL_CLIENT_CERT", "client.pem"),
        ("CONSUL_CLIENT_KEY", "key.pem"),
        ("CONSUL_CAPATH", "/etc/ca"),
        ("CONSUL_TLS_SERVER_NAME", "server.dc1.consul"),
    ],
)
def test_a_variable_that_cannot_be_used_is_refused(name: str, value: str) -> None:
    """Nothing that an operator set is ignored: the error names the variable."""
    with pytest.raises(ValueError, match=name):
        AgentAddress.from_environment({name: value})
