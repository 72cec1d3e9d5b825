"""Says that it was handed in in the thirteenth month, with a byte order mark, a NUL and an escape sequence.

Must happen: it is graded, for what it holds.
"""


def hand_in(notebook, place, file):  # type: ignore[no-untyped-def]
    from attacks import dump

    place.joinpath(file).write_bytes(dump(notebook))
    place.joinpath("timestamp.txt").write_bytes(b"\xef\xbb\xbf2026-13-45 99:99:99 \x1b[31m\x00 UTC\n")


LOSES = "nothing"
