"""`discovery` compared with the client stacks of grpc.aio itself, on the same instances.

May import benchmarks.shared, scripts.suite and the chassis. Hands out `./scripts/bench discovery`:
`backends` holds what is called, `programs` clients in processes of their own, and `measurements`
one file for each kind of measurement. stacks lists the clients that are compared, load makes calls
through one of them, interleaved lets several take turns, and row and table hold the results.
"""
