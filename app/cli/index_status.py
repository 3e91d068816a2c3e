"""What a person or a program is told of a collection's vector index."""

from typing import Any

from app.cli.output import mebibytes
from indexer.storage.vectors.certificate import Certificate


def certificate_line(certificate: Certificate) -> str:
    """One line: what was promised, what was measured, and whether it holds."""
    first = certificate.chosen[0]
    return (
        f"recall@10 {certificate.recall:.3f} (95 % sure of {certificate.recall_low:.3f}) against "
        f"exact search by {certificate.queries} queries made of its passages, "
        f"{first.latency_ms:.1f} ms each; {_verdict(certificate)}"
    )


def _verdict(certificate: Certificate) -> str:
    target = f"the target of {certificate.target:.2f}"
    missed = [point for point in certificate.chosen if point.recall < certificate.target]
    if not missed:
        return f"reaches {target}"
    if missed[0] is certificate.chosen[0]:
        return f"MISSES {target}"
    return f"MISSES {target} for the {missed[0].depth:,} nearest ({missed[0].recall:.3f})"


def wishes_line(wishes: dict[str, Any]) -> str:
    """What is kept for the index that a collection will get once it is large; empty: nothing."""
    target, budget, prefix = (
        wishes[name] for name in ("target_recall", "ram_budget_bytes", "prefix_dim")
    )
    asked = [
        None if target is None else f"recall@10 {target:.2f}",
        None if budget is None else f"at most {mebibytes(budget)} RAM",
        None if prefix is None else f"codes of the first {prefix:,} dimensions",
    ]
    said = ", ".join(part for part in asked if part is not None)
    return said and f"asked of the index it gets once it is large: {said}"


def certificate_values(certificate: Certificate) -> dict[str, Any]:
    """For --json: the certificate with what follows from it."""
    return {
        "recall_at_10": certificate.recall,
        "target_is_met": certificate.is_met,
        **certificate.to_dict(),
    }
