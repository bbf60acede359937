"""TLS contexts of clients. They are shared, since creating one takes some 50 ms."""

from __future__ import annotations

import functools
import ssl


@functools.cache
def trusted() -> ssl.SSLContext:
    """Verifies the server's certificate by the authorities that httpx trusts. ImportError where httpx is not installed."""
    import httpx

    return httpx.create_ssl_context()


@functools.cache
def unverified() -> ssl.SSLContext:
    """Encrypts, but does not verify the server's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
