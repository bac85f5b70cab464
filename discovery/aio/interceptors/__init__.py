"""Interceptors: how a channel runs those of its caller, and two of ours for any grpc.aio channel.

May import the other files of `aio`, except the channel and the layers. Hands out `chain`,
`intercepted_multicallables` to the channel, and `retry_and_deadline` to applications.
"""
