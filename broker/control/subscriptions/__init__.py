"""Subscriptions: one organisation's right to one product under one plan version.

    requested ─approve▶ activating ─confirm_active▶ active ─suspend▶ suspended ─resume▶ active
    requested ─reject▶ rejected
    activating, active or suspended ─revoke▶ revoked, ─expire▶ expired

Owns the state and its history. Does not own price and terms (`plans`), topics and ACLs
(`provision`) or delivery (`flow`). Routers hear of a change through `weir.control` alone, from the
moment the delivery topic is confirmed. The seller approves, rejects, suspends and resumes; either
side may revoke; where a cutover lies is `cutovers`.
"""

from broker.control.subscriptions.changing import replan, resume, suspend
from broker.control.subscriptions.ending import expire, expire_due, revoke
from broker.control.subscriptions.finding import get, history, search
from broker.control.subscriptions.opening import approve, confirm_active, reject, request

__all__ = [
    "approve",
    "confirm_active",
    "expire",
    "expire_due",
    "get",
    "history",
    "reject",
    "replan",
    "request",
    "resume",
    "revoke",
    "search",
    "suspend",
]
