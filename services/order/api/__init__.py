"""The gRPC servicers and the use cases they ask."""
