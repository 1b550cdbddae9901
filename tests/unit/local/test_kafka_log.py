"""Why a broker did not start, read from its log."""

from pathlib import Path

import pytest

from broker.local.kafka_log import reason_in


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ERROR Socket server failed to bind to 127.0.0.1:9092", "port"),
        ("ERROR No readable meta.properties files found.", "never formatted"),
        ("ERROR Failed to acquire lock on file .lock", "another broker"),
        ("ERROR java.nio.file.AccessDeniedException: /x", "may not write"),
        ("ERROR something new", "something new"),
    ],
)
def test_says_the_reason_in_words(tmp_path: Path, line: str, words: str) -> None:
    """A known reason is said in words, an unknown one as the log's last error."""
    log = tmp_path / "server.log"
    log.write_text(f"2026-01-01 INFO begin\n2026-01-01 {line}\n2026-01-01 INFO end\n")
    reason = reason_in(log, tmp_path / "out", seen_bytes=0)
    assert words in reason.words
    assert reason.port_taken == ("failed to bind" in line)


def test_reads_this_start_alone(tmp_path: Path) -> None:
    """An error of an earlier start is not the reason of this one."""
    log = tmp_path / "server.log"
    log.write_text("2026-01-01 ERROR Socket server failed to bind\n")
    seen_bytes = log.stat().st_size
    assert "no reason" in reason_in(log, tmp_path / "out", seen_bytes).words
