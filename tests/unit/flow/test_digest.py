"""The delivery digest, against bytes written out by hand from docs/segment.md."""

from hashlib import sha256
from struct import pack

from broker.flow.digest import digest
from broker.log.ports import Records


def test_digest_of_two_records_by_hand() -> None:
    """Timestamps, three columns of lengths, then keys, values and encoded headers."""
    records = Records(
        [7, 8], [1_000, 2_000], [b"k", None], [b"vv", None], [None, [("h", b"x"), ("é", None)]]
    )
    headers = pack("<i", 1) + b"h" + pack("<i", 1) + b"x"
    headers += pack("<i", 2) + "é".encode() + pack("<i", -1)
    expected = b"".join(
        [
            pack("<qq", 1_000, 2_000),
            pack("<ii", 1, -1),
            pack("<ii", 2, -1),
            pack("<ii", -1, len(headers)),
            b"k",
            b"vv",
            headers,
        ]
    )
    assert digest(records) == sha256(expected).digest()


def test_moved_byte_changes_the_digest() -> None:
    """A byte moved from a key to its value is another digest, though the joined bytes are equal."""
    one = Records([0], [1], [b"ab"], [b"c"], [None])
    other = Records([0], [1], [b"a"], [b"bc"], [None])
    assert digest(one) != digest(other)
