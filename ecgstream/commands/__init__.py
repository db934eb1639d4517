"""The command line of the registry: what a person types, and what is printed. No SQL, no rule lives here."""
