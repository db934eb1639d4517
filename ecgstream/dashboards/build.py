"""Grafana's JSON of a board, made from the types of its SDK."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from ecgstream.dashboards import panels
from ecgstream.dashboards.chart import Board, Choice, Source
from ecgstream.dashboards.sql import PLUGIN, SqlMarks
from ecgstream.dashboards.terms import CONDITIONS, PRIORITIES, PRIORITY_COLOURS
from ecgstream.dashboards.wording import Language, Words

TAG = "ecgstream"
"""Every dashboard has it; what has not is none of ours."""

SCHEMA_VERSION = 41
"""Of Grafana 11.6; later ones read it. Pinned: with another SDK, look at the dashboards before it changes."""

_ALERTS = Words("Alerts", "报警")


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a board is shown, and to whom.

    Attributes:
        language: of all that it says.
        source: uid of the data source that it reads.
        uid: name of a board of the same place and language to its uid.
        of: whose it is: a facility's code, or empty.
        time_zone: IANA's name; empty: the reader's browser's.
    """

    language: Language
    source: str
    uid: Callable[[str], str]
    of: str = ""
    time_zone: str = ""


def model(board: Board, at: Setting) -> dict[str, Any]:
    """Return a dashboard as Grafana's HTTP API takes it, without id and version."""
    kin = [TAG, str(at.language), *filter(None, [at.of])]
    made = (
        builders.Dashboard(" · ".join(filter(None, (board.title.say(at.language), at.of))))
        .uid(at.uid(board.name))
        .description(board.about.say(at.language))
        .tags(kin)
        .timezone(at.time_zone or "browser")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time(f"now-{board.back}", "now")
        .refresh(board.refresh)
        .link(
            builders.DashboardLink(TAG)
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(kin)
            .as_dropdown(True)  # noqa: FBT003 - the SDK's
            .keep_time(True)  # noqa: FBT003
        )
    )
    for choice in board.choices:
        made = made.with_variable(_variable(choice, at))
    for priority in PRIORITIES if board.marks else ():
        made = made.annotation(_marks(board.marks, priority, at))
    drawn = panels.Pen(at.language, _reference(board.source, at.source), at.uid)
    for number, chart in enumerate(board.charts, 1):
        made = made.with_panel(drawn.panel(chart, number))
    built = made.build()
    built.schema_version = SCHEMA_VERSION
    plain: dict[str, Any] = json.loads(json.dumps(built, cls=JSONEncoder))
    return plain


def _reference(source: Source, uid: str) -> models.DataSourceRef:
    plugin = PLUGIN if source is Source.DATABASE else "prometheus"
    return models.DataSourceRef(type_val=plugin, uid=uid)


def _variable(choice: Choice, at: Setting) -> builders.QueryVariable:
    return (
        builders.QueryVariable(choice.name)
        .label(choice.words.say(at.language))
        .query(choice.query)
        .datasource(_reference(Source.DATABASE, at.source))
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .allow_custom_value(False)  # noqa: FBT003 - the SDK's
    )


def _marks(where: str, priority: str, at: Setting) -> builders.AnnotationQuery:
    return (
        builders.AnnotationQuery()
        .name(f"{_ALERTS.say(at.language)}: {PRIORITIES[priority].say(at.language)}")
        .datasource(_reference(Source.DATABASE, at.source))
        .enable(priority == "HIGH")
        .icon_color(PRIORITY_COLOURS[priority])
        .target(SqlMarks(marks_sql(where, priority, at.language), at.source))
    )


def marks_sql(where: str, priority: str, language: Language) -> str:
    """Return the statement for alerts as annotations, each from its onset until it ended or the time shown.

    Grafana draws an annotation's text as HTML, so it holds nothing that comes from outside: names of
    conditions, all of them ours.
    """
    names = "\n".join(
        f"           WHEN '{code}' THEN '{words.say(language)}'" for code, words in CONDITIONS.items()
    )
    return f"""SELECT a.onset AS time, coalesce(a.ended, $__timeTo()) AS timeend,
       CASE a.condition
{names}
           ELSE '?' END AS text, a.priority AS tags
FROM api.alerts AS a
WHERE $__timeFilter(a.onset) AND a.priority = '{priority}' AND {where}
ORDER BY a.onset LIMIT 1000"""  # noqa: S608 - text of ours
