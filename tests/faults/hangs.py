"""Calls that do not come back, or late."""

from faults.catalogue import VICTIM, WORKED, Fault

TIMEOUT = {VICTIM: "timeout"}

FAULTS = [
    Fault("a hang", "sleeps for an hour", "time.sleep(3600)", verdicts=TIMEOUT, message="did not return", timeout=0.25),
    Fault(
        "a hang that takes no signals",
        "blocks every signal, then spins",
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
        verdicts=TIMEOUT,
        message="did not return",
        timeout=0.25,
    ),
    Fault(
        "stopped",
        "sends itself SIGSTOP",
        "os.kill(os.getpid(), signal.SIGSTOP)",
        verdicts=TIMEOUT,
        message="did not return",
        timeout=0.25,
    ),
    Fault(
        "stopped after its answer",
        "a thread of its stops the process when the call is over",
        "threading.Timer(0.01, lambda: os.kill(os.getpid(), signal.SIGSTOP)).start(); time.sleep(0)",
        verdicts={},
        timeout=0.25,
    ),
    Fault(
        "a deadlock beside other calls",
        "takes a lock twice when called from a thread",
        "lock = threading.Lock(); lock.acquire(); lock.acquire()",
        when="threading.current_thread() is not threading.main_thread()",
        verdicts={"purity.threads": "timeout"},
        message=" s while 3 others ran in other threads",
        timeout=0.25,
    ),
    Fault(
        "slow once",
        "takes 1.2 times the limit of a call, in its first call of a shape alone",
        "slow(); seen.append(1)",
        when=f"not seen and {WORKED}",
        before="import time\nseen = []\ndef slow(): time.sleep(1.2)",
        verdicts={},
        timeout=1.0,
    ),
]
