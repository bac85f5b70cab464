"""The layers of the asyncio stack, one file each; `stack` lists them in order with the reasons.

A layer may import the other files of `aio`, except the channel and the interceptors. Hands out
`stack.client_stack`.
"""
