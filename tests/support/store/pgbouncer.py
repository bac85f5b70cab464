"""A real PgBouncer in transaction mode before the PostgreSQL server of the tests."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from scripts.tools.paths import tool_path
from tests.support.store.databases import PostgresDatabases
from tests.support.store.postgres_pool import PostgresPool

_PORT = 6432
_START_S = 60
_NOBODY = 65534
# Fewer sessions than two instances have connections, so that these share them.
_CONFIGURATION = """\
[databases]
* = host={server} user=tradepost
[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = any
admin_users = tradepost
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
logfile = {folder}/log
"""


class PooledDatabases(PostgresDatabases):
    """Databases of a PostgreSQL server, reached through PgBouncer."""

    def __init__(self, pool: PostgresPool, folder: Path) -> None:
        super().__init__(pool)
        self._folder = folder
        self._console = pooled_url(pool.url("pgbouncer"), folder)

    def url(self, name: str = "test") -> str:
        return pooled_url(super().url(name), self._folder)

    def give_back(self) -> None:
        """Empty the databases, and have PgBouncer close its connections to them.

        Emptying a database ends its connections. PgBouncer may not know that yet, and would give
        such a connection to the next test.
        """
        super().give_back()
        with psycopg.connect(self._console, autocommit=True) as console:
            console.execute("RECONNECT")
            console.execute("WAIT_CLOSE")


def pooled_url(url: str, folder: Path) -> str:
    """The URL of the same database through the PgBouncer in `folder`."""
    through = make_url(url).set(query={"host": str(folder), "port": str(_PORT)})
    return through.render_as_string(hide_password=False)


@contextmanager
def pgbouncer(server_url: str) -> Iterator[Path]:
    """Run a PgBouncer before the server of a URL; yields the folder of its socket."""
    server = make_url(server_url).query["host"]
    with tempfile.TemporaryDirectory(prefix="tradepost-pgb-") as name:
        folder = Path(name)
        configuration = folder / "pgbouncer.ini"
        text = _CONFIGURATION.format(server=server, port=_PORT, folder=folder)
        configuration.write_text(text)
        command = ["setpriv", "--pdeathsig=TERM"]
        if os.geteuid() == 0:
            for path in (folder, configuration):
                os.chown(path, _NOBODY, _NOBODY)
            command += ["--reuid=nobody", "--regid=nogroup", "--clear-groups"]
            command += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        process = subprocess.Popen(
            [*command, str(tool_path("pgbouncer")), "--quiet", str(configuration)],
            stdin=subprocess.DEVNULL,
        )
        try:
            _wait_until_it_answers(pooled_url(server_url, folder), process)
            yield folder
        finally:
            process.terminate()
            process.wait()


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    while True:
        try:
            psycopg.connect(url, connect_timeout=_START_S).close()
        except psycopg.OperationalError:
            assert process.poll() is None, "PgBouncer has ended"
        else:
            return
