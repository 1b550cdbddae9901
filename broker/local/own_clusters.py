"""Clusters of one's own, looked at first: a wrong name costs seconds, and starts nothing."""

from collections.abc import Mapping
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from broker.client.probe_route import addresses, no_route
from broker.config import check_stored, kafka_config
from broker.errors import UnavailableError
from broker.store.base import checked_url, engine

_KAFKA = "WEIR_KAFKA_BOOTSTRAP"
_DATABASE = "WEIR_DATABASE_URL"


def check_names(home: Path, environ: Mapping[str, str]) -> None:
    """Refuse what cannot be meant: by the home's file and by the environment. Asks nobody.

    Raises:
        InvalidFieldError: names the variable or the file.
    """
    check_stored(home)
    if environ.get(_KAFKA):
        kafka = kafka_config(home, environ)
        kafka.client()
        addresses(kafka.bootstrap, field=_KAFKA)
    if environ.get(_DATABASE):
        checked_url(environ[_DATABASE])


def check_reach(environ: Mapping[str, str]) -> None:
    """Refuse what does not answer. Blocks some seconds at most.

    Raises:
        UnavailableError: names the variable, and what was said there.
    """
    if environ.get(_KAFKA):
        reasons = [no_route(one) for one in addresses(environ[_KAFKA], field=_KAFKA)]
        if all(reasons):
            raise UnavailableError(f"{_KAFKA}: {'; '.join(filter(None, reasons))}")
    if environ.get(_DATABASE):
        _connect(environ[_DATABASE])


def _connect(database_url: str) -> None:
    database = engine(database_url)
    try:
        database.connect().close()
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", error)).strip().splitlines()[0]
        raise UnavailableError(f"{_DATABASE}: {said}") from error
    finally:
        database.dispose()
