"""The services themselves, by their metrics: for those who run the centre."""

from ecgstream.dashboards.chart import Board, Chart, Shape, Source
from ecgstream.dashboards.wording import Words

_JOB = 'job="ecgstream"'
_BAD = ((None, "green"), (1, "red"))
_SEE = Words("docs/operations.md says what to do.", "处置方法见 docs/operations.md。")


def _lines(title: Words, about: Words, query: str, *, legend: str, unit: str = "", width: int = 12) -> Chart:
    return Chart(
        shape=Shape.LINES, title=title, about=about, query=query, legend=legend, unit=unit, width=width
    )


def _now(title: Words, query: str, *, legend: str, limits: tuple[tuple[float | None, str], ...]) -> Chart:
    return Chart(
        shape=Shape.NUMBERS,
        title=title,
        about=_SEE,
        query=query,
        legend=legend,
        limits=limits,
        width=6,
        height=5,
    )


BOARD = Board(
    name="operations",
    title=Words("Operations", "运维"),
    about=Words(
        "The services of the centre. The watch pages by itself; this is for looking closer.",
        "中心各服务的运行状况。监视服务会自行呼叫；此处用于进一步查看。",
    ),
    source=Source.PROMETHEUS,
    back="6h",
    refresh="10s",
    charts=(
        _now(
            Words("Services that are not ready", "未就绪的服务"),
            f"count(ecgstream_ready{{{_JOB}}} == 0) or vector(0)",
            legend="{{instance}}",
            limits=_BAD,
        ),
        _now(
            Words("Alarms of the watch", "监视服务的报警"),
            "sum(ecgstream_watch_alarms) or vector(0)",
            legend="",
            limits=_BAD,
        ),
        _now(
            Words("The sink waits for the database", "存储服务等待数据库"),
            "max(ecgstream_sink_database_away)",
            legend="",
            limits=_BAD,
        ),
        _now(
            Words("Open alerts", "未结束报警"),
            "sum(ecgstream_pager_open_alerts)",
            legend="",
            limits=((None, "blue"),),
        ),
        _lines(
            Words("From the log to the detectors", "从日志到检测"),
            Words(
                "The slowest partition of each worker; two seconds from packet to alert are the aim.",
                "各检测进程中最慢的分区；目标为从数据包到报警不超过两秒。",
            ),
            "max by (instance) (ecgstream_worker_lag_seconds)",
            legend="{{instance}}",
            unit="s",
        ),
        _lines(
            Words("Signal processed", "已处理信号"),
            Words("Seconds of signal a second: devices that are live.", "每秒处理的信号秒数，即在线设备数。"),
            "sum by (instance) (rate(ecgstream_worker_device_seconds_total[1m]))",
            legend="{{instance}}",
        ),
        _lines(
            Words("Share of a core", "单核占用"),
            Words(
                "More than half for long: start another worker.",
                "长期超过一半：请再启动一个检测进程。",
            ),
            f"rate(process_cpu_seconds_total{{{_JOB}}}[1m])",
            legend="{{instance}}",
            unit="percentunit",
        ),
        _lines(
            Words("Checkpoints, 99th percentile", "检查点耗时（第 99 百分位）"),
            Words("Slow ones: Kafka is slow.", "耗时长：Kafka 缓慢。"),
            "histogram_quantile(0.99,"
            " sum by (instance, le) (rate(ecgstream_worker_checkpoint_seconds_bucket[5m])))",
            legend="{{instance}}",
            unit="s",
        ),
        _lines(
            Words("Records that wait", "等待处理的记录"),
            Words("Not committed by their group yet.", "尚未被其消费组提交。"),
            "max by (group) (ecgstream_watch_waiting_records)",
            legend="{{group}}",
        ),
        _lines(
            Words("Rows stored", "存储行数"),
            Words("A second, by table; trace blocks apart.", "每秒，按表统计；波形块另计。"),
            "sum by (table) (rate(ecgstream_sink_rows_total[1m]))",
            legend="{{table}}",
        ),
        _lines(
            Words("Pages by what became of them", "呼叫结果"),
            Words("Attempts to notify, by channel.", "按渠道统计的通知尝试。"),
            "sum by (channel, state) (increase(ecgstream_pager_notifications_total[5m]))",
            legend="{{channel}} {{state}}",
        ),
        _lines(
            Words("The oldest page that is due", "最久未发出的呼叫"),
            Words("It should be zero.", "应为零。"),
            "max(ecgstream_pager_oldest_due_seconds)",
            legend="s",
            unit="s",
        ),
        _lines(
            Words("Refused and unreadable", "被拒或不可读的记录"),
            Words("Something sends what is none of ours.", "有来源发送了不属于本系统的数据。"),
            "sum by (instance) (increase(ecgstream_worker_dead_letters_total[5m])"
            " or increase(ecgstream_sink_bad_records_total[5m])"
            " or increase(ecgstream_pager_bad_records_total[5m]))",
            legend="{{instance}}",
        ),
        _lines(
            Words("What gateways hold back", "网关积压"),
            Words("Bundles that Kafka has not taken.", "Kafka 尚未接收的数据包。"),
            'max by (instance) (ecgstream_gateway_spooled_records{job="ecgstream-gateway"})',
            legend="{{instance}}",
        ),
        _lines(
            Words("Free disk of gateways", "网关磁盘剩余"),
            Words("Where the spool lies.", "积压数据所在磁盘。"),
            'min by (instance) (ecgstream_gateway_disk_free_bytes{job="ecgstream-gateway"})',
            legend="{{instance}}",
            unit="bytes",
        ),
        _lines(
            Words("Versions that run", "运行中的版本"),
            Words(
                "More than one for long is an upgrade that was not finished.", "长期多于一个：升级未完成。"
            ),
            f"count by (version) (ecgstream_build_info{{{_JOB}}})",
            legend="{{version}}",
        ),
    ),
)
