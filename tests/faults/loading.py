"""Adapters that cannot be loaded, or say odd things of themselves."""

from faults.catalogue import Fault


def _broken(name: str, does: str, before: str = "", message: str = "", **more: object) -> Fault:
    return Fault(name, does, when="False", before=before, broken=True, message=message, **more)


def _claiming(name: str, claims: str, message: str) -> Fault:
    made = f"from xent_conformance.interface import Conventions, Precision\ncapabilities = Capabilities({claims})"
    return _broken(name, "claims it", message=message, methods=made)


FAULTS = [
    _broken("an import that raises", "raises", "1 / 0", "ZeroDivisionError"),
    _broken("an import that exits", "calls sys.exit", "import sys; sys.exit(0)", "SystemExit"),
    _broken(
        "an import that is interrupted", "raises KeyboardInterrupt", "raise KeyboardInterrupt", "KeyboardInterrupt"
    ),
    _broken("an import that ends the process", "calls os._exit", "import os; os._exit(4)", "exit code 4"),
    _broken("an import that crashes", "reads address 0", "import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    _broken("a syntax error", "does not parse", "def", "SyntaxError"),
    Fault("an import that prints", "50 MB", when="False", before="print('noise ' * 8_000_000)", verdicts={}),
    Fault("an import that forks", "leaves two processes", when="False", before="import os; os.fork()", verdicts={}),
    _broken(
        "a name that raises", "a property", methods="@property\ndef name(self): raise SystemExit", message="SystemExit"
    ),
    _broken(
        "claims that raise",
        "a property",
        methods="@property\ndef capabilities(self): raise OSError('none')",
        message="OSError: none",
    ),
    _broken(
        "a convention there is not",
        "claims it",
        message="invalid_label must be one of error, nan, abort",
        methods="from xent_conformance.interface import Conventions\n"
        "capabilities = Capabilities(conventions=Conventions(invalid_label='explode'))",
    ),
    _broken(
        "script parts that raise",
        "a reproducer() that raises",
        message="no parts",
        methods="def reproducer(self): raise RuntimeError('no parts')",
    ),
    _broken(
        "script parts of rubbish",
        "a reproducer() of numbers",
        message="reproducer() must return ReproducerParts",
        methods="def reproducer(self): return 1, 2, 3, 4",
    ),
    _broken(
        "script parts that cannot be filled in",
        "a reproducer() with a wrong placeholder",
        "from xent_conformance.interface import ReproducerParts",
        "strings that can be filled in",
        methods="def reproducer(self): return ReproducerParts('', '{tensor}', '{value}', {})",
    ),
    _broken("versions of rubbish", "a number for versions", message="must map names", methods="versions = 3"),
    _broken(
        "versions without end",
        "a generator for versions that never ends",
        message="must map names to versions, not be a generator",
        methods="versions = ((str(i), 'x') for i in iter(int, 1))",
    ),
    _broken(
        "modes of rubbish", "a list of modes", message="modes() must map names", methods="def modes(self): return [3]"
    ),
    _broken(
        "a mode that is no name",
        "a mode with markup in its name",
        message="modes() must map names",
        methods="def modes(self): return {'<b>': 3}",
    ),
    Fault(
        "a million versions",
        "each of 10 kB",
        when="False",
        before="from collections.abc import Mapping\n"
        "class Many(Mapping):\n"
        "    def __len__(self): return 10**6\n"
        "    def __iter__(self): return map(str, range(10**6))\n"
        "    def __getitem__(self, key): return key * 10_000",
        methods="versions = Many()",
        verdicts={},
    ),
    _broken("a name of 10 kB", "claims it", message="at most 100", methods="name = 'n' * 10_000"),
    _broken("a name that is a path", "claims it", message="name must have", methods="name = '../../etc/passwd'"),
    _broken("a name of dots", "claims it", message="name must have", methods="name = '..'"),
    _claiming("a million dtypes", "logits_dtypes=('float32',) * 10**6", "must be a tuple of float16, bfloat16"),
    _claiming("a dtype twice", "logits_dtypes=('float32', 'float32')", "must not contain duplicates"),
    _claiming("a dtype that cannot be hashed", "logits_dtypes=([],)", "must be a tuple of float16"),
    _claiming("target dtypes there are not", "target_dtypes=('int65',)", "must be a tuple of int8"),
    _claiming("no target dtype", "target_dtypes=()", "must be a tuple of int8"),
    _claiming("fewer than no classes", "max_classes=-1", "max_classes must be 1 or more"),
    _claiming("no rows", "max_rows=0", "max_rows must be 1 or more, or None, not 0"),
    _claiming("half a row", "max_rows=0.5", "max_rows must be like None"),
    _claiming("more classes at least than at most", "min_classes=3, max_classes=2", "min_classes must be 1 or more"),
    _claiming("smoothing of more than all", "max_label_smoothing=1.5", "must be above 0 and at most 1"),
    _claiming("a sentinel beyond int64", "default_ignore_index=2**80", "must be an int64"),
    _claiming("an escape left out", "left_out=(('spatial', chr(27)),)", "left_out must be pairs of short printable"),
    _claiming("too much left out", "left_out=(('spatial', 'x'),) * 10**6", "left_out must be pairs of short printable"),
    _claiming("a list left out", "left_out=(['spatial', 'x'],)", "left_out must be pairs of short printable"),
    _claiming(
        "documentation that leads nowhere",
        "conventions=Conventions(documentation={'mean_divisor': 'yes'})",
        "conventions.documentation must have URLs, https://..., not 'yes'",
    ),
    _claiming("nobody who validates", "validation='nobody'", "must be one of library, adapter"),
    _claiming("a precision there is not", "precision=Precision(form='Z')", "precision.form must be one of A, B"),
    _claiming("a precision for a number", "precision={3: Precision()}", "must have dtypes as keys"),
    _broken(
        "claims that raise when they are read",
        "a subclass of Capabilities whose field raises KeyError",
        "from xent_conformance.interface import Capabilities\n"
        "class Odd(Capabilities):\n"
        "    weight = property(lambda self: {}['weight'])\n"
        "    def __init__(self): pass",
        "KeyError",
        methods="capabilities = Odd()",
    ),
    Fault(
        "versions no file takes",
        "odd strings in versions",
        when="False",
        methods="versions = {'\\ud83d': object(), 3: '\\x1b[2J'}",
        verdicts={},
    ),
    _broken(
        "a bridge of rubbish",
        "an asnumpy() that gives lists",
        message="expected an array",
        methods="def asarray(self, array): return array\ndef asnumpy(self, array): return array.tolist()",
    ),
    Fault(
        "a bridge that lies",
        "an asarray() that gives zeros",
        when="False",
        methods="def asarray(self, array): return np.zeros_like(array)\ndef asnumpy(self, array): return array",
        verdicts={
            "identities.worked-example": "fail",
            "identities.softplus": "fail",
            "gradients.logits": "fail",
            "layout.square-loss": "fail",
            "purity.first-call": "fail",
            "purity.inputs-unchanged": "fail",
            # Its arrays are copies: nothing of ours lies beside them.
            "purity.nothing-read-beside-the-inputs": "not-applicable",
        },
        message="",
        needs_the_run=True,
    ),
]
