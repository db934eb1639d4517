"""Commands that are imported when they are called: not all machines have the packages that each needs."""

from cyclopts import App, Group
from cyclopts.command_spec import CommandSpec


class _ByName(CommandSpec):
    """cyclopts puts the line of the list in the place of the command's own words; here each has its own."""

    def resolve(self, parent_app: App) -> App:
        line, self.help = self.help, None
        try:
            return super().resolve(parent_app)
        finally:
            self.help = line


def by_name(app: App, where: str, name: str, line: str, group: Group | None = None) -> None:
    """Add a command.

    Args:
        app: gets it.
        where: module within ``ecgstream.commands``, and what in it, as ``roster:app``.
        name: as it is called.
        line: what the list of commands says of it; its own help is where it is.
        group: of the list.
    """
    spec = _ByName(f"ecgstream.commands.{where}", name=name, help=line, group=group)
    app._commands[name] = spec
