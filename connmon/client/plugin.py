"""How an engine comes to be watched: by its URL, in one of two forms.

``mysql+pymysql://...?plugin=connmon&connmon_service=default`` is SQLAlchemy's own
plugin mechanism. ``mysql+pymysql_connmon://...?connmon_service=default`` names an
entry point of ours in place of the driver; while the engine is made, a temporary
subclass of the real dialect hides our parts of the URL from it, and afterwards nothing
of it is left: ``engine.dialect`` is of its own class, ``engine.url`` is the URL without
our parts.

Options, in the URL or, with the plugin form, as ``create_engine`` arguments:
``connmon_service``, ``connmon_addr``, ``connmon_config``, ``connmon_program``. A
mistake in one of them is an ``ArgumentError``; anything else that is wrong is one
warning, and the database works.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from sqlalchemy import exc
from sqlalchemy.engine import URL, CreateEnginePlugin, Engine

from connmon import config
from connmon.errors import ConfigError

SUFFIX = "_connmon"
PREFIX = "connmon_"
OPTIONS = ("connmon_service", "connmon_addr", "connmon_config", "connmon_program")

_log = logging.getLogger("connmon")


class ConnmonPlugin(CreateEnginePlugin):
    """The plugin form: ``?plugin=connmon``, or ``plugins=["connmon"]``."""

    def __init__(self, url: URL, kwargs: dict[str, Any]) -> None:
        """Take our options out of the URL's query and the arguments, which win."""
        self._options = _query_options(url)
        for name in [name for name in kwargs if name.startswith(PREFIX)]:
            value = kwargs.pop(name)
            if value is not None:
                self._options[name] = value
        _checked(self._options)

    def update_url(self, url: URL) -> URL:
        """The URL without our options, nor our driver if both forms are mixed."""
        return _clean(url)

    def engine_created(self, engine: Engine) -> None:
        """Begin to watch."""
        _install(engine, self._options)


class ConnmonWrapper:
    """The driver form: what our ``sqlalchemy.dialects`` entry points name.

    Not a dialect: SQLAlchemy asks it for one, and tells it when the engine is made.
    """

    @classmethod
    def get_dialect_cls(cls, url: URL) -> type[Any]:
        """The real dialect's class, made blind for our parts of the URL."""
        _checked(_query_options(url))
        return _blinded(_clean(url).get_dialect())

    @classmethod
    def get_async_dialect_cls(cls, url: URL) -> type[Any]:
        """The same for ``create_async_engine``."""
        _checked(_query_options(url))
        return _blinded(_clean(url).get_dialect(True))

    @classmethod
    def load_provisioning(cls) -> None:
        """SQLAlchemy's own test suite asks for this; there is nothing to do."""

    @classmethod
    def engine_created(cls, engine: Engine) -> None:
        """Leave no trace of us on the engine, then begin to watch."""
        options = _query_options(engine.url)
        dialect = engine.dialect
        dialect.__class__ = getattr(type(dialect), "_connmon_real", type(dialect))
        engine.url = _clean(engine.url)
        _install(engine, options)


_BLINDED: dict[type[Any], type[Any]] = {}
_URL_METHODS = ("create_connect_args", "on_connect_url", "get_dialect_pool_class")
#: What ``create_engine`` looks up in a dialect class's own dictionary.
_OWN_NAMES = ("import_dbapi", "dbapi", "supports_statement_cache")


def _blinded(real: type[Any]) -> type[Any]:
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


def _with_clean_url(method: Any) -> Any:
    """A dialect's method, called with the URL as it would be without us."""

    def cleaned(self: Any, url: URL, *args: Any, **kwargs: Any) -> Any:
        return method(self, _clean(url), *args, **kwargs)

    return cleaned


def _clean(url: URL) -> URL:
    """The URL without our options and our part of the driver name."""
    ours = [name for name in url.query if name.startswith(PREFIX)]
    if ours:
        url = url.difference_update_query(ours)
    backend, plus, driver = url.drivername.partition("+")
    if driver == SUFFIX[1:]:
        return url.set(drivername=backend)
    if driver.endswith(SUFFIX):
        return url.set(drivername=f"{backend}{plus}{driver[: -len(SUFFIX)]}")
    return url


def _query_options(url: URL) -> dict[str, Any]:
    """Our options as the URL has them."""
    return {name: value for name, value in url.query.items() if name.startswith(PREFIX)}


def _checked(options: Mapping[str, Any]) -> None:
    """Tell a mistake in an option where it was made: at ``create_engine``."""
    for name in OPTIONS:
        value = options.get(name)
        if value is not None and (not isinstance(value, str) or not value):
            raise exc.ArgumentError(
                f"{name}: expected it once, as non-empty text, not {value!r}"
            )
    try:
        if "connmon_addr" in options:
            _named("connmon_addr", config.parse_address, options["connmon_addr"])
        elif "connmon_config" in options:
            found = _named("connmon_config", config.load, options["connmon_config"])
            service = options.get("connmon_service", config.DEFAULT_SERVICE)
            _named("connmon_service", found.service, service)
    except ConfigError as error:
        raise exc.ArgumentError(str(error)) from None


def _named(option: str, read: Any, value: str) -> Any:
    """Read an option's value; whatever is wrong with it is told under its name."""
    try:
        return read(value)
    except ConfigError as error:
        raise ConfigError(f"{option}={value}: {error}") from None


def _install(engine: Engine, options: Mapping[str, Any]) -> None:
    """Begin to watch an engine; if that is impossible, say so and leave it alone."""
    try:
        # Imported here, in the thread that makes the engine, since it brings Twisted:
        # a failing import must not keep SQLAlchemy from making the engine.
        from connmon.client.agent import HERE
        from connmon.client.link import Destination
        from connmon.client.listeners import Watch

        for name in options:
            if name not in OPTIONS:
                _log.warning("connmon: unknown option %s is ignored", name)
        service, addresses = _addresses(options)
        program = options.get("connmon_program") or program_name()
        Watch(HERE.agent(Destination(service, addresses, program)), engine)
    except Exception as error:
        _log.warning("connmon does not watch this engine: %s", error)


def _addresses(options: Mapping[str, Any]) -> tuple[str, tuple[config.Address, ...]]:
    """The service to ask for, empty for any, and its nodes' addresses."""
    if "connmon_addr" in options:
        service = options.get("connmon_service", "")
        return service, (config.parse_address(options["connmon_addr"]),)
    found = config.load(options.get("connmon_config"))
    service = found.service(options.get("connmon_service", config.DEFAULT_SERVICE))
    return service.name, tuple(node.hostname for node in service.nodes)


def program_name() -> str:
    """What this program is called: the module run by ``-m``, or the script's name."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    module = getattr(spec, "name", None)
    if module and module != "__main__":
        return str(module).removesuffix(".__main__")
    argv = getattr(sys, "argv", None) or [""]
    return os.path.basename(argv[0]) or os.path.basename(sys.executable) or "python"
