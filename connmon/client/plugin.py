"""How an engine comes to be watched by its URL, in one of two forms.

``mysql+pymysql://...?plugin=connmon&connmon_service=default`` is SQLAlchemy's own
plugin mechanism. ``mysql+pymysql_connmon://...?connmon_service=default`` names an
entry point of ours in place of the driver. Either way ``engine.dialect`` is of its own
class afterwards, and ``engine.url`` is the URL without our parts.

A mistake in an option that the URL or ``create_engine`` has is an ``ArgumentError``;
anything else that is wrong is one warning, and the database works.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import URL, CreateEnginePlugin, Engine

from connmon.client import engines
from connmon.client import url as urls
from connmon.client.options import PREFIX, Source


class ConnmonPlugin(CreateEnginePlugin):
    """The plugin form: ``?plugin=connmon``, or ``plugins=["connmon"]``."""

    def __init__(self, url: URL, kwargs: dict[str, Any]) -> None:
        """Take our options out of the URL's query and the arguments, which win."""
        names = [name for name in kwargs if name.startswith(PREFIX)]
        given = Source({name[len(PREFIX) :]: kwargs.pop(name) for name in names})
        self._asked = engines.choose(given, urls.source(url))

    def update_url(self, url: URL) -> URL:
        """The URL without our options, nor our driver if both forms are mixed."""
        cleaned = urls.clean(url)
        # One of its own, so that it can be told from any other of the same text.
        cleaned = cleaned.set(drivername=cleaned.drivername)
        engines.claim(cleaned)
        return cleaned

    def engine_created(self, engine: Engine) -> None:
        """Begin to watch."""
        engines.claim(None)
        engines.watch(engine, self._asked)


class ConnmonWrapper:
    """The driver form: what our ``sqlalchemy.dialects`` entry points name.

    Not a dialect: SQLAlchemy asks it for one, and tells it when the engine is made.
    """

    @classmethod
    def get_dialect_cls(cls, url: URL) -> type[Any]:
        """The real dialect's class, made blind for our parts of the URL."""
        engines.choose(urls.source(url))
        return urls.blinded(urls.clean(url).get_dialect())

    @classmethod
    def get_async_dialect_cls(cls, url: URL) -> type[Any]:
        """The same for ``create_async_engine``."""
        engines.choose(urls.source(url))
        return urls.blinded(urls.clean(url).get_dialect(True))

    @classmethod
    def load_provisioning(cls) -> None:
        """SQLAlchemy's own test suite asks for this; there is nothing to do."""

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        """Leave no trace of us on the engine, then begin to watch."""
        asked = urls.source(engine.url)
        urls.unblind(engine)
        engines.watch(engine, engines.choose(asked))
