"""Columns and pieces of SQL that several boards have."""

from ecgstream.dashboards.chart import Column
from ecgstream.dashboards.terms import CONDITIONS, PRIORITIES, PRIORITY_COLOURS, RHYTHMS, STATES
from ecgstream.dashboards.wording import Words

BUCKET = "date_bin($__interval_ms * interval '1 ms', {time}, '2000-01-01 00:00:00+00')"
"""The part of the time axis that a point stands for, in every edition of the database."""

BY_PRIORITY = """count(*) FILTER (WHERE a.priority = 'HIGH') AS high,
       count(*) FILTER (WHERE a.priority = 'MEDIUM') AS medium,
       count(*) FILTER (WHERE a.priority = 'LOW') AS low"""

CONNECTED = "last_seen > now() - interval '1 min'"
"""Of a device: a gateway has heard it. A packet comes about every second; a lost link is found after 10 s."""

NAME = "concat_ws(' · ', nullif(f.name_en, ''), nullif(f.name_zh, ''))"

MINE = """EXISTS (SELECT FROM api.positions AS p JOIN api.facilities AS m ON m.code = p.facility
              WHERE f.path <@ m.path)"""
"""Of a facility ``f``: it is the reader's, or below it; ``api.facilities`` also shows what lies above."""

ONSET = Column(Words("Since", "开始时间"))
PATIENT = Column(Words("Patient", "患者"), opens="patients", choice="patient")
PLACE = Column(Words("Place", "位置"))
DEVICE = Column(Words("Device", "设备"), opens="devices", choice="device")
FACILITY = Column(Words("Facility", "机构"))
NAMED = Column(Words("Name", "名称"))
GATEWAY = Column(Words("Gateway", "网关"))
LAST_SEEN = Column(Words("Last seen", "最后在线"))
BATTERY = Column(Words("Battery", "电量"), unit="percent")
PRIORITY = Column(Words("Priority", "优先级"), says=PRIORITIES, colour=PRIORITY_COLOURS)
CONDITION = Column(Words("Condition", "报警条件"), says=CONDITIONS)
STATE = Column(Words("State", "状态"), says=STATES)
RHYTHM = Column(Words("Rhythm", "心律"), says=RHYTHMS)
ANSWERED_BY = Column(Words("Acknowledged by", "确认人"))

ALERTS = Column(Words("Alerts", "报警"))
OPEN = Column(Words("Open alerts", "未结束报警"))
OPEN_HIGH = Column(Words("Of high priority", "其中高优先级"), colour="red")
DEVICES = Column(Words("Devices", "设备数"))
HEARD = Column(Words("Connected", "在线"))
PATIENTS = Column(Words("Patients", "患者数"))
SERIES = {
    priority.lower(): Column(PRIORITIES[priority], colour=PRIORITY_COLOURS[priority])
    for priority in PRIORITIES
}
