"""What pages and JSON show, as frozen values made from messages by pure functions.

Imports the contracts and the chassis's values. Hands out views to `composing`, `pages`, `mobile`
and `live`; nothing here calls a service or knows HTML.
"""
