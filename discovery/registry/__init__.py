"""Registries, the targets that name them, and the instances that targets resolve to.

It may import `clock`, `errors` and the rules. `protocols` is the extension point: `Watcher` for
callers, `Registrar` for servers. `schemes` builds the watcher of a target; `resolver` keeps the
current instances. A new registry is a file here and its scheme in `target` and `schemes`, or, in an
application, a `Watcher` that is passed to `open_channel`.
"""
