"""Tokens that callers carry but cannot read as a promise, change, or use elsewhere."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b

_MAC_BYTES = 16


class Seal:
    """Signs and opens tokens with the secret of the installation."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def close(self, body: bytes, *bound_to: bytes) -> str:
        """Make a token of `body` that opens only where `bound_to` is the same."""
        return urlsafe_b64encode(self._mac(body, bound_to) + body).rstrip(b"=").decode()

    def open(self, token: str, *bound_to: bytes) -> bytes | None:
        """Return the body, or None when the token was not made here for the same purpose."""
        try:
            raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        except ValueError:
            return None
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        genuine = hmac.compare_digest(mac, self._mac(body, bound_to))
        # The decoder skips what is not in its alphabet: only the one spelling that we made is ours.
        return body if genuine and self.close(body, *bound_to) == token else None

    def _mac(self, body: bytes, bound_to: tuple[bytes, ...]) -> bytes:
        mac = blake2b(key=self._secret, digest_size=_MAC_BYTES)
        for part in (*bound_to, body):
            mac.update(len(part).to_bytes(4, "big"))
            mac.update(part)
        return mac.digest()
