"""The migrations' files, as far as they can be looked at without a database."""

from __future__ import annotations

from ecgstream.store.migrate import migrations


def test_a_number_is_of_one_migration() -> None:
    """Two of one number would run in no order."""
    names = {m.number: set[str]() for m in migrations()}
    for migration in migrations():
        names[migration.number].add(migration.name.split(".")[0])
    assert [found for found in names.values() if len(found) != 1] == []
    assert sorted(names) == list(range(1, len(names) + 1))
