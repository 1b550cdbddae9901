"""`weir subscription`: rights to products, for those who buy and those who sell."""

import time

import click

from broker.cli.calls import Call, calls_api
from broker.cli.groups import Group
from broker.cli.progress import progress
from broker.client.subscriptions import Act
from broker.client.values import Subscription
from broker.errors import UnavailableError

_DAY_S = 24 * 60 * 60
_WAIT_S = 30.0
_POLL_S = 0.2
_DONE = {"reject": "rejected", "suspend": "suspended", "resume": "active", "revoke": "revoked"}

_subscription_id = click.argument("subscription_id", metavar="ORG/SUBSCRIPTION")


@click.group(cls=Group)
def subscription() -> None:
    """Rights to products, each under one plan version."""


@subscription.command()
@_subscription_id
@click.option("--product", required=True, metavar="ORG/PRODUCT")
@click.option("--plan", required=True, metavar="ORG/PLAN")
@click.option("--plan-version", type=click.IntRange(1), help="Default: the newest on sale.")
@click.option("--days", type=click.IntRange(1, 3650), help="When it expires; default never.")
@click.option("--reason", default="", help="Why, if you like to say.")
@calls_api
def request(
    call: Call,
    subscription_id: str,
    product: str,
    plan: str,
    *,
    plan_version: int | None,
    days: int | None,
    reason: str,
) -> None:
    """Ask for a product under a plan.

    Exits 0 when it is asked for; 2 if there is no such product or plan on sale.
    """
    made = call.client.subscriptions.request(
        subscription_id,
        product=product,
        plan=plan,
        plan_version=plan_version,
        term_s=None if days is None else days * _DAY_S,
        reason=reason,
    )
    if made.state == "activating":
        made = _wait_active(call, made)
    _say(call, made)


@subscription.command()
@_subscription_id
@click.option("--reason", default="", help="Why, if you like to say.")
@click.option("--wait/--no-wait", default=True, help="Until its topic is there.")
@calls_api
def approve(call: Call, subscription_id: str, *, reason: str, wait: bool) -> None:
    """Agree, as the seller.

    Delivery begins when the topic is there.

    Exits 0 when it is active; 1 if its topic is not there within 30 s (it still comes); 2 if it is
    not requested.
    """
    found = call.client.subscriptions.approve(subscription_id, reason=reason)
    _say(call, _wait_active(call, found) if wait else found)


@subscription.command("list")
@click.option("--product", metavar="ORG/PRODUCT", help="Of this product alone.")
@calls_api
def list_(call: Call, product: str | None) -> None:
    """List what you buy and what is bought of you.

    The operator sees all.
    """
    columns = ["id", "state", "product", "plan", "plan_version", "delivery_topic"]
    call.table(call.client.subscriptions.list(product=product), columns)


@subscription.command()
@_subscription_id
@click.option("--history", is_flag=True, help="What happened to it, when, by whom and why.")
@click.option("--cutover", is_flag=True, help="Where in each partition its last change took hold.")
@calls_api
def show(call: Call, subscription_id: str, *, history: bool, cutover: bool) -> None:
    """Show one subscription.

    Exits 0; 2 if there is none that you may see.
    """
    if history:
        columns = ["at", "transition", "state", "plan", "plan_version", "by", "reason"]
        call.table(call.client.subscriptions.history(subscription_id), columns)
    elif cutover:
        call.describe(call.client.subscriptions.cutover(subscription_id))
    else:
        call.describe(call.client.subscriptions.get(subscription_id))


@subscription.command()
@_subscription_id
@click.option("--plan", required=True, metavar="ORG/PLAN")
@click.option("--plan-version", type=click.IntRange(1), help="Default: the newest on sale.")
@click.option("--reason", default="", help="Why, if you like to say.")
@calls_api
def replan(
    call: Call, subscription_id: str, plan: str, *, plan_version: int | None, reason: str
) -> None:
    """Pin another plan or version, as the buyer.

    Exits 0 when it is pinned; 2 if its state, period or currency do not allow it, or the seller has
    to approve the plan: request a new subscription then.
    """
    found = call.client.subscriptions.replan(
        subscription_id, plan=plan, plan_version=plan_version, reason=reason
    )
    call.show(found, f"subscription {found.id} is under {found.plan} version {found.plan_version}")


def _add_act(act: Act, doc: str, *, needs_reason: bool) -> None:
    """Add `weir subscription <act>`: these differ in nothing but whether they need a why."""

    @calls_api
    def run(call: Call, subscription_id: str, reason: str) -> None:
        _say(call, call.client.subscriptions.act(subscription_id, act, reason=reason))

    # No default=None: click 8.3 takes a default that is written, even None, for an answer.
    options = (
        click.option("--reason", required=True, help="Why; the other side reads it.")
        if needs_reason
        else click.option("--reason", default="", help="Why, if you like to say.")
    )
    described = f"{doc}\n\nExits 0 when it is {_DONE[act]}; 2 if its state does not allow it."
    command = click.command(act, help=described)(_subscription_id(options(run)))
    subscription.add_command(command)


_add_act("reject", "Decline, as the seller.", needs_reason=True)
_add_act("suspend", "Stop delivery until resumed, as the seller.", needs_reason=True)
_add_act("resume", "Deliver again, as the seller.", needs_reason=False)
_add_act("revoke", "End it for good; either side may.", needs_reason=True)


def _wait_active(call: Call, found: Subscription) -> Subscription:
    deadline = time.monotonic() + _WAIT_S
    with progress(f"{found.id}: waiting for its topic"):
        while found.state == "activating":
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"subscription {found.id}: its topic is not there after {_WAIT_S:.0f} s; it "
                    "follows, see `weir reconcile --dry-run`"
                )
            time.sleep(_POLL_S)
            found = call.client.subscriptions.get(found.id)
    return found


def _say(call: Call, found: Subscription) -> None:
    words = f"subscription {found.id} is {found.state}"
    if found.state == "active":
        words += f"; its records come in {found.delivery_topic}"
    if found.state == "requested":
        words += "; the seller has to approve it"
    call.show(found, words)
