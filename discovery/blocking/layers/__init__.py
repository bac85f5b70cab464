"""The layers of the blocking stack, one file each; `stack` lists them in order.

A layer may import the other files of `blocking`, except the channel and the process state. Hands
out `stack.blocking_stack`.
"""
