"""What calls do to their inputs and around them."""

from faults.catalogue import VICTIM, Fault

CHANGED = {"purity.inputs-unchanged": "fail"}
LATER = {"purity.surroundings": "fail"}
ALL = "True"
#: A pointer past the end and before the beginning of an array's elements.
WRITE = "ctypes.memset(logits.ctypes.data {}, 0x41, 4)"
#: A write through a pointer a while after the call. The thread holds the array.
LATE = "threading.Timer(0.05, lambda: ctypes.memset({}.ctypes.data, 0x41, 4)).start()"
STRAYED = {
    VICTIM: "fail",
    "identities.softplus": "fail",
    "gradients.logits": "fail",
    "layout.square-loss": "fail",
    "purity.memory-beside-the-inputs": "fail",
}

FAULTS = [
    Fault(
        "logits written over",
        "adds 1 to the logits",
        "if logits.flags.writeable: logits += 1",
        when=ALL,
        verdicts=CHANGED,
        message="overwrote its logits",
    ),
    Fault(
        "a last byte changed",
        "flips the last bit of the last logit",
        "if logits.flags.writeable and logits.size: logits.reshape(-1)[-1:].view('uint8')[0] ^= 1",
        when=ALL,
        verdicts=CHANGED,
        message="overwrote its logits",
    ),
    Fault(
        "logits of another shape",
        "assigns to the shape of the logits that it is given",
        "if logits.flags.c_contiguous: logits.shape = (logits.size,)",
        when=ALL,
        verdicts=CHANGED,
        everywhere=True,
        message="overwrote its logits",
        needs_the_run=True,
    ),
    Fault(
        "target written over",
        "clears the labels",
        "if target.flags.writeable: target[...] = 0",
        when=ALL,
        verdicts=CHANGED,
        message="overwrote its target",
    ),
    Fault(
        "weight written over",
        "normalises the weights where they are",
        "w = options.get('weight')\nif w is not None and w.flags.writeable: w *= 0.5",
        when=ALL,
        verdicts=CHANGED,
        message="weight",
    ),
    Fault(
        "cotangent written over",
        "scales the cotangent where it is",
        when="False",
        methods="def cross_entropy_vjp(self, cotangent, *args, **kwargs):\n"
        "    found = super().cross_entropy_vjp(cotangent, *args, **kwargs)\n"
        "    if cotangent.flags.writeable: cotangent *= 2\n"
        "    return found",
        verdicts=CHANGED,
        message="overwrote its cotangent",
    ),
    Fault(
        "read-only logits written",
        "writes through a pointer, whatever the array's flags",
        "ctypes.memset(logits.ctypes.data, 0x41, 4) if logits.size else None",
        when=ALL,
        verdicts=CHANGED,
        message="overwrote its logits",
    ),
    Fault(
        "written past the end",
        "writes 4 bytes after the last logit of the worked example",
        WRITE.format("+ logits.nbytes"),
        verdicts={VICTIM: "fail"},
        message="wrote outside the elements of its logits",
    ),
    Fault(
        "written past the end of larger logits",
        "writes 4 bytes after the last of the logits where there are more than six",
        WRITE.format("+ logits.nbytes"),
        when="logits.flags.c_contiguous and logits.size > 6",
        verdicts={**STRAYED, "purity.long-sums": "vacuous"},
        everywhere=True,
        message="wrote outside the elements of its logits",
    ),
    Fault(
        "written before the beginning",
        "writes 4 bytes before the first logit of the worked example",
        WRITE.format("- 4"),
        verdicts={VICTIM: "fail"},
        message="wrote outside the elements of its logits",
    ),
    Fault(
        "read past the end",
        "takes one class more than there is",
        "wide = np.lib.stride_tricks.as_strided(logits, (3, 4), logits.strides)\n"
        "return super().cross_entropy(np.ascontiguousarray(wide), target, **options)",
        verdicts={VICTIM: "fail"},
        message="loss",
    ),
    Fault(
        "an input written late",
        "writes to the logits in a thread, 50 ms after the call has returned",
        LATE.format("logits"),
        when="logits.size",
        verdicts=LATER,
        message="changed the logits of an earlier call",
    ),
    Fault(
        "a cotangent written late",
        "does so after every third gradient",
        when="False",
        before="calls = []",
        methods="def cross_entropy_vjp(self, cotangent, *args, **kwargs):\n"
        "    calls.append(None)\n"
        "    if len(calls) % 3 == 0 and cotangent.size: "
        + LATE.format("cotangent")
        + "\n    return super().cross_entropy_vjp(cotangent, *args, **kwargs)",
        verdicts=LATER,
        # Calls beside each other share their inputs.
        by_order=("purity.threads",),
        message="changed the cotangent of an earlier call",
    ),
    Fault(
        "a workspace left dirty",
        "is off in the last digit after a call with two rows of three classes",
        when="False",
        before="last = {}",
        methods="def cross_entropy(self, logits, target, **options):\n"
        "    loss = super().cross_entropy(logits, target, **options)\n"
        "    before, last['shape'] = last.get('shape'), logits.shape\n"
        "    return loss * loss.dtype.type(1 + 2.0**-22) if before == (2, 3) != logits.shape else loss",
        verdicts={"purity.no-state": "fail"},
        by_order=("identities.softplus", "layout.square-loss", "purity.long-sums"),
        message="other calls",
        needs_the_run=True,
    ),
]
