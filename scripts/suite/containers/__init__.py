"""The programs of a suite in containers, of the image that is shipped.

May import scripts.tools, the slots and the names of services beside it. Hands out what
`./scripts/run --containers` puts in the place of the checkout's own programs, and the network
policies of pods.
"""
