"""Numbers of any size in as few bytes as they need, the way protobuf writes them: seven bits in each, the lowest first.

A byte that another one follows has its highest bit set.
"""

_MORE = 0x80
_LOW_BITS = 0x7F
_BITS = 7
_NUMBER_BITS = 64


def put_number(encoded: bytearray, number: int) -> None:
    """Append `number`, which is not negative."""
    while number > _LOW_BITS:
        encoded.append(number & _LOW_BITS | _MORE)
        number >>= _BITS
    encoded.append(number)


def take_number(encoded: bytes, at: int) -> tuple[int, int]:
    """Return the number at `at`, and where the next one begins.

    Raises:
        ValueError: There is none, or it has more than 64 bits.
    """
    number = shift = 0
    while at < len(encoded) and shift < _NUMBER_BITS:
        byte = encoded[at]
        number |= (byte & _LOW_BITS) << shift
        at += 1
        if not byte & _MORE:
            if number >> _NUMBER_BITS:
                break
            return number, at
        shift += _BITS
    raise ValueError("not a number")
