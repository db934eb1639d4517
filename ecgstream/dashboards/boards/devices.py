"""The health of devices: links, batteries, clocks, electrodes."""

from ecgstream.dashboards.chart import Board, Chart, Choice, Column, Shape
from ecgstream.dashboards.columns import (
    BATTERY,
    BUCKET,
    CONNECTED,
    DEVICE,
    DEVICES,
    FACILITY,
    GATEWAY,
    HEARD,
    LAST_SEEN,
    PATIENT,
    PLACE,
    RHYTHM,
)
from ecgstream.dashboards.terms import CONDITIONS, TECHNICAL
from ecgstream.dashboards.wording import Words
from schemas import mdc
from schemas.conditions import Code

_LOW_PERCENT = 20
_SKEW_MS = 2_000

_TECHNICAL = ", ".join(f"'{name}'" for name in TECHNICAL)
_FAULTS = {
    "link": (Code.LINK_LOST.name, "red"),
    "all_leads": (Code.ALL_LEADS_OFF.name, "dark-orange"),
    "lead": (Code.LEAD_OFF.name, "orange"),
    "noise": (Code.ECG_NOISY.name, "yellow"),
    "gap": (Code.SIGNAL_GAP.name, "blue"),
    "restart": (Code.DEVICE_RESTARTED.name, "purple"),
}

_CHOICE = """SELECT device AS __value, concat_ws(' · ', device, nullif(place, '')) AS __text
FROM api.device_health ORDER BY device"""

_SUMMARY = f"""SELECT count(*) FILTER (WHERE NOT disabled) AS devices,
       count(*) FILTER (WHERE NOT disabled AND {CONNECTED}) AS connected,
       count(*) FILTER (WHERE NOT disabled AND patient IS NOT NULL AND ({CONNECTED}) IS NOT TRUE)
           AS worn_away,
       count(*) FILTER (WHERE NOT disabled AND battery_percent < {_LOW_PERCENT}) AS battery,
       count(*) FILTER (WHERE NOT disabled AND abs(skew_ms) > {_SKEW_MS}) AS clock
FROM api.device_health"""  # noqa: S608 - text of ours

_DEVICES = """SELECT h.device, h.facility, d.kind, h.place, h.patient, h.gateway, h.last_seen,
       h.battery_percent, h.skew_ms, nullif(h.corrected_ms, 0) AS corrected_ms, h.rhythm,
       CASE WHEN h.disabled THEN 'yes' END AS disabled
FROM api.device_health AS h LEFT JOIN api.devices AS d ON d.device = h.device
ORDER BY h.disabled NULLS FIRST, h.last_seen NULLS FIRST, h.device LIMIT 2000"""

_FAULT_COUNTS = ",\n       ".join(
    f"count(*) FILTER (WHERE c.code = '{code}') AS {name}" for name, (code, _) in _FAULTS.items()
)
_BY_TIME = f"""SELECT {BUCKET.format(time="c.onset")} AS time,
       {_FAULT_COUNTS}
FROM api.conditions AS c WHERE $__timeFilter(c.onset) AND c.code IN ({_TECHNICAL})
GROUP BY 1 ORDER BY 1"""  # noqa: S608 - text of ours

_LOST = f"""SELECT c.device, sum(extract(epoch FROM
           least(coalesce(c.ended, $__timeTo()), $__timeTo()) - c.onset))::float8 AS seconds
FROM api.conditions AS c
WHERE $__timeFilter(c.onset) AND c.code = '{Code.LINK_LOST.name}'
GROUP BY c.device ORDER BY seconds DESC, c.device LIMIT 20"""  # noqa: S608 - text of ours

_LATELY = f"""SELECT {BUCKET.format(time="m.time")} AS time,
       sum(m.n * m.mean::float8) / nullif(sum(m.n::float8) FILTER (WHERE m.mean IS NOT NULL), 0) AS analysed
FROM api.trends AS m
WHERE m.device = ${{device:sqlstring}} AND m.code = {mdc.ECG_ANALYSED} AND $__timeFilter(m.time)
GROUP BY 1 ORDER BY 1"""  # noqa: S608 - text of ours

BOARD = Board(
    name="devices",
    title=Words("Device health", "设备健康"),
    about=Words(
        "Links, batteries, clocks and electrodes of the devices at the facility and below it.",
        "本机构及其下级机构设备的连接、电量、时钟与电极状态。",
    ),
    choices=(Choice("device", Words("Device", "设备"), _CHOICE),),
    marks=f"a.device = ${{device:sqlstring}} AND a.condition IN ({_TECHNICAL})",
    charts=(
        Chart(
            shape=Shape.NUMBERS,
            title=Words("Now", "当前"),
            about=Words(
                f"Battery low: below {_LOW_PERCENT} %. Clock wrong: more than {_SKEW_MS / 1000:g} s off.",
                f"电量低：低于 {_LOW_PERCENT} %。时钟偏差：超过 {_SKEW_MS / 1000:g} 秒。",
            ),
            query=_SUMMARY,
            columns={
                "devices": DEVICES,
                "connected": HEARD,
                "worn_away": Column(Words("Worn, not connected", "佩戴中但离线"), colour="red"),
                "battery": Column(Words("Battery low", "电量低"), colour="orange"),
                "clock": Column(Words("Clock wrong", "时钟偏差"), colour="orange"),
            },
            width=24,
            height=4,
        ),
        Chart(
            shape=Shape.TABLE,
            title=Words("Devices", "设备"),
            about=Words("Those that were silent for longest first.", "静默最久者在前。"),
            query=_DEVICES,
            columns={
                "device": DEVICE,
                "facility": FACILITY,
                "kind": Column(Words("Kind", "类型")),
                "place": PLACE,
                "patient": PATIENT,
                "gateway": GATEWAY,
                "last_seen": LAST_SEEN,
                "battery_percent": BATTERY,
                "skew_ms": Column(Words("Clock ahead by", "时钟超前"), unit="ms"),
                "corrected_ms": Column(Words("Times corrected by", "时间已校正"), unit="ms"),
                "rhythm": RHYTHM,
                "disabled": Column(Words("Disabled", "已停用"), says={"yes": Words("yes", "是")}),
            },
            width=24,
            height=12,
        ),
        Chart(
            shape=Shape.COUNTS,
            title=Words("Technical conditions", "技术报警条件"),
            about=Words("Of all devices, by the time at which each began.", "全部设备，按开始时间统计。"),
            query=_BY_TIME,
            columns={
                name: Column(CONDITIONS[code], colour=colour) for name, (code, colour) in _FAULTS.items()
            },
            width=24,
            bucket="10m",
        ),
        Chart(
            shape=Shape.BARS,
            title=Words("Time without a link", "断连时长"),
            about=Words(
                "The 20 devices with most of it, of losses that began in the time that is shown.",
                "断连最久的 20 台设备，仅计所示时段内开始的断连。",
            ),
            query=_LOST,
            columns={"device": DEVICE, "seconds": Column(Words("Lost", "断连"), unit="s", colour="red")},
        ),
        Chart(
            shape=Shape.LINES,
            title=Words("ECG that could be analysed", "可分析的心电比例"),
            about=Words("Of the chosen device, of each minute.", "所选设备，占每分钟的比例。"),
            query=_LATELY,
            columns={"analysed": Column(Words("Of the minute", "占每分钟"), unit="percent", colour="green")},
            bucket="1m",
        ),
    ),
)
