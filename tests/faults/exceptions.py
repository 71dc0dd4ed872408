"""What calls raise."""

from faults.catalogue import VICTIM, Fault

FAIL = {VICTIM: "fail"}


def _class(body: str, base: str = "Exception") -> str:
    return f"class Odd({base}):\n    {body}"


FAULTS = [
    Fault("KeyboardInterrupt", "raises it", "raise KeyboardInterrupt", verdicts=FAIL, message="KeyboardInterrupt"),
    Fault("SystemExit", "calls sys.exit", "sys.exit(3)", verdicts=FAIL, message="raised SystemExit: 3"),
    Fault("GeneratorExit", "raises it", "raise GeneratorExit", verdicts=FAIL, message="GeneratorExit"),
    Fault(
        "a BaseException",
        "raises one of its own",
        "raise Odd('mine')",
        before=_class("pass", "BaseException"),
        verdicts=FAIL,
        message="raised Odd: mine",
    ),
    Fault(
        "a message that raises",
        "an exception whose __str__ raises",
        "raise Odd",
        before=_class("def __str__(self): raise SystemExit"),
        verdicts=FAIL,
        message="message not printable",
    ),
    Fault(
        "a message without end",
        "an exception whose __str__ loops",
        "raise Odd",
        before=_class("def __str__(self):\n        while True: pass"),
        verdicts={VICTIM: "timeout"},
        message="did not return",
        timeout=0.25,
    ),
    Fault(
        "a message of 100 MB",
        "an exception that says too much",
        "raise ValueError('much ' * 20_000_000)",
        verdicts=FAIL,
        message="ValueError: much much",
    ),
    Fault(
        "a message no file takes",
        "an exception with half a surrogate pair and a terminal's escapes",
        "raise ValueError('\\ud83d \\x1b[2J \\x00')",
        verdicts=FAIL,
        message="\\ud83d \\x1b[2J \\x00",
    ),
    Fault(
        "a message of a class of its own",
        "an exception whose __str__ gives a hostile subclass of str",
        "raise Odd",
        before="class Text(str):\n    def __getitem__(self, key): raise SystemExit\n"
        + _class("def __str__(self): return Text('subtle')"),
        verdicts=FAIL,
        message="subtle",
    ),
    Fault(
        "an exception that cannot be pickled",
        "holds a lock",
        "raise Odd(threading.Lock())",
        before="import threading\n" + _class("pass"),
        verdicts=FAIL,
        message="raised Odd",
    ),
    Fault(
        "a class that lies about its name",
        "an exception whose metaclass raises when asked for its name",
        "raise Odd('hidden')",
        before="class Meta(type):\n    @property\n    def __name__(cls): raise SystemExit\n"
        "class Odd(Exception, metaclass=Meta): pass",
        verdicts=FAIL,
        message="raised Odd: hidden",
        needs_the_run=True,
    ),
    Fault(
        "recursion",
        "recurses without end in Python",
        "def deeper(): deeper()\ndeeper()",
        verdicts=FAIL,
        message="RecursionError",
    ),
]
