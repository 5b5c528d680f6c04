#!/usr/bin/env python3
"""Builds the guides as a site: python3 examples/guide/site.py FOLDER (the CMake target `site` does it). Needs mkdocs-material, no network.

Links that leave the guides lead to copies of the files, so that the site stands alone. A dead link is an error.
"""
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

GUIDES = pathlib.Path(__file__).resolve().parent
LINK = re.compile(r"(\]\()((?:\.\./)[^)#]*)(#[^)]*)?(\))")
NAV = re.compile(r"\[([^\]]+)\]\(([a-z-]+\.md)\)")


def copied(match, folder):
    source = (GUIDES / match[2]).resolve()
    if not source.exists():
        raise SystemExit(f"dead link: {match[2]}")
    if source.is_dir():
        return match[1] + "README.md" + match[4]  # a list of files is no page
    name = source.name if source.suffix in {".html", ".json"} else source.name + ".txt"
    (folder / "files").mkdir(exist_ok=True)
    shutil.copyfile(source, folder / "files" / name)
    return match[1] + "files/" + name + match[4]


def config(folder):
    pages = "".join(f"  - {title}: {page}\n" for title, page in NAV.findall((GUIDES / "README.md").read_text(encoding="utf-8")))
    return f"""site_name: tgd
docs_dir: {folder / "pages"}
site_dir: {folder / "html"}
use_directory_urls: false
theme:
  name: material
  font: false
  palette:
    - media: "(prefers-color-scheme: light)"
      scheme: default
    - media: "(prefers-color-scheme: dark)"
      scheme: slate
markdown_extensions:
  - tables
  - pymdownx.superfences:
      custom_fences:
        - name: mermaid
          class: mermaid
          format: !!python/name:pymdownx.superfences.fence_code_format
plugins: [search]
validation:
  links:
    anchors: warn
nav:
  - README.md
{pages}"""


def main():
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        raise SystemExit("the site needs mkdocs-material: python3 -m pip install mkdocs-material")
    folder = pathlib.Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "pages").mkdir(parents=True)
    for guide in sorted(GUIDES.glob("*.md")):
        text = LINK.sub(lambda match: copied(match, folder / "pages"), guide.read_text(encoding="utf-8"))
        (folder / "pages" / guide.name).write_text(text, encoding="utf-8")
    (folder / "mkdocs.yml").write_text(config(folder), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "-f", str(folder / "mkdocs.yml")],
                   check=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})
    print(folder / "html" / "index.html")


if __name__ == "__main__":
    main()
