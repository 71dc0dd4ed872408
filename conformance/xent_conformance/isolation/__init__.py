"""A worker process for each backend, so that a crash, a hang or changed global state cannot affect the run.

``channel``      messages between the two processes, large arrays in shared memory
``worker``       the worker's side: makes the backend, and carries out one request after the other
``fork_server``  the process that imports a backend, and from which workers are forked
``fork_client``  the run's side of the fork server
``compiler_cache``  where JAX stores compiled programs
``process``      the run's side of one worker: exchanging messages, waiting for it, determining how it died
``trial``        the trial calls of a backend that is being loaded, some of which may end the process
``time_limits``  how long a call may take, by the calls before
``requests``     requests to a worker, which is replaced if it dies
``executor``     an :class:`~xent_conformance.calling.calls.Executor` that sends calls as such requests
``ended``        calls that are known to end their process, and are not made again
"""

# These are defined here because importing this package is cheap.
#: Default limit for a call in seconds.
CALL_SECONDS = 20.0
#: Variables that limit the usual libraries to one thread, so that processes do not compete for the processors. Loops of
#: OpenMP get two: a data race in a kernel shows with no fewer. Passive threads sleep while they wait for each other, so
#: that calls take no longer than with one.
FEW_THREADS = {
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "2",
    "OMP_WAIT_POLICY": "PASSIVE",
}
