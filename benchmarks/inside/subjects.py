"""The ways an engine may be watched: connmon, its rivals, and nothing at all.

Each is a function that makes an engine. What a rival needs is imported when the engine
is made, so that a process holds what it measures and no more; a rival that is not
installed raises ``ImportError``, which ends up in the table.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url

Heard = Callable[[], bool]
"""Whether the watcher has noticed any use of the engine."""


class Watched:
    """An engine, and whether its watcher works: a benchmark of nothing is no use."""

    def __init__(self, engine: Engine, heard: Heard = lambda: True) -> None:
        """``heard`` is asked after the engine was used."""
        self.engine = engine
        self.heard = heard


class Setting:
    """Where a subject finds its database, the node, and a sink for UDP reports."""

    def __init__(
        self,
        database: str,
        node: str = "",
        program: str = "",
        sink: int = 0,
        **arguments: Any,
    ) -> None:
        """``arguments`` are for ``create_engine``."""
        self.database = database
        self.node = node
        self.program = program
        self.sink = sink
        self.arguments = arguments

    def engine(self, **query: str) -> Engine:
        """The engine, made as every subject makes it, with additions to its URL."""
        url = make_url(self.database).update_query_dict(query)
        return sqlalchemy.create_engine(
            url, poolclass=sqlalchemy.pool.QueuePool, **self.arguments
        )


def watched(subject: str, setting: Setting) -> Watched:
    """An engine watched by a subject, by its name in ``SUBJECTS``.

    ``connmon NAME=VALUE ...`` is connmon with these options.
    """
    name, *options = subject.split()
    if options:
        return connmon(setting, **dict(each.split("=", 1) for each in options))
    return SUBJECTS[name](setting)


def bare(setting: Setting) -> Watched:
    """SQLAlchemy alone."""
    return Watched(setting.engine())


def passing(setting: Setting) -> Watched:
    """Handlers that do nothing: the least that any listener can cost."""
    engine = setting.engine()

    def checkout(dbapi_connection: Any, record: Any, proxy: Any) -> None:
        pass

    def checkin(dbapi_connection: Any, record: Any) -> None:
        pass

    event.listen(engine, "checkout", checkout)
    event.listen(engine, "checkin", checkin)
    return Watched(engine)


def connmon(setting: Setting, **options: str) -> Watched:
    """connmon, by its plugin; whether it works is for the node to say."""
    return Watched(
        setting.engine(
            plugin="connmon",
            connmon_addr=setting.node,
            connmon_program=setting.program,
            **options,
        )
    )


def prometheus(setting: Setting) -> Watched:
    """A gauge and a counter of prometheus_client, their children bound beforehand."""
    from prometheus_client import CollectorRegistry, Counter, Gauge

    engine = setting.engine()
    registry = CollectorRegistry()
    name = engine.url.database or ""
    out = Gauge("db_out", "Out now", ["pool"], registry=registry).labels(name)
    total = Counter("db_checkouts", "All", ["pool"], registry=registry).labels(name)

    def checkout(dbapi_connection: Any, record: Any, proxy: Any) -> None:
        out.inc()
        total.inc()

    def checkin(dbapi_connection: Any, record: Any) -> None:
        out.dec()

    event.listen(engine, "checkout", checkout)
    event.listen(engine, "checkin", checkin)
    return Watched(
        engine,
        lambda: bool(
            registry.get_sample_value("db_checkouts_total", {"pool": name}),
        ),
    )


def prometheus_hold(setting: Setting) -> Watched:
    """The same, and a histogram of how long connections are held."""
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

    engine = setting.engine()
    registry = CollectorRegistry()
    name = engine.url.database or ""
    out = Gauge("db_out", "Out now", ["pool"], registry=registry).labels(name)
    total = Counter("db_checkouts", "All", ["pool"], registry=registry).labels(name)
    hold = Histogram("db_hold", "Seconds", ["pool"], registry=registry).labels(name)
    monotonic = time.monotonic

    def checkout(dbapi_connection: Any, record: Any, proxy: Any) -> None:
        out.inc()
        total.inc()
        record.info["since"] = monotonic()

    def checkin(dbapi_connection: Any, record: Any) -> None:
        out.dec()
        since = record.info.pop("since", None)
        if since is not None:
            hold.observe(monotonic() - since)

    event.listen(engine, "checkout", checkout)
    event.listen(engine, "checkin", checkin)
    return Watched(
        engine,
        lambda: bool(registry.get_sample_value("db_hold_count", {"pool": name})),
    )


def prometheus_served(setting: Setting) -> Watched:
    """The first, with prometheus_client's own HTTP server beside it."""
    from prometheus_client import start_http_server

    start_http_server(0, "127.0.0.1")
    return prometheus(setting)


def collectd(setting: Setting) -> Watched:
    """sqlalchemy-collectd as it is shipped, sending to a port where nobody reads."""
    from sqlalchemy_collectd.client.collector import CollectionTarget

    # It keeps its counts by program name.
    program = f"{setting.program}-{os.getpid()}-{id(setting)}"
    engine = setting.engine(
        plugin="collectd",
        collectd_host="127.0.0.1",
        collectd_port=str(setting.sink),
        collectd_program_name=program,
    )
    target = CollectionTarget.collection_for_name(program)
    return Watched(engine, lambda: bool(target.total_checkouts))


def collectd_mended(setting: Setting) -> Watched:
    """The same, its ``reset`` listener mended.

    As shipped it takes two arguments, for which SQLAlchemy 2 has a wrapper that goes
    through the machinery of warnings each time.
    """
    from sqlalchemy_collectd.client.collector import EngineCollector

    shipped = EngineCollector._reset_evt

    def reset(self: Any, dbapi_connection: Any, record: Any, state: Any) -> None:
        self.transactions.discard(self.conn_ident(dbapi_connection))

    EngineCollector._reset_evt = reset
    try:
        return collectd(setting)
    finally:
        EngineCollector._reset_evt = shipped


def otel_metrics(setting: Setting) -> Watched:
    """OpenTelemetry's instrumentation, with the SDK's metrics."""
    return _otel(setting)


def otel_spans(setting: Setting) -> Watched:
    """The same, and the SDK's traces, exported to nowhere in batches."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import (
        BatchSpanProcessor,
        SpanExporter,
        SpanExportResult,
    )

    class Nowhere(SpanExporter):  # type: ignore[misc]
        def export(self, spans: Any) -> Any:
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    return _otel(setting, tracer_provider=provider)


def _otel(setting: Setting, **providers: Any) -> Watched:
    """Its connections' gauge; it wraps ``Engine.connect`` of the whole process."""
    from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    engine = setting.engine()
    reader = InMemoryMetricReader()
    # It declares SQLAlchemy below 2.1, and would instrument nothing without a word.
    SQLAlchemyInstrumentor().instrument(
        engine=engine,
        skip_dep_check=True,
        meter_provider=MeterProvider(metric_readers=[reader]),
        **providers,
    )
    return Watched(engine, lambda: reader.get_metrics_data() is not None)


SUBJECTS: dict[str, Callable[[Setting], Watched]] = {
    "bare": bare,
    "pass": passing,
    "connmon": connmon,
    "prometheus": prometheus,
    "prometheus-hold": prometheus_hold,
    "prometheus-served": prometheus_served,
    "collectd": collectd,
    "collectd-mended": collectd_mended,
    "otel-metrics": otel_metrics,
    "otel-spans": otel_spans,
}
