"""What the service does by itself: it turns events of the order feed into notifications, and
delivers them by SMTP or, for development, as files.

May import `wire`, `store` and `domain`. Hands out the consumer of the feed, the delivery of a
notification, and the senders, which `parts` and `__main__` put together.
"""
