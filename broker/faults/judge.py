"""Judge: after a fault, what the load knows against what an independent recount finds."""

from dataclasses import dataclass

from broker.errors import UnavailableError
from broker.faults.market import PRODUCT
from broker.faults.stage import Stage
from broker.verify.recount import recount_log
from broker.verify.report import Report


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One recount, with the load at rest.

    `valid_records`: acknowledged to the load. `faults`: what does not agree with it, in words; none
    means entitled = delivered = metered = billed = acknowledged, to the record and the byte.
    """

    valid_records: int
    refused_records: int
    segments: int
    faults: tuple[str, ...]


def judge(stage: Stage) -> Judgement:
    """Wait until all is routed and billed, then recount everything from the beginning.

    The load must be paused.

    Raises:
        UnavailableError: it never came to rest.
    """
    load = stage.load
    stage.wait_routed()
    stage.wait_billed(load.valid_records)
    report = recount_log(stage.log, stage.database)
    return Judgement(
        valid_records=load.valid_records,
        refused_records=load.refused_records,
        segments=report.segments,
        faults=tuple(_faults(report, load.valid_records, load.refused_records)),
    )


def _faults(report: Report, valid: int, refused: int) -> list[str]:
    found = [str(difference) for difference in report.differences]
    for product in report.products:
        counted = {"valid": product.valid_records, "refused": sum(product.refused.values())}
        if counted != {"valid": valid, "refused": refused}:
            found.append(f"{PRODUCT}: {counted} in the source, {valid} and {refused} acknowledged")
    if not report.subscriptions:
        raise UnavailableError("the recount found no subscription; nothing was judged")
    for row in report.subscriptions:
        records = {
            "acknowledged": valid,
            "entitled": row.entitled_records,
            "delivered": row.delivered_records,
            "metered": row.metered_records,
            "billed": row.billed_records,
        }
        sizes = {row.entitled_bytes, row.delivered_bytes, row.metered_bytes, row.billed_bytes}
        if len(set(records.values())) > 1 or len(sizes) > 1:
            found.append(f"{row.subscription}: records {records}, bytes {sorted(sizes)}")
    found += [f"undeliverable: {stretch}" for stretch in report.undeliverable]
    found += [f"gap: {stretch}" for stretch in report.gaps]
    found += [f"chain only: {stretch}" for stretch in report.chain_only]
    return found
