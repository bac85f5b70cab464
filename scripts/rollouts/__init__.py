"""`./scripts/rollout`: a new version of a service beside the old one, judged while it serves.

It may import `suite`, `releases` and what `replay` places orders and checks books with. `verdict`
holds the rules, `bad_versions` the versions that a rollout must find out.
"""
