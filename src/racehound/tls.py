"""How HTTPS servers are known to be who they say: one context for all clients of httpx, since making one takes some 50 ms."""

from __future__ import annotations

import functools
import ssl


@functools.cache
def trusted() -> ssl.SSLContext:
    """The authorities that httpx trusts by itself. ImportError where httpx is not installed."""
    import httpx

    return httpx.create_ssl_context()
