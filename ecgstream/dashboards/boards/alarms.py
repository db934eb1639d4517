"""Alarm statistics: how many, of what, how soon answered; for those who set limits."""

from ecgstream.budget import AIM_FALSE_PERCENT, MOST_FALSE_PERCENT
from ecgstream.dashboards.chart import Board, Chart, Column, Shape
from ecgstream.dashboards.columns import (
    ALERTS,
    BUCKET,
    BY_PRIORITY,
    CONDITION,
    DEVICE,
    PATIENT,
    PRIORITY,
    SERIES,
)
from ecgstream.dashboards.terms import TECHNICAL
from ecgstream.dashboards.wording import Words

_TECHNICAL = ", ".join(f"'{name}'" for name in TECHNICAL)
_ANSWER_S = "extract(epoch FROM a.acknowledged - a.raised)::float8"

# A patient-day is a day that somebody wears a device.
_SUMMARY = f"""SELECT count(*) AS alerts, count(*) FILTER (WHERE a.priority = 'HIGH') AS high,
       count(*) FILTER (WHERE a.condition IN ({_TECHNICAL})) AS technical,
       count(*) FILTER (WHERE a.calls > 0 AND a.acknowledged IS NULL) AS unanswered,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY {_ANSWER_S}) AS median_s,
       count(*) FILTER (WHERE a.patient IS NOT NULL) / nullif((
           SELECT sum(extract(epoch FROM least(w.until, $__timeTo()) - greatest(w.since, $__timeFrom())))
               ::float8 / 86400
           FROM api.associations AS w
           WHERE w.patient IS NOT NULL AND w.superseded_at IS NULL
               AND (w.since IS NULL OR w.since < $__timeTo()) AND (w.until IS NULL OR w.until > $__timeFrom())
       ), 0) AS a_day
FROM api.alerts AS a WHERE $__timeFilter(a.onset)"""  # noqa: S608 - text of ours

_BY_TIME = f"""SELECT {BUCKET.format(time="a.onset")} AS time,
       {BY_PRIORITY}
FROM api.alerts AS a WHERE $__timeFilter(a.onset)
GROUP BY 1 ORDER BY 1"""  # noqa: S608 - text of ours

_BY_CONDITION = f"""SELECT a.condition, {BY_PRIORITY}
FROM api.alerts AS a WHERE $__timeFilter(a.onset)
GROUP BY a.condition ORDER BY count(*) DESC, a.condition LIMIT 25"""  # noqa: S608 - text of ours

_BY_HOUR = f"""SELECT to_char(a.onset AT TIME ZONE m.time_zone, 'HH24') AS hour, {BY_PRIORITY}
FROM api.alerts AS a
CROSS JOIN (SELECT f.time_zone FROM api.positions AS p JOIN api.facilities AS f ON f.code = p.facility
            ORDER BY f.path LIMIT 1) AS m
WHERE $__timeFilter(a.onset)
GROUP BY 1 ORDER BY 1"""  # noqa: S608 - text of ours

_ANSWERS = f"""SELECT a.priority, count(*) AS alerts, count(a.acknowledged) AS answered,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY {_ANSWER_S}) AS median_s,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY {_ANSWER_S}) AS ninetieth_s, max({_ANSWER_S}) AS longest_s
FROM api.alerts AS a WHERE $__timeFilter(a.onset)
GROUP BY a.priority ORDER BY array_position(ARRAY['HIGH', 'MEDIUM', 'LOW'], a.priority)"""  # noqa: S608

_BECAME = """SELECT count(*) FILTER (WHERE a.calls > 0) AS called,
       count(*) FILTER (WHERE a.joined <> '') AS joined,
       count(*) FILTER (WHERE a.inhibited_by <> '') AS inhibited,
       count(*) FILTER (WHERE a.grouped <> '') AS grouped
FROM api.alerts AS a WHERE $__timeFilter(a.onset)"""

_PATIENTS = f"""SELECT a.patient, count(*) AS alerts, {BY_PRIORITY}
FROM api.alerts AS a WHERE $__timeFilter(a.onset) AND a.patient IS NOT NULL
GROUP BY a.patient ORDER BY alerts DESC, a.patient LIMIT 20"""  # noqa: S608 - text of ours

_DEVICES = f"""SELECT a.device, count(*) AS alerts, {BY_PRIORITY}
FROM api.alerts AS a WHERE $__timeFilter(a.onset) AND a.condition IN ({_TECHNICAL})
GROUP BY a.device ORDER BY alerts DESC, a.device LIMIT 20"""  # noqa: S608 - text of ours

# Of an alert, the newest verdict holds. The share is of what called people and was judged true or false.
_JUDGED = """SELECT a.condition, count(*) FILTER (WHERE a.called) AS called,
       count(*) FILTER (WHERE a.verdict = 'true') AS was_true,
       count(*) FILTER (WHERE a.verdict = 'false') AS was_false,
       count(*) FILTER (WHERE a.verdict = 'unclear') AS unclear, count(*) - count(a.verdict) AS open,
       100.0 * count(*) FILTER (WHERE a.called AND a.verdict = 'false')
           / nullif(count(*) FILTER (WHERE a.called AND a.verdict <> 'unclear'), 0) AS false_percent
FROM (SELECT t.condition, t.calls > 0 AS called,
             (SELECT j.verdict FROM api.judgements AS j WHERE j.alert = t.id ORDER BY j.id DESC LIMIT 1)
                 AS verdict
      FROM api.alerts AS t WHERE $__timeFilter(t.onset)) AS a
GROUP BY a.condition ORDER BY called DESC, a.condition LIMIT 25"""

_BEGAN = Words("By the time at which each began.", "按报警开始时间统计。")
_ALL = {"alerts": ALERTS, **SERIES}

BOARD = Board(
    name="alarms",
    title=Words("Alarm statistics", "报警统计"),
    about=Words(
        "How many alerts there are, of what, when, and how soon they are answered.",
        "报警数量、类型、时段及响应速度。",
    ),
    back="7d",
    refresh="5m",
    charts=(
        Chart(
            shape=Shape.NUMBERS,
            title=Words("In this time", "所示时段"),
            about=Words(
                "A patient-day is a day that somebody wears a device. Unanswered: somebody was called, and "
                "nobody has acknowledged.",
                "患者日：有患者佩戴设备的一天。未响应：已呼叫但无人确认。",
            ),
            query=_SUMMARY,
            columns={
                "alerts": ALERTS,
                "high": SERIES["high"],
                "technical": Column(Words("Technical", "技术报警")),
                "unanswered": Column(Words("Unanswered", "未响应"), colour="orange"),
                "median_s": Column(Words("Acknowledged within (median)", "确认用时（中位数）"), unit="s"),
                "a_day": Column(Words("A patient-day", "每患者日")),
            },
            width=24,
            height=4,
        ),
        Chart(
            shape=Shape.COUNTS,
            title=Words("Alerts by priority", "各优先级报警"),
            about=_BEGAN,
            query=_BY_TIME,
            columns={**SERIES},
            width=24,
            bucket="1h",
        ),
        Chart(
            shape=Shape.BARS,
            title=Words("By condition", "按报警条件"),
            about=Words("The 25 most frequent.", "最常见的 25 种。"),
            query=_BY_CONDITION,
            columns={"condition": CONDITION, **SERIES},
            height=12,
        ),
        Chart(
            shape=Shape.BARS,
            title=Words("By hour of the day", "按一天中的小时"),
            about=Words("In the facility's time zone.", "按机构所在时区。"),
            query=_BY_HOUR,
            columns={"hour": Column(Words("Hour", "小时")), **SERIES},
            height=12,
        ),
        Chart(
            shape=Shape.TABLE,
            title=Words("How soon they are answered", "响应速度"),
            about=Words(
                "From the moment an alert is raised until somebody acknowledges it.",
                "自报警产生至有人确认。",
            ),
            query=_ANSWERS,
            columns={
                "priority": PRIORITY,
                "alerts": ALERTS,
                "answered": Column(Words("Acknowledged", "已确认")),
                "median_s": Column(Words("Median", "中位数"), unit="s"),
                "ninetieth_s": Column(Words("90 % within", "90 % 用时"), unit="s"),
                "longest_s": Column(Words("Longest", "最长"), unit="s"),
            },
            height=6,
        ),
        Chart(
            shape=Shape.NUMBERS,
            title=Words("What became of them", "报警去向"),
            about=Words(
                "Joined: repeats of another alert. Inhibited: another says more. Grouped: another calls for "
                "them, in a storm.",
                "合并：重复报警。抑制：已有更重要的报警。归组：报警风暴中由其他报警代为呼叫。",
            ),
            query=_BECAME,
            columns={
                "called": Column(Words("People were called", "已呼叫")),
                "joined": Column(Words("Joined", "合并")),
                "inhibited": Column(Words("Inhibited", "抑制")),
                "grouped": Column(Words("Grouped", "归组")),
            },
            height=6,
        ),
        Chart(
            shape=Shape.TABLE,
            title=Words("True or false", "属实与误报"),
            about=Words(
                f"As it was said in the monitor. At most {MOST_FALSE_PERCENT:g} % of what calls people may "
                f"be false; the aim is {AIM_FALSE_PERCENT:g} %.",
                "按监护页面上的判定。呼叫人员的报警中误报不得超过 "
                f"{MOST_FALSE_PERCENT:g} %；目标 {AIM_FALSE_PERCENT:g} %。",
            ),
            query=_JUDGED,
            columns={
                "condition": CONDITION,
                "called": Column(Words("People were called", "已呼叫")),
                "was_true": Column(Words("True", "属实")),
                "was_false": Column(Words("False", "误报")),
                "unclear": Column(Words("Unclear", "不明")),
                "open": Column(Words("Not judged", "未判定")),
                "false_percent": Column(
                    Words("False of judged calls", "已判定呼叫中的误报率"), unit="percent"
                ),
            },
            width=24,
            height=10,
        ),
        Chart(
            shape=Shape.TABLE,
            title=Words("Patients with most alerts", "报警最多的患者"),
            about=Words("Perhaps their limits want looking at.", "其报警限值或需调整。"),
            query=_PATIENTS,
            columns={"patient": PATIENT, **_ALL},
            height=10,
        ),
        Chart(
            shape=Shape.TABLE,
            title=Words("Devices with most technical alerts", "技术报警最多的设备"),
            about=Words("Perhaps their electrodes or links want looking at.", "其电极或连接或需检查。"),
            query=_DEVICES,
            columns={"device": DEVICE, **_ALL},
            height=10,
        ),
    ),
)
