"""The words of a printed report, in English and Chinese; English is the key."""

from typing import Literal

Language = Literal["en", "zh"]

_ZH = {
    "Report of ambulatory ECG": "动态心电图报告",
    "PRELIMINARY": "初步报告",
    "Made by software; not a certified medical device; no physician has read it.": (
        "由软件生成；非经认证的医疗器械；尚未经医师审阅。"
    ),
    "Patient": "患者",
    "not reported by patient": "未按患者报告",
    "Device": "设备",
    "Facility": "机构",
    "Stretch": "时段",
    "Software": "软件",
    "detectors": "检测器",
    "Summary": "摘要",
    "Analysable": "可分析",
    "of": "占",
    "Beats": "心搏",
    "Heart rate": "心率",
    "least, mean, greatest (minutes)": "最低、平均、最高（分钟均值）",
    "Ventricular": "室性",
    "Supraventricular": "室上性",
    "couplets": "成对",
    "runs": "连发",
    "longest": "最长",
    "beats": "次",
    "of all beats": "占全部心搏",
    "Atrial fibrillation": "心房颤动",
    "of analysable time": "占可分析时间",
    "Pauses of 2 s and more": "≥2 s 停搏",
    "ST": "ST 段",
    "not assessable": "不可评估",
    "elevations, depressions": "抬高、压低",
    "Heart rate, means of minutes (/min)": "心率，分钟均值（/min）",
    "Rhythms": "节律",
    "Rhythm": "节律",
    "Episodes": "次数",
    "Time": "时间",
    "Share": "占比",
    "Longest": "最长",
    "Begins": "开始",
    "Heart rate variability": "心率变异性",
    "NN intervals": "NN 间期",
    "segments of 5 min counted, left out": "5 分钟段：计入、剔除",
    "Hours": "逐小时",
    "From": "起",
    "Least": "最低",
    "Mean": "平均",
    "Greatest": "最高",
    "VEB": "室性",
    "SVEB": "室上性",
    "Pauses": "停搏",
    "AF": "房颤",
    "Conclusion (of a physician)": "结论（医师填写）",
    "Name, date, signature": "姓名、日期、签名",
    "Strips": "心电图片段",
    "longest pause": "最长停搏",
    "slowest minute": "最慢一分钟",
    "fastest minute": "最快一分钟",
    "longest ventricular run": "最长室性连发",
    "longest VT": "最长室性心动过速",
    "longest VF": "最长心室颤动",
    "longest AF": "最长心房颤动",
    "usual minute": "通常一分钟",
    "no signal is stored": "无存储信号",
    "none": "无",
    "no beats": "无心搏",
    "no ECG is stored": "未存储心电图",
    "the high-pass filter is not stated": "未说明高通滤波",
    "page": "页",
}


def said(words: str, language: Language) -> str:
    """Return words in a language; what has no translation, as it is.

    >>> said("Beats", "zh"), said("Beats", "en")
    ('心搏', 'Beats')
    """
    return _ZH.get(words, words) if language == "zh" else words
