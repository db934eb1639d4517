"""How the kernel is compiled: which flags, and where the compiler keeps its cache.

numba's cache looks at the file of the compiled function only, so that a change in another file of
this package would go unseen. The kernel's cache therefore lies in a folder named by a digest of all
sources of the package and of its learnt weights, and only the kernel is cached: what it calls is compiled
into it.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import config, njit

F = TypeVar("F", bound=Callable[..., Any])
_njit: Any = njit  # its declared types know no wrapper options
_FLAGS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_FOLDER = Path(__file__).parent


def jit(function: F) -> F:
    """Mark a part of the kernel: nothing outside calls it, so it needs no wrappers (a third of the time)."""
    return cast(F, _njit(**_FLAGS, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function))


def kernel(function: F) -> F:
    """Mark the one function that is compiled by itself, and cached."""
    settings: Any = config
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(_cache_base(before) / f"ecgstream-{_digest()}")
    try:
        return cast(F, _njit(**_FLAGS, cache=True)(function))
    finally:
        settings.CACHE_DIR = before


def _cache_base(configured: str) -> Path:
    if configured:
        return Path(configured)
    if os.access(_FOLDER, os.W_OK):
        return _FOLDER / "__pycache__"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ecgstream" / "numba"


def _digest() -> str:
    found = hashlib.blake2b(digest_size=8)
    for path in sorted((*_FOLDER.glob("*.py"), *_FOLDER.glob("*.csv"))):
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()
