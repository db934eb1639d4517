"""What the codes in the database mean to a reader: conditions, priorities, states, rhythms."""

from ecgstream.dashboards.wording import Words
from schemas.conditions import CATALOGUE, Code
from schemas.states import AlertState, Priority

_CHINESE = {
    Code.ASYSTOLE: "心脏停搏",
    Code.VENTRICULAR_FIBRILLATION: "室颤或室扑",
    Code.VENTRICULAR_TACHYCARDIA: "室性心动过速",
    Code.EXTREME_BRADYCARDIA: "极度心动过缓",
    Code.EXTREME_TACHYCARDIA: "极度心动过速",
    Code.HEART_RATE_LOW: "心率低于下限",
    Code.HEART_RATE_HIGH: "心率高于上限",
    Code.SPO2_LOW: "血氧饱和度低于下限",
    Code.RESPIRATION_RATE_LOW: "呼吸率低于下限",
    Code.RESPIRATION_RATE_HIGH: "呼吸率高于上限",
    Code.PULSE_RATE_LOW: "脉率低于下限",
    Code.PULSE_RATE_HIGH: "脉率高于上限",
    Code.NIBP_SYSTOLIC_LOW: "收缩压低于下限",
    Code.NIBP_SYSTOLIC_HIGH: "收缩压高于上限",
    Code.TEMPERATURE_LOW: "体温低于下限",
    Code.TEMPERATURE_HIGH: "体温高于上限",
    Code.SPO2_HIGH: "血氧饱和度高于上限",
    Code.ATRIAL_FIBRILLATION: "心房颤动",
    Code.VENTRICULAR_RUN: "连发室性早搏",
    Code.VENTRICULAR_COUPLET: "成对室性早搏",
    Code.VENTRICULAR_BIGEMINY: "室性早搏二联律",
    Code.VENTRICULAR_TRIGEMINY: "室性早搏三联律",
    Code.R_ON_T: "R on T 室性早搏",
    Code.VPC_RATE_HIGH: "每分钟室性早搏数高于上限",
    Code.SUPRAVENTRICULAR_TACHYCARDIA: "室上性心动过速",
    Code.PAUSE: "停搏",
    Code.MISSED_BEAT: "漏搏",
    Code.AV_BLOCK: "疑似房室传导阻滞",
    Code.PACER_NOT_CAPTURING: "起搏器未夺获",
    Code.PACER_NOT_PACING: "起搏器未起搏",
    Code.SUSTAINED_VENTRICULAR_TACHYCARDIA: "持续性室性心动过速：30 秒及以上",
    Code.LEAD_OFF: "心电导联脱落",
    Code.ALL_LEADS_OFF: "全部心电导联脱落：心脏未被监护",
    Code.ECG_NOISY: "心电无法分析",
    Code.SIGNAL_GAP: "采样缺失",
    Code.DEVICE_RESTARTED: "设备已重启",
    Code.LINK_LOST: "设备无数据",
    Code.ST_ELEVATION: "ST 段抬高",
    Code.ST_DEPRESSION: "ST 段压低",
    Code.DESATURATION: "血氧饱和度骤降",
    Code.APNOEA: "呼吸暂停",
    Code.NEWS2_URGENT: "NEWS2 要求紧急处置",
    Code.NEWS2_EMERGENCY: "NEWS2 要求急救处置",
    Code.PIPELINE_STALLED: "检测停滞",
    Code.PIPELINE_BEHIND: "检测落后于信号",
    Code.BROKER_AWAY: "无法连接 Kafka",
    Code.BROKER_DEGRADED: "Kafka 失去节点或副本",
    Code.DATABASE_AWAY: "无法连接数据库",
    Code.SINK_STALLED: "检测结果未被存储",
    Code.PAGER_STALLED: "无人被呼叫",
    Code.GATEWAY_BEHIND: "网关无法转发所收数据",
    Code.GATEWAY_SILENT: "网关无音讯",
    Code.DISK_NEARLY_FULL: "磁盘将满",
    Code.RECORDS_LOST: "记录在处理前已丢失",
    Code.ROSTER_HOLE: "将无人值班",
    Code.TEST_PAGE: "测试呼叫，无患者",
    Code.CONSULTATION: "会诊请求，不是报警",
    Code.GATEWAY_LOSES: "网关丢失了设备数据",
    Code.AUDIT_STALLED: "审计日志未签名",
}

CONDITIONS: dict[str, Words] = {
    code.name: Words(meaning.text, _CHINESE[code]) for code, meaning in CATALOGUE.items()
}
TECHNICAL = tuple(code.name for code, meaning in CATALOGUE.items() if meaning.technical)
"""Conditions that are about the equipment (IEC 60601-1-8)."""

PRIORITIES: dict[str, Words] = {
    Priority.HIGH: Words("High", "高"),
    Priority.MEDIUM: Words("Medium", "中"),
    Priority.LOW: Words("Low", "低"),
}
PRIORITY_COLOURS: dict[str, str] = {Priority.HIGH: "red", Priority.MEDIUM: "yellow", Priority.LOW: "blue"}
"""Of IEC 60601-1-8, where low is cyan or yellow: Grafana's palette has no cyan, and yellow is taken."""

STATES: dict[str, Words] = {
    AlertState.ACTIVE: Words("Active", "持续中"),
    AlertState.LATCHED: Words("Over, not acknowledged", "已结束，未确认"),
    AlertState.ENDED: Words("Ended", "已结束"),
    AlertState.ACKNOWLEDGED: Words("Acknowledged", "已确认"),
    AlertState.LATE: Words("Known late, not acknowledged", "事后得知，未确认"),
    AlertState.CHECK: Words("Other evidence against it", "与其他证据不符"),
    AlertState.SILENCED: Words("Silenced", "已静音"),
}

RHYTHMS: dict[str, Words] = {
    "?": Words("Not known", "未知"),
    "N": Words("Sinus rhythm", "窦性心律"),
    "SBR": Words("Bradycardia", "心动过缓"),
    "SVTA": Words("Supraventricular tachycardia", "室上性心动过速"),
    "AFIB": Words("Atrial fibrillation", "心房颤动"),
    "VT": Words("Ventricular tachycardia", "室性心动过速"),
    "VFL": Words("Ventricular flutter", "心室扑动"),
    "VF": Words("Ventricular fibrillation", "心室颤动"),
    "ASYS": Words("Asystole", "心脏停搏"),
    "P": Words("Paced", "起搏心律"),
    "NOISE": Words("Cannot be analysed", "无法分析"),
}
