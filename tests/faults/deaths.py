"""Calls that end their process."""

from faults.catalogue import VICTIM, WORKED, Fault

CRASH = {VICTIM: "crash"}

FAULTS = [
    Fault("segmentation fault", "reads address 0", "ctypes.string_at(0)", verdicts=CRASH, message="died of SIGSEGV"),
    Fault("abort", "calls abort()", "os.abort()", verdicts=CRASH, message="died of SIGABRT"),
    Fault("os._exit", "ends its process without a word", "os._exit(7)", verdicts=CRASH, message="with exit code 7"),
    Fault("exit code 0", "ends its process as if all were well", "os._exit(0)", verdicts=CRASH, message="exit code 0"),
    Fault(
        "last words",
        "writes why to standard error, then ends its process",
        "os.write(2, b'CUDA error: device-side assert triggered\\n'); os._exit(1)",
        verdicts=CRASH,
        message="device-side assert triggered",
    ),
    Fault(
        "killed",
        "sends itself SIGKILL, as the kernel does when memory runs out",
        "os.kill(os.getpid(), signal.SIGKILL)",
        verdicts=CRASH,
        message="died of SIGKILL",
    ),
    Fault(
        "its whole process group",
        "kills all processes of its group",
        "os.kill(0, signal.SIGKILL)",
        verdicts=CRASH,
        message="died of SIGKILL",
    ),
    Fault(
        "illegal instruction",
        "raises SIGILL, as a kernel for another processor does",
        "signal.raise_signal(signal.SIGILL)",
        verdicts=CRASH,
        message="died of SIGILL",
    ),
    Fault(
        "bus error",
        "raises SIGBUS, as a file mapping cut short does",
        "signal.raise_signal(signal.SIGBUS)",
        verdicts=CRASH,
        message="died of SIGBUS",
    ),
    Fault(
        "stack overflow",
        "recurses in C until the stack ends",
        "sys.setrecursionlimit(10**9)\n"
        "nested = []\n"
        "for _ in range(10**6): nested = [nested]\n"
        "memory = (ctypes.c_char * 1).from_address(id(nested))\n"
        "def deeper(depth, compare=ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)):\n"
        "    values = (ctypes.c_int * 2)(2, 1)\n"
        "    call = compare(lambda a, b: deeper(depth + 1) or 0)\n"
        "    ctypes.CDLL(None).qsort(values, 2, 4, call)\n"
        "deeper(0)",
        verdicts=CRASH,
        message="died of SIGSEGV",
    ),
    Fault(
        "memory beyond the limit",
        "asks for twice the memory of the machine",
        "np.ones(2 * os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 8)",
        verdicts={VICTIM: "fail"},
        message="MemoryError",
    ),
    Fault(
        "every descriptor closed",
        "closes all its files, the connection to the run among them",
        "os.closerange(0, 4096)",
        verdicts=CRASH,
        message="cross_entropy",
        needs_the_run=True,
    ),
    Fault(
        "garbage on the connection",
        "writes to every descriptor that it finds",
        "for d in range(3, 64):\n    try: os.write(d, b'\\xff' * 64)\n    except OSError: pass",
        verdicts=CRASH,
        message="sent data that is not an answer",
        needs_the_run=True,
    ),
    Fault(
        "a fork that comes back",
        "forks; both processes return",
        "os.fork()",
        verdicts={},
    ),
    Fault(
        "a child that stays",
        "leaves behind a process that holds all its files open, then dies",
        "if os.fork() == 0: time.sleep(600); os._exit(0)\nos._exit(9)",
        verdicts=CRASH,
        message="with exit code 9",
    ),
    Fault(
        "a daemon",
        "leaves behind a process in a session of its own, with its standard error, then dies",
        "if os.fork() == 0: os.setsid(); time.sleep(30); os._exit(0)\nos._exit(9)",
        verdicts=CRASH,
        message="with exit code 9",
    ),
    Fault(
        "an alarm",
        "sets one that goes off in its call",
        "signal.setitimer(signal.ITIMER_REAL, 0.001); time.sleep(5)",
        verdicts=CRASH,
        message="died of SIGALRM",
    ),
    Fault(
        "signals ignored", "ignores those that end a process", "[signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]"
    ),
    Fault("an exit handler that hangs", "leaves it", "import atexit; atexit.register(time.sleep, 3600)"),
    Fault(
        "threads left behind",
        "leaves 50",
        "[threading.Thread(target=time.sleep, args=(3600,)).start() for _ in range(50)]",
    ),
    Fault(
        "builtins replaced",
        "puts None in the place of str and len",
        "import builtins; builtins.str = builtins.len = None",
        verdicts=CRASH,
        message="with exit code 1",
        needs_the_run=True,
    ),
    Fault(
        "modules forgotten",
        "empties sys.modules, then ends its process",
        "sys.modules.clear(); os._exit(8)",
        verdicts=CRASH,
        message="with exit code 8",
    ),
    Fault(
        "a crash beside other calls",
        "ends its process when called from a thread",
        "os.abort()",
        when="threading.current_thread() is not threading.main_thread()",
        verdicts={"purity.threads": "crash"},
        message="died of SIGABRT while 3 others ran in other threads",
    ),
    Fault(
        "a poisoned device",
        "on a device, after one error every call raises until the process ends",
        "raise RuntimeError('CUDA error: device-side assert triggered')",
        when=f"poisoned or ({WORKED})",
        before="poisoned = []",
        methods="device = 'cuda'\n"
        "def cross_entropy(self, logits, target, _honest=cross_entropy, **options):\n"
        "    try: return _honest(self, logits, target, **options)\n"
        "    except RuntimeError: poisoned.append(1); raise",
        verdicts=CRASH,
        message="after it every call of the process fails",
        needs_the_run=True,
    ),
    Fault(
        "a crash in every call",
        "dies whenever it is called",
        "os.abort()",
        when="True",
        broken=True,
        message="died of SIGABRT",
    ),
]
