"""Panels of the SDK from charts: one way to draw each shape."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from grafana_foundation_sdk.builders import (
    barchart,
    common,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as models

from ecgstream.dashboards.chart import Chart, Column, Shape
from ecgstream.dashboards.sql import PLUGIN, SqlQuery
from ecgstream.dashboards.wording import Language

_Panel: TypeAlias = timeseries.Panel | stat.Panel | table.Panel | barchart.Panel | statetimeline.Panel
_PLAIN = [models.Threshold(None, "green")]


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws charts in a language.

    Attributes:
        language: of titles and columns.
        source: what the queries go to.
        uid: name of a board to the uid that links lead to.
    """

    language: Language
    source: models.DataSourceRef
    uid: Callable[[str], str]

    def panel(self, chart: Chart, number: int) -> _Panel:
        """Return the panel of a chart; ``number`` is its id in the dashboard."""
        panel = _SHAPES[chart.shape](chart)
        panel = (
            panel.id(number)
            .title(chart.title.say(self.language))
            .description(chart.about.say(self.language))
            .datasource(self.source)
            .span(chart.width)
            .height(chart.height)
            .with_target(self._target(chart))
            .thresholds(_limits(chart))
        )
        if chart.unit:
            panel = panel.unit(chart.unit)
        if chart.bucket:
            panel = panel.interval(chart.bucket)
        if chart.back:
            panel = panel.time_from(chart.back)
        for name, column in chart.columns.items():
            panel = panel.override_by_name(name, list(self._shown(chart, column)))
        return panel

    def _target(self, chart: Chart) -> SqlQuery | prometheus.Dataquery:
        if self.source.type_val == PLUGIN:
            over_time = chart.shape in (Shape.LINES, Shape.STEPS, Shape.COUNTS)
            return SqlQuery(chart.query, str(self.source.uid), over_time=over_time)
        query = prometheus.Dataquery().expr(chart.query).legend_format(chart.legend).ref_id("A")
        return query.instant() if chart.shape is Shape.NUMBERS else query.range()

    def _shown(self, chart: Chart, column: Column) -> Iterator[models.DynamicConfigValue]:
        yield models.DynamicConfigValue("displayName", column.words.say(self.language))
        if column.unit:
            yield models.DynamicConfigValue("unit", column.unit)
        if column.says:
            yield models.DynamicConfigValue("mappings", [self._meanings(column)])
        if column.opens:
            yield models.DynamicConfigValue("links", [self._link(column)])
        if isinstance(column.colour, str):
            if column.colour and chart.shape is not Shape.TABLE:
                fixed = models.FieldColor(models.FieldColorModeId.FIXED, column.colour)
                yield models.DynamicConfigValue("color", fixed)
        elif chart.shape is Shape.TABLE:
            yield models.DynamicConfigValue("custom.cellOptions", {"type": "color-text"})

    def _meanings(self, column: Column) -> models.ValueMap:
        colours = {} if isinstance(column.colour, str) else column.colour
        return models.ValueMap(
            {
                code: models.ValueMappingResult(
                    text=words.say(self.language), color=colours.get(code), index=i
                )
                for i, (code, words) in enumerate(column.says.items())
            }
        )

    def _link(self, column: Column) -> dict[str, object]:
        """A link of a value to a board; the value goes into the address percent-encoded."""
        to = f"/d/{self.uid(column.opens)}?var-{column.choice}=${{__value.raw:percentencode}}"
        return {"title": column.words.say(self.language), "url": f"{to}&${{__url_time_range}}"}


def _limits(chart: Chart) -> builders.ThresholdsConfig:
    steps = [models.Threshold(value, colour) for value, colour in chart.limits] or _PLAIN
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _legend() -> common.VizLegendOptions:
    below = common.VizLegendOptions().show_legend(True)  # noqa: FBT003 - the SDK's
    return below.placement(look.LegendPlacement.BOTTOM).display_mode(look.LegendDisplayMode.LIST)


def _lines(_chart: Chart) -> timeseries.Panel:
    # Where nothing was measured there is no line: a gap of more than three minutes is drawn as one.
    panel = timeseries.Panel().draw_style(look.GraphDrawStyle.LINE).line_width(1).fill_opacity(0)
    return panel.show_points(look.VisibilityMode.AUTO).insert_nulls(180_000).legend(_legend())


def _steps(chart: Chart) -> timeseries.Panel:
    return _lines(chart).line_interpolation(look.LineInterpolation.STEP_AFTER)


def _counts(_chart: Chart) -> timeseries.Panel:
    stacked = common.StackingConfig().mode(look.StackingMode.NORMAL).group("A")
    panel = timeseries.Panel().draw_style(look.GraphDrawStyle.BARS).fill_opacity(80).stacking(stacked)
    return panel.decimals(0).min(0).legend(_legend())


def _timeline(_chart: Chart) -> statetimeline.Panel:
    return statetimeline.Panel().merge_values(True).show_value(look.VisibilityMode.AUTO)  # noqa: FBT003


def _bars(chart: Chart) -> barchart.Panel:
    panel = barchart.Panel().x_field(next(iter(chart.columns))).stacking(look.StackingMode.NORMAL)
    return panel.orientation(look.VizOrientation.HORIZONTAL).legend(_legend())


def _numbers(_chart: Chart) -> stat.Panel:
    newest = common.ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().reduce_options(newest).graph_mode(look.BigValueGraphMode.NONE)


def _table(_chart: Chart) -> table.Panel:
    return table.Panel().cell_height(look.TableCellHeight.SM)


_SHAPES: dict[Shape, Callable[[Chart], _Panel]] = {
    Shape.LINES: _lines,
    Shape.STEPS: _steps,
    Shape.COUNTS: _counts,
    Shape.TIMELINE: _timeline,
    Shape.BARS: _bars,
    Shape.NUMBERS: _numbers,
    Shape.TABLE: _table,
}
