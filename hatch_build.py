"""The parts of the package's metadata that depend on where the repository is hosted: project URLs, and the README.

An index such as PyPI shows the README outside the repository, where its relative links and pictures lead nowhere. A
release therefore sets XENT_REPOSITORY to the address of the repository:

    XENT_REPOSITORY=https://github.com/OWNER/xent-conformance python -m build

Links then lead to the tag of the release, such as v0.2.0. Without the variable, there are no project URLs, and the
README is unchanged.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

VARIABLE = "XENT_REPOSITORY"
#: A link or picture of Markdown, except those whose address is absolute or on the same page.
LINK = re.compile(r"(?P<before>(?P<picture>!?)\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\]\()(?P<path>(?!https?:|#)[^)]+)")
VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)


def absolute(readme: str, repository: str, version: str) -> str:
    """The README with absolute links to the tag of a version.

    Example:
        >>> absolute("[docs](docs/index.md)", "https://example.org/xent", "0.2.0")
        '[docs](https://example.org/xent/blob/v0.2.0/docs/index.md)'
    """

    def replaced(link: re.Match[str]) -> str:
        view = "raw" if link["picture"] else "blob"
        # A picture may be the text of a link.
        before = link["before"] if link["picture"] else LINK.sub(replaced, link["before"])
        return f"{before}{repository}/{view}/v{version}/{link['path']}"

    return LINK.sub(replaced, readme)


class CustomMetadataHook(MetadataHookInterface):
    """Sets the README, and the project URLs if the address of the repository is known."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set ``readme`` and ``urls``."""
        root = Path(self.root)
        readme = (root / "README.md").read_text("utf-8")
        repository = os.environ.get(VARIABLE, "").rstrip("/")
        metadata["urls"] = {}
        if repository:
            found = VERSION.search((root / "conformance/xent_conformance/__init__.py").read_text("utf-8"))
            assert found is not None
            readme = absolute(readme, repository, found[1])
            tag = f"{repository}/blob/v{found[1]}"
            metadata["urls"] = {
                "Repository": repository,
                "Documentation": f"{tag}/docs/index.md",
                "Changelog": f"{tag}/CHANGELOG.md",
                "Issues": f"{repository}/issues",
            }
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}
