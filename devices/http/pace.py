"""How often each device may ask: a bucket of tokens a device, pure."""

from typing import NamedTuple


class _Bucket(NamedTuple):
    tokens: float
    at_s: float


class Pace:
    """Buckets that fill at ``per_s`` up to ``burst``; each request takes a token.

    Args:
        per_s: requests a second in the long run.
        burst: requests at once.

    >>> pace = Pace(per_s=2, burst=1)
    >>> pace.wait_s("dev-1", 10.0), pace.wait_s("dev-1", 10.0), pace.wait_s("dev-1", 10.5)
    (0.0, 0.5, 0.0)
    """

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._buckets: dict[str, _Bucket] = {}

    def wait_s(self, device: str, now_s: float) -> float:
        """Take a token and return 0, or take none and return after how many seconds there is one.

        Args:
            device: one that is known, so that there are no more buckets than devices.
            now_s: by a clock that never goes back.
        """
        tokens, at_s = self._buckets.get(device, (float(self._burst), now_s))
        tokens = min(self._burst, tokens + (now_s - at_s) * self._per_s)
        if tokens < 1:
            self._buckets[device] = _Bucket(tokens, now_s)
            return (1 - tokens) / self._per_s
        self._buckets[device] = _Bucket(tokens - 1, now_s)
        return 0.0
