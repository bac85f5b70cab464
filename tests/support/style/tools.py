"""The real programs that tests run; each raises ToolMissingError where setup hasn't been run."""

from scripts.tools.paths import buf_path, consul_path, grpcurl_path, node_path

__all__ = ["buf_path", "consul_path", "grpcurl_path", "node_path"]
