#!/usr/bin/env python3
"""Builds the guides as a site: python3 examples/guide/site.py FOLDER (the CMake target `site` does it). Needs mkdocs-material, for the
C++ reference doxygen, for drawings mermaid; no network.

Links that leave the guides lead to copies of the files, so that the site stands alone. A dead link is an error.
"""
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True  # this folder is a source folder
import reference

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


# What the theme leaves open of WCAG: links that colour alone tells apart, pale grey, switches of the palette that nobody sees.
CSS = """
.md-typeset a:not(.headerlink):not(.md-button) { text-decoration: underline; text-underline-offset: 2px; }
body[data-md-color-scheme] { --md-code-hl-comment-color: #5c5c5c; --md-default-fg-color--light: #595959; --md-default-fg-color--lighter: #757575; }
body[data-md-color-scheme="slate"] { --md-code-hl-comment-color: #b5b7c0; --md-default-fg-color--light: #b9bcc7; --md-typeset-a-color: #9fa8ff; }
.md-typeset pre { overflow-x: auto; }
.md-typeset pre > code { overflow: visible; width: max-content; min-width: 100%; box-sizing: border-box; }
.md-copyright, .md-copyright a, .md-footer { color: #fff; }
[data-md-component="palette"] input { display: none; }
@media print { .md-typeset h1, .md-typeset h2, .md-typeset h3 { break-after: avoid; } }
"""


def reachable(html):
    """Code that scrolls is reached by keys: the theme's own script does not always see that it does."""
    return html.replace("<pre>", '<pre tabindex="0">')


# The theme would load mermaid from elsewhere.
MERMAID = [os.environ.get("TGD_MERMAID", ""), "/usr/lib/node_modules/mermaid/dist/mermaid.min.js",
           "/usr/local/lib/node_modules/mermaid/dist/mermaid.min.js"]
FENCES = """:
      custom_fences:
        - name: mermaid
          class: mermaid
          format: !!python/name:pymdownx.superfences.fence_code_format"""


def has_drawings(folder):
    """Whether drawings can be drawn without a network; else their sources, which can be read as well, stand in their place."""
    found = next((file for file in MERMAID if os.path.isfile(file)), None)
    if found is None:
        print("no mermaid (npm install -g mermaid, or mermaid.min.js in TGD_MERMAID): drawings are shown as text", file=sys.stderr)
        return False
    shutil.copyfile(found, folder / "pages" / "mermaid.min.js")
    return True


def cpp_reference(folder):
    """The part of the navigation that leads to the reference; without doxygen there is none."""
    if shutil.which("doxygen") is None:
        print("no doxygen: the site has no C++ reference", file=sys.stderr)
        return ""
    pages = reference.write(folder / "pages")
    listed = "".join(f"- [`{title}`]({page})\n" for title, page in pages)
    (folder / "pages" / "cpp.md").write_text(
        "# C++ reference\n\nThe public headers; `tgd/tgd.hpp` includes them all. Each opens with its contract: what it is, thread-safety, errors.\n\n"
        + listed, encoding="utf-8")
    return "  - C++ reference:\n    - cpp.md\n" + "".join(f"    - {title}: {page}\n" for title, page in pages)


def config(folder, cpp, drawings):
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
  - pymdownx.superfences{FENCES if drawings else ""}
plugins: [search]
extra_css: [site.css]
extra_javascript: [{"mermaid.min.js" if drawings else ""}]
validation:
  links:
    anchors: warn
nav:
  - README.md
{pages}{cpp}"""


def main():
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        raise SystemExit("the site needs mkdocs-material: python3 -m pip install mkdocs-material")
    folder = pathlib.Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "pages").mkdir(parents=True)
    for guide in sorted(GUIDES.glob("*.md")):
        text = LINK.sub(lambda match: copied(match, folder / "pages"), guide.read_text(encoding="utf-8"))
        (folder / "pages" / guide.name).write_text(text, encoding="utf-8")
    (folder / "pages" / "site.css").write_text(CSS, encoding="utf-8")
    (folder / "mkdocs.yml").write_text(config(folder, cpp_reference(folder), has_drawings(folder)), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "-f", str(folder / "mkdocs.yml")],
                   check=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})
    for page in (folder / "html").glob("*.html"):
        page.write_text(reachable(page.read_text(encoding="utf-8")), encoding="utf-8")
    print(folder / "html" / "index.html")


if __name__ == "__main__":
    main()
