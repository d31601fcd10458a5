"""The schema of incidents: what a person knows of a time in which data is odd or missing."""

from __future__ import annotations

from pyspark.sql import types as T  # noqa: N812

STRING, INT, TIMESTAMP = T.StringType(), T.IntegerType(), T.TimestampType()
#: Why data of a time is odd or missing, as a cause of a difference names it.
CAUSES = ("exchange_down", "maintenance", "our_outage")
OPEN, CLOSED, WITHDRAWN = "open", "closed", "withdrawn"


def _required(name: str, kind: T.DataType) -> T.StructField:
    return T.StructField(name, kind, nullable=False)


def _optional(name: str, kind: T.DataType) -> T.StructField:
    return T.StructField(name, kind, nullable=True)


#: Every revision of every incident. It covers `[started_at, ended_at)`, without an end it goes on;
#: without a kind or an instrument it is of all of them.
INCIDENTS = T.StructType(
    [
        _required("incident_id", STRING),
        _required("revision", INT),
        _required("exchange", STRING),
        _optional("kind", STRING),
        _optional("instrument", STRING),
        _required("cause", STRING),
        _required("started_at", TIMESTAMP),
        _optional("ended_at", TIMESTAMP),
        _required("title", STRING),
        _optional("description", STRING),
        _optional("link", STRING),
        _optional("reported_by", STRING),
        _required("state", STRING),
        _required("created_at", TIMESTAMP),
        _required("updated_at", TIMESTAMP),
    ]
)
