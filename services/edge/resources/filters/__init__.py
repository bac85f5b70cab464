"""One file a filter of Envoy, each with one function that configures it.

Imports the contract's public methods and the packing of messages. `chain` lists the filters in
their order.
"""
