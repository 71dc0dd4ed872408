"""A process of its own for each backend, so that nothing it does ends the run or changes another verdict.

``channel``      messages between the two processes, large arrays in shared memory
``worker``       the backend's side: makes it, and carries out one request after the other
``fork_server``  the process that imports a backend, and that workers are forked from
``fork_client``  our side of that
``process``      our side of one worker: exchanging messages, waiting for it, finding out how it died
``executor``     an :class:`~xent_conformance.calling.calls.Executor` that outlives its workers
"""

#: Seconds that a call may take unless the user says otherwise. Here, where it costs no import.
CALL_SECONDS = 20.0
