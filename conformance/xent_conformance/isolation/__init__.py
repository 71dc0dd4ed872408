"""A process of its own for each backend: nothing it does takes the run down or changes a verdict.

``channel``   messages between the two processes, large arrays in shared memory
``worker``    the backend's side: loads it, and carries out one request after the other
``process``   our side of one worker: starting it, waiting for it, learning what it died of
``executor``  an :class:`~xent_conformance.calling.calls.Executor` that outlives its workers
"""

#: Seconds that a call may take unless the user says otherwise. Here, where it costs no import.
CALL_SECONDS = 20.0
