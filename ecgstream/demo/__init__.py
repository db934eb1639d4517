"""The demo: a whole centre on real ECG for five minutes of signal, with a live table and a summary.

``play`` is the order of events, ``live`` the table, ``summary`` what is counted from the database at the
end, ``show`` how a person and a program get to see it.
"""
