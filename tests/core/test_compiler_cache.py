"""Where JAX stores compiled programs: nobody else can write there, and it does not hide what compiling costs."""

import os
import tempfile

import pytest

from xent_conformance.isolation import compiler_cache
from xent_conformance.isolation.compiler_cache import variables


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def test_the_folder_is_private_and_the_same_each_time(folder):
    place = variables()["JAX_COMPILATION_CACHE_DIR"]
    (made,) = folder.iterdir()
    assert place == str(made)
    assert made.stat().st_mode & 0o777 == 0o700
    assert variables()["JAX_COMPILATION_CACHE_DIR"] == place


def test_a_folder_that_others_can_write_to_is_not_used(folder):
    variables()
    (made,) = folder.iterdir()
    made.chmod(0o777)
    assert variables() == {}


def test_a_link_is_not_followed(folder):
    variables()
    (made,) = folder.iterdir()
    made.rmdir()
    (folder / "elsewhere").mkdir(mode=0o700)
    made.symlink_to("elsewhere")
    assert variables() == {}


def test_where_no_folder_can_be_made_there_is_none(monkeypatch, folder):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(folder / "missing"))
    assert variables() == {}


def test_the_older_half_of_too_many_programs_is_removed(monkeypatch, folder):
    variables()
    (made,) = folder.iterdir()
    for age in range(5):
        (made / str(age)).touch()
        os.utime(made / str(age), (1000 - age, 1000 - age))
    monkeypatch.setattr(compiler_cache, "MOST", 4)
    assert variables()
    assert sorted(file.name for file in made.iterdir()) == ["0", "1", "2"]
