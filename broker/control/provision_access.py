"""Access: ACLs and SCRAM users, desired against observed. Pure."""

from collections.abc import Iterator

from broker.control.provision_values import (
    OURS,
    Acl,
    AddAcl,
    BarUser,
    Desired,
    Difference,
    DropAcl,
    Observed,
)


def acls(desired: Desired, observed: Observed) -> Iterator[Difference]:
    """Of accounts of ours what is wrong is healed; what reaches our topics beside them is said."""
    theirs = desired.active | desired.deleted
    gone = {one.topic for one in desired.endings if one.topic not in observed.topics}
    wanted = {acl for acl in desired.acls if acl.name not in gone}
    for acl in sorted(wanted - observed.acls):
        yield Difference(what=_acl_name(acl), state="missing", detail=str(acl), action=AddAcl(acl))
    for acl in sorted(observed.acls - wanted, key=_topics_first):
        if acl.principal in theirs:
            yield Difference(
                what=_acl_name(acl), state="obsolete", detail=str(acl), action=DropAcl(acl)
            )
        elif acl.resource == "topic" and _reaches_ours(acl):
            yield Difference(
                what=_acl_name(acl),
                state="foreign",
                detail=f"{acl}: the exchange did not allow this; remove it, unless it is yours",
                alarm=True,
            )
    for words in observed.foreign_acls:
        yield Difference(
            what="acl",
            state="foreign",
            detail=f"{words}: the exchange did not allow this",
            alarm=True,
        )


def _acl_name(acl: Acl) -> str:
    return f"acl of {acl.principal}"


def _topics_first(acl: Acl) -> tuple[bool, Acl]:
    # The ACL of a group cuts nobody who is connected; that of a topic does, within milliseconds.
    return acl.resource != "topic", acl


def _reaches_ours(acl: Acl) -> bool:
    if acl.name == "*" or not acl.prefixed:
        return acl.name == "*" or acl.name.startswith(OURS)
    return any(acl.name.startswith(one) or one.startswith(acl.name) for one in OURS)


def users(desired: Desired, observed: Observed) -> Iterator[Difference]:
    """Those that are missing cannot be made again; those of deleted accounts go."""
    for principal in sorted(desired.active - observed.users):
        yield Difference(
            what=f"user {principal}",
            state="missing",
            detail="its password is known to nobody but its holder, so it cannot be made again; "
            "give the account another password",
            alarm=True,
        )
    for principal in sorted(desired.deleted & observed.users):
        yield Difference(
            what=f"user {principal}",
            state="obsolete",
            detail="its account is deleted",
            action=BarUser(principal),
        )
