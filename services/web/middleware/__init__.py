"""What every request passes before an endpoint and after it: one file for each layer.

Imports what stands beside this folder, never `application`, which says in which order the layers
stand. The session and the check of forms are layers too, in `session` and `csrf`.
"""
