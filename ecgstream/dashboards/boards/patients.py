"""Trends of one patient, whatever devices the patient wore."""

from ecgstream.dashboards.chart import Board, Chart, Choice, Column, Shape
from ecgstream.dashboards.columns import (
    ANSWERED_BY,
    BUCKET,
    CONDITION,
    DEVICE,
    ONSET,
    PRIORITY,
    RHYTHM,
    STATE,
)
from ecgstream.dashboards.wording import Words
from schemas import mdc

_WORN = """WITH worn AS (
    SELECT device, greatest(since, $__timeFrom()) AS since, least(until, $__timeTo()) AS until
    FROM api.associations
    WHERE patient = ${patient:sqlstring} AND superseded_at IS NULL
        AND (since IS NULL OR since < $__timeTo()) AND (until IS NULL OR until > $__timeFrom()))
"""
"""Which devices were the patient's, and when: a minute that is partly somebody else's is not shown."""

_CHOICE = """SELECT a.patient AS __value, concat_ws(' · ', a.patient, nullif(max(h.place), '')) AS __text
FROM api.associations AS a LEFT JOIN api.device_health AS h ON h.patient = a.patient
WHERE a.patient IS NOT NULL AND a.superseded_at IS NULL
    AND (a.since IS NULL OR a.since < $__timeTo()) AND (a.until IS NULL OR a.until > $__timeFrom())
GROUP BY a.patient ORDER BY a.patient"""


def _trend(numbers: dict[str, tuple[int, str]]) -> str:
    """Return the query of minute trends: column to code and what of it (``mean``, ``low`` or ``high``)."""
    found = {
        "mean": "sum(m.n * m.mean::float8) FILTER (WHERE {of})"
        " / nullif(sum(m.n::float8) FILTER (WHERE {of}), 0)",
        "low": "min(m.low) FILTER (WHERE {of})",
        "high": "max(m.high) FILTER (WHERE {of})",
    }
    columns = (
        f"{found[what].format(of=f'm.code = {code} AND m.{what} IS NOT NULL')} AS {name}"
        for name, (code, what) in numbers.items()
    )
    codes = ", ".join(str(code) for code in sorted({code for code, _ in numbers.values()}))
    return f"""{_WORN}SELECT t.* FROM worn CROSS JOIN LATERAL (
    SELECT {BUCKET.format(time="m.time")} AS time,
        {", ".join(columns)}
    FROM api.trends AS m
    WHERE m.device = worn.device AND m.code IN ({codes})
        AND m.time >= worn.since AND m.time <= worn.until - interval '1 min'
    GROUP BY 1) AS t
ORDER BY t.time"""  # noqa: S608 - numbers of ours


_HOURS = f"""SELECT t.* FROM api.associations AS worn CROSS JOIN LATERAL (
    SELECT h.time, avg(h.mean) AS mean, min(h.low) AS low, max(h.high) AS high FROM api.trends_hourly AS h
    WHERE h.device = worn.device AND h.code = {mdc.HEART_RATE} AND $__timeFilter(h.time)
        AND h.time >= coalesce(worn.since, '-infinity')
        AND h.time <= coalesce(worn.until, 'infinity') - interval '1 h'
    GROUP BY 1) AS t
WHERE worn.patient = ${{patient:sqlstring}} AND worn.superseded_at IS NULL
ORDER BY t.time"""  # noqa: S608 - numbers of ours

# What held when the range began, and each change after it.
_RHYTHM = f"""{_WORN}SELECT t.time, t.rhythm FROM worn CROSS JOIN LATERAL (
    (SELECT worn.since AS time, r.rhythm FROM api.rhythms AS r
     WHERE r.device = worn.device AND r.time < worn.since AND r.time >= worn.since - interval '1 day'
     ORDER BY r.time DESC LIMIT 1)
    UNION ALL
    SELECT r.time, r.rhythm FROM api.rhythms AS r
    WHERE r.device = worn.device AND r.time >= worn.since AND r.time < worn.until) AS t
ORDER BY t.time"""  # noqa: S608 - text of ours

_ALERTS = """SELECT a.onset, a.priority, a.condition, a.state, a.ended, a.acknowledged_by, a.device
FROM api.alerts AS a
WHERE a.patient = ${patient:sqlstring} AND $__timeFilter(a.onset)
ORDER BY a.onset DESC LIMIT 500"""

_MEAN = Column(Words("Mean", "平均"), colour="green")
_LOW = Column(Words("Lowest", "最低"), colour="super-light-green")
_HIGH = Column(Words("Highest", "最高"), colour="dark-green")
_MINUTES = Words(
    "Means of minutes, with the lowest and highest value in them. Only minutes that are wholly this "
    "patient's.",
    "每分钟的平均值及其最低、最高值。仅含完全属于该患者的分钟。",
)
_BREATHS = {
    "rate": Column(Words("Respiration rate", "呼吸率"), colour="purple"),
    "pulse": Column(Words("Pulse rate", "脉率"), colour="blue"),
}

_COLOURS = {
    "I": "green",
    "II": "blue",
    "III": "purple",
    "aVR": "dark-red",
    "aVL": "dark-green",
    "aVF": "dark-purple",
    "V1": "red",
    "V2": "orange",
    "V3": "yellow",
    "V4": "light-blue",
    "V5": "dark-blue",
    "V6": "dark-orange",
}
"""Of the ST level of each lead."""


def _column(lead: str) -> str:
    return f"st_{lead.lower()}"


def _of(code: int) -> dict[str, tuple[int, str]]:
    return {what: (code, what) for what in ("mean", "low", "high")}


def _minutes(
    title: Words,
    numbers: dict[str, tuple[int, str]],
    columns: dict[str, Column],
    *,
    unit: str,
    shape: Shape = Shape.LINES,
    about: Words = _MINUTES,
    width: int = 12,
) -> Chart:
    return Chart(
        shape=shape,
        title=title,
        about=about,
        query=_trend(numbers),
        columns=columns,
        unit=unit,
        bucket="1m",
        width=width,
    )


BOARD = Board(
    name="patients",
    title=Words("Patient trends", "患者趋势"),
    about=Words(
        "Vital signs, rhythm and alerts of one patient, across devices. It supplements bedside alarms.",
        "单个患者的生命体征、心律与报警，跨设备连续显示。仅为床旁报警的补充。",
    ),
    choices=(Choice("patient", Words("Patient", "患者"), _CHOICE),),
    marks="a.patient = ${patient:sqlstring}",
    charts=(
        _minutes(
            Words("Heart rate", "心率"),
            _of(mdc.HEART_RATE),
            {"mean": _MEAN, "low": _LOW, "high": _HIGH},
            unit="suffix:/min",
        ),
        _minutes(
            Words("SpO2", "血氧饱和度"),
            _of(mdc.SPO2),
            {"mean": _MEAN, "low": _LOW, "high": _HIGH},
            unit="percent",
        ),
        Chart(
            shape=Shape.TIMELINE,
            title=Words("Rhythm", "心律"),
            about=Words(
                "From each change until the next; of the last day where none lies in the time that is shown.",
                "自每次变化起至下一次变化；所示时段内无变化时，取前一天内的最后一次。",
            ),
            query=_RHYTHM,
            columns={"rhythm": RHYTHM},
            width=24,
            height=5,
        ),
        _minutes(
            Words("Respiration and pulse rate", "呼吸率与脉率"),
            {"rate": (mdc.RESP_RATE, "mean"), "pulse": (mdc.PULSE_RATE, "mean")},
            _BREATHS,
            unit="suffix:/min",
        ),
        _minutes(
            Words("Blood pressure, non-invasive", "无创血压"),
            {
                "systolic": (mdc.NIBP_SYS, "mean"),
                "mean": (mdc.NIBP_MEAN, "mean"),
                "diastolic": (mdc.NIBP_DIA, "mean"),
            },
            {
                "systolic": Column(Words("Systolic", "收缩压"), colour="red"),
                "mean": Column(Words("Mean", "平均压"), colour="orange"),
                "diastolic": Column(Words("Diastolic", "舒张压"), colour="blue"),
            },
            unit="suffix: mmHg",
        ),
        _minutes(
            Words("Temperature", "体温"),
            {"mean": (mdc.TEMPERATURE, "mean")},
            {"mean": Column(Words("Temperature", "体温"), colour="orange")},
            unit="celsius",
        ),
        _minutes(
            Words("National Early Warning Score 2", "NEWS2 早期预警评分"),
            {"score": (mdc.NEWS2, "high")},
            {"score": Column(Words("NEWS2", "NEWS2"), colour="red")},
            unit="",
            shape=Shape.STEPS,
            about=Words(
                "The highest of each minute; only of patients of whom it is kept, while all its inputs are "
                "fresh.",
                "每分钟的最高评分；仅适用于已启用评分的患者，且全部输入均为最新时。",
            ),
        ),
        _minutes(
            Words("Ventricular beats", "室性早搏"),
            {"rate": (mdc.VPC_RATE, "mean")},
            {"rate": Column(Words("A minute", "每分钟"), colour="red")},
            unit="suffix:/min",
        ),
        _minutes(
            Words("ECG that could be analysed", "可分析的心电比例"),
            {"share": (mdc.ECG_ANALYSED, "mean")},
            {"share": Column(Words("Of the minute", "占每分钟"), colour="green")},
            unit="percent",
            about=Words(
                "Where it is low, what is not shown was not seen: leads off, noise, gaps.",
                "数值低时，未显示不代表未发生：可能存在导联脱落、噪声或数据缺失。",
            ),
        ),
        _minutes(
            Words("ST level by lead", "各导联 ST 段水平"),
            {_column(lead): (mdc.ST_LEADS[lead], "mean") for lead in _COLOURS},
            {
                _column(lead): Column(Words(f"Lead {lead}", f"{lead} 导联"), colour=colour)
                for lead, colour in _COLOURS.items()
            },
            unit="suffix: mV",
            about=Words(
                "80 ms behind the J point (60 ms above 120 a minute), from the PR segment. Only of leads "
                "whose high-pass filter is stated and at most 0.05 Hz; of others there is no line.",
                "J 点后 80 ms（心率高于 120 次/分时为 60 ms）相对 PR 段的水平。"
                "仅限已说明高通滤波且不高于 0.05 Hz 的导联；其他导联无曲线。",
            ),
            width=24,
        ),
        Chart(
            shape=Shape.LINES,
            title=Words("Heart rate by hours", "每小时心率"),
            about=Words(
                "Thirty days, kept when minutes are not. Only hours that are wholly this patient's.",
                "三十天；分钟数据清除后仍保留。仅含完全属于该患者的小时。",
            ),
            query=_HOURS,
            columns={"mean": _MEAN, "low": _LOW, "high": _HIGH},
            unit="suffix:/min",
            width=24,
            back="30d",
        ),
        Chart(
            shape=Shape.TABLE,
            title=Words("Alerts", "报警"),
            about=Words("The newest 500 of the time that is shown.", "所示时段内最新的 500 条。"),
            query=_ALERTS,
            columns={
                "onset": ONSET,
                "priority": PRIORITY,
                "condition": CONDITION,
                "state": STATE,
                "ended": Column(Words("Until", "结束时间")),
                "acknowledged_by": ANSWERED_BY,
                "device": DEVICE,
            },
            width=24,
        ),
    ),
)
