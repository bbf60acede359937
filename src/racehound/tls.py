"""TLS of clients: one context for all of a sort, since making one takes some 50 ms."""

from __future__ import annotations

import functools
import ssl


@functools.cache
def trusted() -> ssl.SSLContext:
    """For servers that must be who they say, by the authorities that httpx trusts. ImportError where httpx is not installed."""
    import httpx

    return httpx.create_ssl_context()


@functools.cache
def unverified() -> ssl.SSLContext:
    """For any server: what is said is encrypted, with whomever it is said."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
