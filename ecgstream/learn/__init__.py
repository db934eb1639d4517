"""What the detectors have learnt: from which seconds of the development set, how, and how good it is unseen.

Here live the trainings of the ventricular models (``ventricular``, judged out of fold by ``judge``) and of
atrial fibrillation (``atrial``), each run as a module. They write ``detectors/models.csv`` and
``detectors/trees.csv``, and their reports in docs. What does not live here: the features, which the detectors
compute themselves.
"""
