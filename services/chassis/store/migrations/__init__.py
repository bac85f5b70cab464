"""The chassis's tables, as revisions: plain Alembic files without an alembic.ini.

Those of a service are in `services/<service>/store/migrations/`; its first one has `branch_labels`
with the service's name and `down_revision` None. `compatible_from` in a revision says which older
instances can use the tables after it: docs/operations/release.md, "Writing a revision".
"""

from pathlib import Path

CHASSIS_VERSIONS = Path(__file__).parent
