"""What calls return."""

from faults.catalogue import VICTIM, Fault

FAIL = {VICTIM: "fail"}
INDEPENDENT = {"purity.results-are-independent": "fail"}


def _vjp(lines: str) -> str:
    """A gradient that is changed before it is returned."""
    body = "\n".join("    " + line for line in lines.split("\n"))
    return (
        "def cross_entropy_vjp(self, cotangent, logits, target, **kwargs):\n"
        "    found = super().cross_entropy_vjp(cotangent, logits, target, **kwargs)\n" + body
    )


FAULTS = [
    Fault(
        "a wrong first call",
        "returns twice the loss in the first call of a process, and never again",
        "return loss * loss.dtype.type(2)",
        when="not calls and not calls.append(1)",
        before="calls = []",
        verdicts={"purity.first-call": "fail"},
        message="expected 0.407605964",
    ),
    Fault(
        "a first call that raises",
        "does so in the first call of a process, and never again",
        "raise RuntimeError('not warm yet')",
        when="not calls and not calls.append(1)",
        before="calls = []",
        verdicts={"purity.first-call": "fail"},
        message="raised RuntimeError: not warm yet",
    ),
    Fault("nothing", "returns None", "return None", verdicts=FAIL, message="returned None"),
    Fault("a number", "returns a float of Python's", "return float(loss)", verdicts=FAIL, message="returned float"),
    Fault("a list", "returns a list", "return [float(loss)]", verdicts=FAIL, message="returned list"),
    Fault(
        "a generator", "returns one", "return (x for x in [loss])", verdicts=FAIL, message="returned generator for loss"
    ),
    Fault(
        "a lazy array",
        "returns an object whose __array__ sleeps, and whose every attribute raises",
        "return Lazy()",
        before="import time\nclass Lazy:\n"
        "    def __array__(self, *args, **kwargs): time.sleep(3600)\n"
        "    def __getattribute__(self, name): raise SystemExit(name)\n"
        "    def __eq__(self, other): raise SystemExit",
        verdicts=FAIL,
        message="returned Lazy for loss, expected an array",
    ),
    Fault(
        "a wrong shape",
        "returns (1,) for ()",
        "return loss.reshape(1)",
        verdicts=FAIL,
        message="as (1,), expected ()",
    ),
    Fault("integers", "returns whole numbers", "return np.asarray(2)", verdicts=FAIL, message="returned int64"),
    Fault(
        "objects",
        "returns an array of objects",
        "return np.array(loss, dtype=object)",
        verdicts=FAIL,
        message="returned object",
    ),
    Fault(
        "complex numbers",
        "returns them",
        "return loss.astype('complex64')",
        verdicts=FAIL,
        message="returned complex64",
    ),
    Fault("twice the loss", "is wrong in one call alone", "return loss * 2", verdicts=FAIL, message="loss"),
    Fault(
        "nan with a message",
        "returns nan with a payload",
        "return np.array(0x7fc12345, dtype='uint32').view('float32')",
        verdicts=FAIL,
        message="loss",
    ),
    Fault(
        "a view of 80 TB",
        "returns one number repeated 10^13 times",
        "return np.broadcast_to(np.float64(0), (10**13,))",
        verdicts=FAIL,
        message="which no result has",
    ),
    Fault(
        "a hostile class",
        "an array whose every method raises",
        "return loss.view(Odd)",
        before="import numpy\nclass Odd(numpy.ndarray):\n    def __getattribute__(self, name): raise SystemExit(name)",
        verdicts=FAIL,
        message="returned Odd for loss, expected a plain array",
    ),
    Fault(
        "a masked array",
        "returns one, the right loss behind a mask",
        "return np.ma.masked_array(loss, mask=True)",
        verdicts=FAIL,
        message="returned MaskedArray for loss, expected a plain array",
    ),
    Fault(
        "a matrix",
        "returns a gradient for which * is the matrix product",
        when="False",
        methods=_vjp("return found._replace(grad_logits=np.asmatrix(found.grad_logits))"),
        verdicts={"gradients.logits": "fail", "purity.no-state": "vacuous"},
        everywhere=True,
        message="returned matrix for grad_logits, expected a plain array",
    ),
    Fault(
        "a memory map",
        "returns an array of a class of NumPy's own",
        "return loss.reshape(()).view(np.memmap)",
        verdicts=FAIL,
        message="returned memmap for loss, expected a plain array",
    ),
    Fault(
        "a scalar of a class of its own",
        "returns a subclass of numpy.float32",
        "return Odd(loss)",
        before="import numpy\nclass Odd(numpy.float32): pass",
        verdicts=FAIL,
        message="returned Odd for loss, expected a plain array",
    ),
    Fault(
        "a bridge to a subclass",
        "makes a masked array of every scalar",
        when="False",
        methods="def asarray(self, array): return array\n"
        "def asnumpy(self, array): return np.ma.masked_array(array) if array.shape == () else array",
        verdicts={**FAIL, "gradients.logits": "fail", "layout.square-loss": "fail"},
        everywhere=True,
        message="which asnumpy made a MaskedArray, expected a plain array",
        needs_the_run=True,
    ),
    Fault(
        "bytes in the other order",
        "returns the loss in the byte order of another machine",
        "return loss.astype(loss.dtype.newbyteorder())",
        verdicts=FAIL,
        message="expected native byte order",
    ),
    Fault(
        "a class that lies",
        "an object that says it is an array",
        "return Odd()",
        before="import numpy\nclass Odd:\n    __class__ = numpy.ndarray",
        verdicts=FAIL,
        message="expected an array",
    ),
    Fault(
        "one result for two",
        "a vjp that returns the loss alone",
        when="False",
        methods=_vjp("return found.loss if target.size > 2 else found"),
        verdicts={"gradients.logits": "fail"},
        everywhere=True,
        message="",
    ),
    Fault(
        "a result that changes",
        "returns the same array in every call",
        when="False",
        before="import numpy\nkept = {}",
        methods="def cross_entropy(self, logits, target, **options):\n"
        "    loss = super().cross_entropy(logits, target, **options)\n"
        "    key = threading.get_ident(), loss.shape, loss.dtype.name\n"
        "    mine = kept.setdefault(key, loss.copy())\n"
        "    mine[...] = loss\n"
        "    return mine\nimport threading",
        verdicts=INDEPENDENT,
        message="after another call",
    ),
    Fault(
        "a result in an input",
        "returns its gradient in the memory of the logits",
        when="False",
        methods=_vjp(
            "if not logits.flags.writeable: return found\n"
            "logits[...] = found.grad_logits\n"
            "return found._replace(grad_logits=logits)"
        ),
        verdicts={**INDEPENDENT, "purity.inputs-unchanged": "fail"},
        message="",
    ),
    Fault(
        "another answer the second time",
        "adds a little noise from call to call",
        "calls.append(1); return loss * np.float32(1 + (len(calls) % 2 == 0) * 2.0**-22)",
        when="loss.size",
        before="calls = []",
        verdicts={
            "purity.repeatable": "fail",
            "purity.long-sums": "fail",
            "purity.no-state": "fail",
            "purity.threads": "fail",
        },
        by_order=(
            "identities.softplus",
            "identities.worked-example",
            "layout.square-loss",
            "purity.arguments-read-anew",
        ),
        message="returns a different loss",
        everywhere=True,
        needs_the_run=True,
    ),
    Fault(
        "wrong one time in three",
        "doubles the loss in every third of its calls",
        "calls.append(1); return loss * (1 + (len(calls) % 3 == 0))",
        when="loss.size and threading.current_thread() is threading.main_thread()",
        before="calls = [1]",
        verdicts={
            "purity.repeatable": "fail",
            "purity.long-sums": "fail",
            "purity.no-state": "fail",
            "purity.threads": "fail",
        },
        by_order=(
            "identities.softplus",
            "identities.worked-example",
            "layout.square-loss",
            "purity.arguments-read-anew",
        ),
        message="returns a different loss",
        needs_the_run=True,
    ),
    Fault(
        "wrong beside other calls",
        "is wrong when called from a thread",
        "return loss + 1",
        when="threading.current_thread() is not threading.main_thread()",
        verdicts={"purity.threads": "fail"},
        message="while 3 others run",
    ),
    Fault(
        "no gradient beside other calls",
        "leaves its gradient out when called from a thread",
        when="False",
        methods=_vjp(
            "alone = threading.current_thread() is threading.main_thread()\n"
            "return found if alone else found._replace(grad_logits=None)"
        ),
        verdicts={"purity.threads": "fail"},
        message="returned no grad_logits while 3 others run in other threads, and alone returned a grad_logits",
    ),
    Fault(
        "no gradient the second time",
        "leaves the gradient of every other call with many rows out",
        when="False",
        before="calls = []",
        methods=_vjp(
            "if target.size < 200: return found\n"
            "calls.append(1)\n"
            "return found if len(calls) % 2 else found._replace(grad_logits=None)"
        ),
        verdicts={"purity.long-sums": "fail"},
        message="returned no grad_logits when it is called again, and first returned a grad_logits",
    ),
]
