"""The layers of the blocking stack, one file each; `stack` lists them in order.

`unary_call` and `stream_calls` are the calls that the layers `future` and `retry` return.

A layer may import the other files of `blocking`, except the channel and the process state. Hands
out `stack.blocking_stack`.
"""
