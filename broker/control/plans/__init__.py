"""Plans: what a product costs and which terms go with it, in numbered versions.

    draft ─publish_version▶ published ─withdraw_version▶ withdrawn

Owns versions and their immutability. Does not own how a price is read and rated (`billing`).
A plan is never changed: a new price is a new version, and a subscription stays with the one it has
until it is replanned.
"""

from broker.control.plans.drafting import (
    create,
    describe,
    draft_version,
    replace_version,
    terms_of,
)
from broker.control.plans.finding import (
    get,
    get_pinned,
    get_version,
    latest_offered,
    offered_for,
    search,
    versions,
)
from broker.control.plans.offering import publish_version, withdraw_version

__all__ = [
    "create",
    "describe",
    "draft_version",
    "get",
    "get_pinned",
    "get_version",
    "latest_offered",
    "offered_for",
    "publish_version",
    "replace_version",
    "search",
    "terms_of",
    "versions",
    "withdraw_version",
]
