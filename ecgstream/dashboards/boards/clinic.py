"""A clinic at a glance: who is monitored now, and what is open."""

from ecgstream.dashboards.chart import Board, Chart, Shape
from ecgstream.dashboards.columns import (
    ANSWERED_BY,
    BATTERY,
    BUCKET,
    BY_PRIORITY,
    CONDITION,
    CONNECTED,
    DEVICE,
    DEVICES,
    FACILITY,
    HEARD,
    LAST_SEEN,
    ONSET,
    OPEN,
    OPEN_HIGH,
    PATIENT,
    PATIENTS,
    PLACE,
    PRIORITY,
    RHYTHM,
    SERIES,
    STATE,
)
from ecgstream.dashboards.wording import Words

_SUMMARY = f"""SELECT count(DISTINCT patient) AS patients, count(*) FILTER (WHERE NOT disabled) AS devices,
       count(*) FILTER (WHERE NOT disabled AND {CONNECTED}) AS connected,
       coalesce(sum(open_alerts), 0)::bigint AS open_alerts, coalesce(sum(open_high), 0)::bigint AS open_high
FROM api.device_health"""  # noqa: S608 - text of ours

_MONITORED = """SELECT place, patient, device, rhythm, open_high, open_alerts, last_seen, battery_percent
FROM api.device_health
WHERE patient IS NOT NULL
ORDER BY open_high DESC, open_alerts DESC, place, device LIMIT 1000"""

_OPEN = """SELECT a.onset, a.priority, a.condition, a.patient, h.place, a.device, h.facility, a.state,
       a.acknowledged_by
FROM api.alerts AS a LEFT JOIN api.device_health AS h ON h.device = a.device
WHERE a.state <> 'ENDED'
ORDER BY array_position(ARRAY['HIGH', 'MEDIUM', 'LOW'], a.priority), a.onset LIMIT 500"""

_BY_TIME = f"""SELECT {BUCKET.format(time="a.onset")} AS time,
       {BY_PRIORITY}
FROM api.alerts AS a WHERE $__timeFilter(a.onset)
GROUP BY 1 ORDER BY 1"""  # noqa: S608 - text of ours

_COUNTED = Words("By the time at which each began.", "按报警开始时间统计。")

BOARD = Board(
    name="clinic",
    title=Words("Clinic", "科室总览"),
    about=Words(
        "Who is monitored at the facility and below it, and which alerts are open. It supplements bedside "
        "alarms.",
        "本机构及其下级机构的在监护患者与未结束报警。仅为床旁报警的补充。",
    ),
    marks="true",
    refresh="30s",
    charts=(
        Chart(
            shape=Shape.NUMBERS,
            title=Words("Now", "当前"),
            about=Words(
                "Connected: heard within the last minute. Disabled devices are not counted.",
                "在线：最近一分钟内有数据。停用设备不计入。",
            ),
            query=_SUMMARY,
            columns={
                "patients": PATIENTS,
                "devices": DEVICES,
                "connected": HEARD,
                "open_alerts": OPEN,
                "open_high": OPEN_HIGH,
            },
            width=24,
            height=4,
        ),
        Chart(
            shape=Shape.TABLE,
            title=Words("Open alerts", "未结束报警"),
            about=Words("The worst first.", "最严重者在前。"),
            query=_OPEN,
            columns={
                "onset": ONSET,
                "priority": PRIORITY,
                "condition": CONDITION,
                "patient": PATIENT,
                "place": PLACE,
                "device": DEVICE,
                "facility": FACILITY,
                "state": STATE,
                "acknowledged_by": ANSWERED_BY,
            },
            width=24,
        ),
        Chart(
            shape=Shape.TABLE,
            title=Words("Patients who are monitored", "在监护患者"),
            about=Words(
                "Those with open alerts first. Rhythm: as it was last told.",
                "有未结束报警者在前。心律：最近一次上报。",
            ),
            query=_MONITORED,
            columns={
                "place": PLACE,
                "patient": PATIENT,
                "device": DEVICE,
                "rhythm": RHYTHM,
                "open_high": OPEN_HIGH,
                "open_alerts": OPEN,
                "last_seen": LAST_SEEN,
                "battery_percent": BATTERY,
            },
            width=24,
            height=12,
        ),
        Chart(
            shape=Shape.COUNTS,
            title=Words("Alerts by priority", "各优先级报警"),
            about=_COUNTED,
            query=_BY_TIME,
            columns={**SERIES},
            width=24,
            bucket="10m",
        ),
    ),
)
