"""The web pages of the shop: catalogue, basket, checkout and orders.

Imports `composing`, `views` and `services.web`. Hands out `ROUTES`. An endpoint reads its form or
query, asks for a screen, and renders a template; a change ends with a redirect, so that reloading a
page never repeats it.
"""
