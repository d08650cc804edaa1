"""Documents of Universal Binary JSON that are whole, and those that are not."""

from __future__ import annotations

import pytest

from airflow_mlpipe.values.formats.ubjson import check_whole

WHOLE = [
    b"Z",
    b"{}",
    b"[]",
    b"[ZTFi\x01]",
    b"{i\x01aSi\x02hi}",
    b"[$d#i\x02" + bytes(8),
    b"[#U\x02TF",
    b"{#i\x01i\x01aZ",
    b"{L" + (1).to_bytes(8, "big") + b"a[$L#L" + (1).to_bytes(8, "big") + bytes(8) + b"}",
]


@pytest.mark.parametrize("data", WHOLE)
def test_a_whole_document_passes_and_no_part_of_it_does(data):
    """It is whole to its last byte, and no shorter; what follows it is noticed."""
    check_whole(data)
    for end in range(len(data)):
        with pytest.raises(ValueError, match="it ends after"):
            check_whole(data[:end])
    with pytest.raises(ValueError, match="1 bytes follow"):
        check_whole(data + b"Z")


@pytest.mark.parametrize("data", [b"?", b"{Z}", b"[$d]", b"[$d#i\xff", b"[$d#L" + b"\x7f" * 8, b"[" * 10_000, bytes(9)])
def test_other_bytes_are_refused(data):
    """Marks and lengths that there are not, and nesting without an end."""
    with pytest.raises(ValueError):
        check_whole(data)
