"""The duty roster: who is on duty where and when, and whom a page goes to, as pure functions.

Here live what a roster is (``model``), how it is read and how it travels (``read``), local times (``civil``),
who is on duty (``duty``), what is wrong with a roster (``check``), whom to page at each step of an escalation
(``steps``), what is open as a shift ends (``handover``), and shifts from a calendar (``calendar``,
``imported``).

What does not live here: clocks, files, addresses. A roster names accounts; where an account is reached is a
secret, and stands elsewhere.
"""
