"""JSON for the phone: what one screen needs in one answer.

Imports `composing`, `views` and `services.web`. Hands out `ROUTES`. A part that can't be read in
time is null, and `missing` says why; the rest is served.
"""
