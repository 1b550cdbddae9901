"""Why storage cannot be formatted."""

import pytest

from broker.local.kafka_format import why

TRACE = """Exception in thread "main" java.lang.RuntimeException: cannot
	at kafka.tools.StorageTool.main(StorageTool.java:1)
Caused by: java.nio.file.AccessDeniedException: /data/meta.properties
	at java.base/sun.nio.fs.UnixException.rethrow(UnixException.java:90)
	... 11 more
"""


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (TRACE, "Caused by: java.nio.file.AccessDeniedException: /data/meta.properties"),
        ("The node id is wrong\n\n", "The node id is wrong"),
        ("", "it gave no reason"),
    ],
)
def test_the_cause_is_told(said: str, cause: str) -> None:
    """Not the last of the places in Java's code."""
    assert why(said) == cause
