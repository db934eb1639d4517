"""What was recorded, through the same code again: is what was found then what is found now?

``stored`` reads as a person's login; ``log`` puts packets, vital signs and control records into the order in
which they lay in the log; ``rerun`` takes them through the worker's own lanes; ``findings`` gives what was
stored and what is found now one form, ``compare`` tells where they differ. ``device`` does so for one device,
``many`` for several, and goes on where it was ended. Nothing here writes to a topic, or calls anybody.
"""
