"""Combines the findings of a requirement on all problems into its verdict on a subject.

``tally``          the findings of a requirement, counted, with the failing problems to show
``deviations``     known failures of a backend, read from its file of deviations
``excuses``        those of one requirement on one subject
``explanations``   what judging has to know of calls that do not return
``setting_aside``  the problems that are not judged because of such calls
``verdict``        the result of a requirement on a subject
``evaluation``     from problems to verdicts
``first``          the first failure of a run, before it is reduced
"""
