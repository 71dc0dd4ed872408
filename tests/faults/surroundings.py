"""What calls do to the process that others share with them."""

from faults.catalogue import VICTIM, Fault

CHANGED = {"purity.surroundings": "fail"}
ALL = "True"


def _changing(name: str, does: str, code: str, what: str, **more: object) -> Fault:
    """A call that always leaves something changed."""
    return Fault(name, does, code, when=ALL, verdicts=CHANGED, message=f"changed the {what}", **more)


#: The floating-point environment as bytes; the bits of the mode are in the last word of x86-64's, the first of ARM's.
FLUSHING = """
import platform
PLACE, BITS = (28, 0x8040) if platform.machine() in ('x86_64', 'AMD64') else (0, 1 << 24)
def flushing():
    environment = ctypes.create_string_buffer(64)
    ctypes.CDLL(None).fegetenv(environment)
    word = ctypes.c_uint32.from_buffer(environment, PLACE)
    word.value |= BITS
    ctypes.CDLL(None).fesetenv(environment)
"""

FAULTS = [
    _changing("another directory", "changes the working directory in every call", "os.chdir('/')", "working directory"),
    _changing(
        "no directory",
        "removes the working directory under itself",
        "if os.path.isdir(home): os.rmdir(home)",
        "working directory",
        before="import os, tempfile\nhome = tempfile.mkdtemp()\nos.chdir(home)",
        workers="1",
    ),
    _changing(
        "environment", "sets an environment variable", "os.environ['XENT_HOSTILE'] = '1'", "environment variables"
    ),
    _changing(
        "locale",
        "sets the locale",
        "import locale; locale.setlocale(locale.LC_ALL, 'C.UTF-8')",
        "locale",
        before="import locale; locale.setlocale(locale.LC_ALL, 'C')",
    ),
    _changing("numpy error state", "makes numpy raise", "np.seterr(all='raise')", "numpy error state"),
    _changing(
        "numpy print options", "changes how arrays print", "np.set_printoptions(precision=2)", "numpy print options"
    ),
    _changing("numpy random state", "draws from numpy's own generator", "np.random.rand()", "numpy random state"),
    _changing("random state", "seeds Python's generator", "import random; random.seed(0)", "random state"),
    _changing("recursion limit", "raises the recursion limit", "sys.setrecursionlimit(5000)", "recursion limit"),
    _changing(
        "warning filters", "silences warnings", "import warnings; warnings.simplefilter('ignore')", "warning filters"
    ),
    _changing("standard output closed", "closes it", "sys.stdout.close()", "standard streams"),
    _changing(
        "standard streams replaced",
        "puts its own in their place",
        "sys.stderr = open(os.devnull, 'w')",
        "standard streams",
    ),
    Fault(
        "rounding mode",
        "makes the processor round upwards until its next call",
        when="False",
        before="import platform\nUPWARD = 0x800 if platform.machine() in ('x86_64', 'AMD64', 'i686') else 0x400000",
        methods="def cross_entropy(self, logits, target, **options):\n"
        "    ctypes.CDLL(None).fesetround(0)\n"
        "    loss = super().cross_entropy(logits, target, **options)\n"
        "    if logits.tolist() == [[1, 0, 3], [2, 1, 0]]: ctypes.CDLL(None).fesetround(UPWARD)\n"
        "    return loss",
        verdicts=CHANGED,
        message="changed the floating-point mode",
        everywhere=True,
    ),
    Fault(
        "subnormals as zero",
        "leaves the processor's mode in which subnormal operands and results are zero, as libraries of -Ofast do",
        code="flushing()",
        when=ALL,
        before=FLUSHING,
        verdicts=CHANGED,
        message="changed the floating-point mode",
        everywhere=True,
    ),
    Fault("50 MB on standard output", "prints them", "print('noise ' * 8_000_000)", verdicts={}),
    Fault("50 MB on standard error", "prints them", "print('noise ' * 8_000_000, file=sys.stderr)", verdicts={}),
    Fault(
        "a thread that goes on printing",
        "prints after every call",
        "threading.Thread(target=lambda: [print('noise', file=sys.stderr) for _ in range(10**5)], daemon=True).start()",
        verdicts={},
    ),
    Fault(
        "a warning as an error",
        "turns warnings into errors and warns",
        "import warnings\nwarnings.simplefilter('error'); warnings.warn('mine')",
        verdicts={VICTIM: "fail"},
        message="UserWarning: mine",
    ),
]
