"""The paths of the real programs that tests run; each raises ToolMissingError before setup."""

from scripts.tools.paths import buf_path, consul_path, grpcurl_path, node_path

__all__ = ["buf_path", "consul_path", "grpcurl_path", "node_path"]
