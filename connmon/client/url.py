"""Our parts of a database URL, and how they are hidden from its dialect.

``mysql+pymysql_connmon://...?connmon_service=default`` names an entry point of ours in
place of the driver. While the engine is made, a temporary subclass of the real dialect
hides our parts of the URL from it; afterwards nothing of it is left.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import URL, Engine

from connmon.client.options import PREFIX, Source

SUFFIX = "_connmon"


def source(url: URL) -> Source:
    """Our options as the URL has them."""
    ours = {name: value for name, value in url.query.items() if name.startswith(PREFIX)}
    return Source({name[len(PREFIX) :]: value for name, value in ours.items()})


def is_ours(url: URL) -> bool:
    """Whether the URL names us in place of its driver."""
    driver = url.drivername.partition("+")[2]
    return driver == SUFFIX[1:] or driver.endswith(SUFFIX)


def clean(url: URL) -> URL:
    """The URL without our options and our part of the driver's name."""
    ours = [name for name in url.query if name.startswith(PREFIX)]
    if ours:
        url = url.difference_update_query(ours)
    if not is_ours(url):
        return url
    backend, plus, driver = url.drivername.partition("+")
    if driver == SUFFIX[1:]:
        return url.set(drivername=backend)
    return url.set(drivername=f"{backend}{plus}{driver[: -len(SUFFIX)]}")


_BLINDED: dict[type[Any], type[Any]] = {}
_URL_METHODS = ("create_connect_args", "on_connect_url", "get_dialect_pool_class")
#: What ``create_engine`` looks up in a dialect class's own dictionary.
_OWN_NAMES = ("import_dbapi", "dbapi", "supports_statement_cache")


def blinded(real: type[Any]) -> type[Any]:
    """A subclass of a dialect whose methods see only the clean URL; one for each."""
    made = _BLINDED.get(real)
    if made is None:
        names: dict[str, Any] = {
            "__module__": real.__module__,
            "__qualname__": real.__qualname__,
            "__doc__": real.__doc__,
            "_connmon_real": real,
        }
        names.update({k: real.__dict__[k] for k in _OWN_NAMES if k in real.__dict__})
        for name in _URL_METHODS:
            if hasattr(real, name):
                names[name] = _with_clean_url(getattr(real, name))
        made = _BLINDED.setdefault(real, type(real.__name__, (real,), names))
    return made


def unblind(engine: Engine) -> None:
    """Leave no trace of us on an engine: its dialect's own class, and its clean URL."""
    dialect = engine.dialect
    dialect.__class__ = getattr(type(dialect), "_connmon_real", type(dialect))
    engine.url = clean(engine.url)


def _with_clean_url(method: Any) -> Any:
    """A dialect's method, called with the URL as it would be without us."""

    def cleaned(self: Any, url: URL, *args: Any, **kwargs: Any) -> Any:
        return method(self, clean(url), *args, **kwargs)

    return cleaned
