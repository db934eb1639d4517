"""The store: the database's tables, how records come into them, and how they are read.

Here live the migrations (plain SQL) and their runner, the trace blocks and their codec, the sink that copies
what Kafka holds into the tables, and the questions that the rest of the application asks of them.

What does not live here: anything that a page waits for. The database is a copy of what the topics hold; with
the database down, pages go out.
"""
