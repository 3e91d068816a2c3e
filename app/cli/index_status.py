"""What a person or a program is told of a collection's vector index."""

from typing import Any

from indexer.storage.vectors.certificate import Certificate


def certificate_line(certificate: Certificate) -> str:
    """One line: what was promised, what was measured, and whether it holds."""
    first = certificate.chosen[0]
    kept = "reaches" if certificate.is_met else "MISSES"
    return (
        f"recall@10 {certificate.recall:.3f} (95 % sure of {certificate.recall_low:.3f}) against "
        f"exact search by {certificate.queries} queries made of its passages, "
        f"{first.latency_ms:.1f} ms each; {kept} the target of {certificate.target:.2f}"
    )


def certificate_values(certificate: Certificate) -> dict[str, Any]:
    """For --json: the certificate with what follows from it."""
    return {
        "recall_at_10": certificate.recall,
        "target_is_met": certificate.is_met,
        **certificate.to_dict(),
    }
