"""`ecgstream settings`: what is set, and where that comes from."""

from rich.console import Console
from rich.table import Table

from ecgstream.commands.flags import SettingsFlags
from ecgstream.settings import PREFIX, Settings, origin


def show(*, settings: SettingsFlags = None) -> None:
    """Print every setting with its value, where the value comes from, and what it means."""
    found = settings if settings is not None else Settings()
    ways = f"Each is a flag (--kafka-ca), a variable ({PREFIX}KAFKA_CA) and an entry of ecgstream.toml."
    table = Table(box=None, header_style="bold", caption=ways, caption_justify="left")
    for title in ("setting", "value", "from", "meaning"):
        table.add_column(title)
    for name, field in Settings.model_fields.items():
        table.add_row(name, str(getattr(found, name)), origin(found, name), field.description)
    Console().print(table)
