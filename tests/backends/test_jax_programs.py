"""What compiling costs is measured as if JAX had stored no program."""

import subprocess
import sys

from xent_conformance.isolation import compiler_cache

CODE = """
import os
from pathlib import Path
import jax.numpy as jnp
from xent_backends import jax_arrays

folder = Path(os.environ["JAX_COMPILATION_CACHE_DIR"])

def stored(size):
    jnp.sin(jnp.zeros(size)).block_until_ready()
    return bool([*folder.iterdir()])

with jax_arrays.compiling_anew():
    inside = stored(3)
print(inside, stored(4))
"""


def test_programs_are_stored_but_not_while_their_cost_is_measured(tmp_path):
    variables = {**compiler_cache.variables(), "JAX_COMPILATION_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", CODE], env=variables, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
