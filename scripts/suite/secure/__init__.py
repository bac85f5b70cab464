"""The secure suite: Consul with ACLs and intentions, a token for each service, and an issuer.

May import scripts.tools, discovery, the generated stubs and the agent beside it. Hands out what
`./scripts/run --secure` adds to a suite. Who may do what is derived from the contracts.
"""
