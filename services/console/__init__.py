"""The operators' console: pages that show the whole suite, and forms that repair it.

Imports discovery, the chassis, services.web and the contracts, never another service: all data come
through RPCs. Hands out an application for `services.web.serving`.
"""
