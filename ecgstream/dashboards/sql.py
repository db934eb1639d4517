"""SQL as a query of Grafana's: the SDK has types for it of other databases, not of PostgreSQL."""

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import AnnotationTarget, DataSourceRef

PLUGIN = "grafana-postgresql-datasource"
"""Grafana's name of its PostgreSQL data source."""


class SqlQuery(Builder["SqlQuery"], Dataquery):
    """One statement for a PostgreSQL data source, as its query editor writes it in code mode.

    Args:
        sql: with Grafana's macros.
        source: uid of the data source.
        over_time: whether columns are series over "time"; otherwise the answer is a table.
    """

    def __init__(self, sql: str, source: str, *, over_time: bool = False) -> None:
        self.sql = sql
        self.source = source
        self.over_time = over_time

    def build(self) -> "SqlQuery":
        """Return itself: there is nothing to assemble."""
        return self

    def to_json(self) -> dict[str, object]:
        """Return what Grafana keeps of it."""
        return {
            "refId": "A",
            "datasource": DataSourceRef(type_val=PLUGIN, uid=self.source),
            "editorMode": "code",
            "rawQuery": True,
            "rawSql": self.sql,
            "format": "time_series" if self.over_time else "table",
        }


class SqlMarks(AnnotationTarget, Builder[AnnotationTarget]):
    """A statement whose rows are annotations: ``time``, ``timeend``, ``text``, ``tags``."""

    def __init__(self, sql: str, source: str) -> None:
        super().__init__()
        self.query = SqlQuery(sql, source)

    def build(self) -> AnnotationTarget:
        """Return itself: there is nothing to assemble."""
        return self

    def to_json(self) -> dict[str, object]:
        """Return a query: what an annotation's target is of all data sources but Grafana's own."""
        return {**self.query.to_json(), "refId": "Marks"}
