"""A region: its facilities beside each other."""

from ecgstream.dashboards.chart import Board, Chart, Choice, Column, Shape
from ecgstream.dashboards.columns import (
    ALERTS,
    BUCKET,
    BY_PRIORITY,
    CONNECTED,
    DEVICES,
    FACILITY,
    HEARD,
    MINE,
    NAME,
    NAMED,
    OPEN_HIGH,
    PATIENTS,
    SERIES,
)
from ecgstream.dashboards.wording import Words

_CHOICE = f"""SELECT f.code AS __value, {NAME} || ' (' || f.code || ')' AS __text
FROM api.facilities AS f WHERE {MINE} ORDER BY f.path"""  # noqa: S608 - text of ours

_CHOSEN = f"""chosen AS (
    SELECT f.code, f.path, {NAME} AS name FROM api.facilities AS f
    WHERE f.path <@ (SELECT path FROM api.facilities WHERE code = ${{facility:sqlstring}}) AND {MINE})"""  # noqa: S608

_HEALTH = f"""health AS (
    SELECT facility, count(*) FILTER (WHERE NOT disabled) AS devices,
        count(*) FILTER (WHERE NOT disabled AND {CONNECTED}) AS connected,
        count(DISTINCT patient) AS patients, sum(open_high)::bigint AS open_high
    FROM api.device_health GROUP BY facility)"""  # noqa: S608 - text of ours

# An alert counts where its device stands now.
_ALERTED = f"""alerted AS (
    SELECT d.facility, count(*) AS alerts, {BY_PRIORITY},
        percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM a.acknowledged - a.raised)) AS median_s
    FROM api.alerts AS a JOIN api.devices AS d ON d.device = a.device
    WHERE $__timeFilter(a.onset) GROUP BY d.facility)"""  # noqa: S608 - text of ours

_SUMMARY = f"""WITH {_CHOSEN}, {_HEALTH}
SELECT count(*) AS facilities, coalesce(sum(h.devices), 0)::bigint AS devices,
       coalesce(sum(h.connected), 0)::bigint AS connected, coalesce(sum(h.patients), 0)::bigint AS patients,
       coalesce(sum(h.open_high), 0)::bigint AS open_high
FROM chosen AS c LEFT JOIN health AS h ON h.facility = c.code"""  # noqa: S608 - text of ours

_FACILITIES = f"""WITH {_CHOSEN}, {_HEALTH}, {_ALERTED}
SELECT c.code, c.name, h.devices, h.connected, h.patients, h.open_high, a.alerts, a.high, a.median_s
FROM chosen AS c LEFT JOIN health AS h ON h.facility = c.code LEFT JOIN alerted AS a ON a.facility = c.code
ORDER BY c.path LIMIT 2000"""  # noqa: S608 - text of ours

_MOST = f"""WITH {_CHOSEN}, {_ALERTED}
SELECT c.name, a.high, a.medium, a.low
FROM chosen AS c JOIN alerted AS a ON a.facility = c.code
ORDER BY a.alerts DESC, c.code LIMIT 20"""  # noqa: S608 - text of ours

_AWAY = f"""WITH {_CHOSEN}, {_HEALTH}
SELECT c.name, h.devices - h.connected AS away
FROM chosen AS c JOIN health AS h ON h.facility = c.code
ORDER BY away DESC, c.code LIMIT 20"""  # noqa: S608 - text of ours

_BY_TIME = f"""WITH {_CHOSEN}
SELECT {BUCKET.format(time="a.onset")} AS time,
       {BY_PRIORITY}
FROM api.alerts AS a JOIN api.devices AS d ON d.device = a.device JOIN chosen AS c ON c.code = d.facility
WHERE $__timeFilter(a.onset)
GROUP BY 1 ORDER BY 1"""  # noqa: S608 - text of ours

_HERE = Words(
    "An alert counts at the facility where its device stands now.",
    "报警计入其设备当前所在机构。",
)

BOARD = Board(
    name="region",
    title=Words("Region", "区域总览"),
    about=Words(
        "The facilities of a region beside each other: devices, patients, alerts, and how soon they are "
        "answered.",
        "区域内各机构对比：设备、患者、报警及其响应速度。",
    ),
    choices=(Choice("facility", Words("Facility", "机构"), _CHOICE),),
    back="7d",
    refresh="5m",
    charts=(
        Chart(
            shape=Shape.NUMBERS,
            title=Words("Now", "当前"),
            about=Words(
                "Of the chosen facility and all below it. Connected: heard within the last minute.",
                "所选机构及其全部下级机构。在线：最近一分钟内有数据。",
            ),
            query=_SUMMARY,
            columns={
                "facilities": Column(Words("Facilities", "机构数")),
                "devices": DEVICES,
                "connected": HEARD,
                "patients": PATIENTS,
                "open_high": OPEN_HIGH,
            },
            width=24,
            height=4,
        ),
        Chart(
            shape=Shape.TABLE,
            title=Words("Facilities", "机构"),
            about=_HERE,
            query=_FACILITIES,
            columns={
                "code": FACILITY,
                "name": NAMED,
                "devices": DEVICES,
                "connected": HEARD,
                "patients": PATIENTS,
                "open_high": OPEN_HIGH,
                "alerts": ALERTS,
                "high": SERIES["high"],
                "median_s": Column(Words("Acknowledged within (median)", "确认用时（中位数）"), unit="s"),
            },
            width=24,
            height=12,
        ),
        Chart(
            shape=Shape.BARS,
            title=Words("Most alerts", "报警最多的机构"),
            about=_HERE,
            query=_MOST,
            columns={"name": NAMED, **SERIES},
        ),
        Chart(
            shape=Shape.BARS,
            title=Words("Devices that are not connected", "离线设备最多的机构"),
            about=Words("Enabled devices that were not heard for a minute.", "一分钟内无数据的启用设备。"),
            query=_AWAY,
            columns={"name": NAMED, "away": Column(Words("Not connected", "离线"), colour="orange")},
        ),
        Chart(
            shape=Shape.COUNTS,
            title=Words("Alerts by priority", "各优先级报警"),
            about=_HERE,
            query=_BY_TIME,
            columns={**SERIES},
            width=24,
            bucket="1h",
        ),
    ),
)
