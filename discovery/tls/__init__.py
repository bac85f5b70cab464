"""Who a process is and whom it trusts: its certificate, its key and the roots.

Imports only the errors and the clock of `discovery`. Hands out the certificates of the process and
the extension point where they come from, the source that reads files, and what both sides of a
connection derive from them. Needs the package cryptography: `pip install tradepost[tls]`.
"""
