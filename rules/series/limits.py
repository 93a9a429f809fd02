"""Bounds on what one tenant may store, passed to writers by the service that knows the tenant."""

from __future__ import annotations

from dataclasses import dataclass

from alertsite.core.labels import LabelSet


@dataclass(frozen=True, slots=True)
class SeriesLimits:
    """What a writer refuses. Defaults are those of a new tenant."""

    lateness_ms: int = 2 * 3_600_000
    """Samples older than `now - lateness_ms` are refused as `too_old`."""
    future_ms: int = 10 * 60_000
    """Samples newer than `now + future_ms` are refused as `too_far_in_future`."""
    max_series: int = 1_000_000
    """New series beyond this number are refused as `series_limit`."""
    max_labels: int = 64
    """Series with more labels are refused as `too_many_labels`."""
    max_label_bytes: int = 4096
    """Series with a longer label name or value (UTF-8 bytes) are refused as `label_too_long`."""

    def label_refusal(self, labels: LabelSet) -> str | None:
        """Why this label set may not be stored, or None if it may."""
        if len(labels) > self.max_labels:
            return "too_many_labels"
        if any(len(part.encode()) > self.max_label_bytes for pair in labels for part in pair):
            return "label_too_long"
        return None


@dataclass(frozen=True, slots=True)
class IngestLimits:
    """What one request may carry; beyond it the request is refused whole."""

    max_body_bytes: int = 32 << 20
    """After decompression. A compressed body that declares more is refused before memory is taken for it."""
    max_series: int = 100_000
    max_samples: int = 1_000_000
