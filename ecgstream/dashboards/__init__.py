"""Dashboards in Grafana, as code: what they show, for whom, and how a Grafana is brought to that.

``boards`` says what each shows, ``build`` makes Grafana's JSON of it, ``wanted`` who gets which, ``plan``
what differs from what stands there, ``grafana`` changes it. Readers' rights are the database's: a
facility's data source logs in as an account of that facility, and nothing here filters rows.
"""
