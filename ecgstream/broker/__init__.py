"""A closed broker: who may do what on it, how a service comes in, and how an admin lets it in."""
