"""The console's pages: each reads the URL, asks the services, and renders what a view made of it.

Imports all other folders of the console, and services.web. Hands out routes.
"""
