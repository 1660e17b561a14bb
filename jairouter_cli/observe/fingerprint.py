"""Fingerprints of client keys, which identify a key without revealing it."""

import hashlib
from typing import Final

_DIGITS: Final = 12  # enough to tell keys apart, not enough to guess one by


def fingerprint(credential: str) -> str:
    """Return that of an `Authorization` header: `printf %s "$KEY" | sha256sum | cut -c1-12`; empty for none."""
    if not credential:
        return ""
    scheme, _, key = credential.partition(" ")
    secret = key.strip() if scheme.lower() == "bearer" else credential
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
