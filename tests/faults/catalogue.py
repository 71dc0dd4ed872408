"""Hostile backends and events, as data: what each does, and what a run must make of it.

Each changes the adapter that ``xent new`` writes: a subclass whose ``cross_entropy`` or other methods are hostile,
mostly in one call alone, that of the worked example of ``identities.worked-example``.
"""

from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources import files

from xent_conformance.requirements.registry import load

#: Requirements that a run with a fault judges: the one it is aimed at, and those that must not notice. Of those about
#: threads one is enough; the other makes the same calls with larger arrays and takes a fifth of the whole run.
ONLY = (
    "identities.worked-example",
    "identities.softplus",
    "gradients.logits",
    *(name for name in load() if name.startswith("purity.") and name != "purity.threads-large"),
    "layout.square-loss",
)
VICTIM = "identities.worked-example"
#: The call of the worked example, and no other, its reductions included.
WORKED = "logits.shape == (3, 3) and abs(logits.sum() - 4.3676) < 1e-3 and target.tolist() == [1, 2, 0]"
#: What every one of them may use.
IMPORTS = "import ctypes, os, signal, sys, threading, time\nimport numpy"
MODULES = ("deaths", "exceptions", "hangs", "inputs", "loading", "results", "surroundings")


@dataclass(frozen=True)
class Fault:
    """A hostile backend.

    ``code`` runs in ``cross_entropy`` where ``when`` holds, with the honest ``loss`` at hand; ``methods`` and
    ``before`` are lines of the class and of the module. ``verdicts`` has the statuses that differ from those of a
    clean run, ``message`` what their failures or, where the adapter cannot be used at all, ``broken``, must say.
    A fault that depends on the calls that its process was asked for before has ``by_order`` the requirements that may
    fail too: which calls these are follows from the schedule of the run and the number of its processes. ``workers``
    is that number where the fault does something to the machine that outlives its process.
    A fault that is ``everywhere`` leaves the others with the same statuses, but with fewer problems that could be
    judged. The scripts of one that ``needs_the_run`` need not show it: it carries state from call to call, or turns
    against the process of the suite.
    """

    name: str
    does: str
    code: str = "pass"
    when: str = WORKED
    methods: str = ""
    before: str = ""
    verdicts: dict[str, str] = field(default_factory=dict)
    by_order: tuple[str, ...] = ()
    message: str = ""
    broken: bool = False
    timeout: float = 20.0
    workers: str = "auto"
    everywhere: bool = False
    needs_the_run: bool = False

    def source(self) -> str:
        """The whole adapter."""
        honest = files("xent_conformance").joinpath("new_backend.py.txt").read_text("utf-8")
        return "\n".join(
            [
                IMPORTS,
                self.before,
                honest,
                "class Hostile(MyBackend):",
                "    def cross_entropy(self, logits, target, **options):",
                "        loss = super().cross_entropy(logits, target, **options)",
                f"        if {self.when}:",
                _indented(self.code, 12),
                "        return loss",
                _indented(self.methods, 4),
                "backend = Hostile()\n",
            ]
        )

    @property
    def expected(self) -> str:
        """The verdict in a few words, for the table."""
        if self.broken:
            return "exit 3: the adapter cannot be judged"
        if not self.verdicts:
            return "the verdicts of a clean run"
        certain = ", ".join(f"{status} of {identifier}" for identifier, status in sorted(self.verdicts.items()))
        possible = ", ".join(sorted(self.by_order))
        return f"{certain}; depending on earlier calls also of {possible}" if possible else certain


def _indented(text: str, width: int) -> str:
    return "\n".join(" " * width + line for line in text.strip().split("\n"))


def all_faults() -> list[Fault]:
    """Every fault, by module."""
    return [fault for name in MODULES for fault in import_module(f"faults.{name}").FAULTS]
