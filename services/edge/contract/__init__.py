"""What the contracts say about the methods that the edge serves.

Imports the policy contract only, and reads the descriptor set of all contracts that
`./scripts/generate` makes. Hands out the public methods and the descriptor set for
Envoy's transcoder.
"""
