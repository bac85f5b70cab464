"""Ways to find an instance compared, and what the edge costs and how fast it follows.

May import benchmarks.discovery, whose rows and load it shares, benchmarks.shared, scripts.suite and
the chassis. Hands out `./scripts/bench edge`: `programs` are processes of their own (instances, a
client for each way, a FastAPI gateway), `measurements` one file for each kind of measurement.
measured_edge starts what is called, ways lists how it is found, client_process and http_reader call
it, and edge_rows makes rows of figures and a table of rows.
"""
