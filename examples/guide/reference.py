"""The C++ reference as pages for the site: one for each public header, its own words at the top, then what it declares. From Doxygen's XML."""
import html
import pathlib
import re
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"

DOXYFILE = """INPUT={include} {include}/../src/reference.dox
RECURSIVE=YES
FILE_PATTERNS=*.hpp *.dox
GENERATE_HTML=NO
GENERATE_LATEX=NO
GENERATE_XML=YES
XML_PROGRAMLISTING=NO
OUTPUT_DIRECTORY={folder}
STRIP_FROM_PATH={include}
QUIET=YES
WARN_AS_ERROR=FAIL_ON_WARNINGS
WARN_IF_UNDOCUMENTED=NO
EXTRACT_ALL=YES
JAVADOC_AUTOBRIEF=YES
EXCLUDE_SYMBOLS=tgd::detail*
MACRO_EXPANSION=YES
EXPAND_ONLY_PREDEF=YES
PREDEFINED=TGD_API=
"""


def code(text):
    return "```cpp\n" + text.strip() + "\n```\n"


def plain(text):
    return re.sub(r"([*_\[\]`|\\])", r"\\\1", html.escape(text, quote=False))


def words(node):
    """A description as Markdown: paragraphs, code, lists."""
    if node is None:
        return ""
    out = plain(node.text or "")
    for child in node:
        if child.tag == "para":
            out += "\n\n" + words(child) + "\n\n"
        elif child.tag in ("verbatim", "programlisting", "preformatted"):
            out += "\n\n" + code("".join(child.itertext())) + "\n"
        elif child.tag == "computeroutput":
            out += "`" + "".join(child.itertext()) + "`"
        elif child.tag == "listitem":
            out += "\n- " + words(child).strip().replace("\n\n", "\n") + "\n"
        else:
            out += words(child)
        out += plain(child.tail or "")
    return re.sub(r"\n{3,}", "\n\n", out)


def described(node):
    return (words(node.find("briefdescription")).strip() + "\n\n" + words(node.find("detaileddescription")).strip()).strip()


def all_text(node):
    return "" if node is None else re.sub(r"\s+", " ", "".join(node.itertext())).strip()


def signature(member):
    kind, name = member.get("kind"), member.findtext("name")
    template = ""
    if (parameters := member.find("templateparamlist")) is not None:
        listed = ", ".join(" ".join(filter(None, [all_text(one.find("type")), one.findtext("declname") or ""])) for one in parameters)
        template = f"template <{listed}>\n"
    if kind == "enum":
        values = [value.findtext("name") + (" " + all_text(value.find("initializer")) if value.find("initializer") is not None else "")
                  for value in member.findall("enumvalue")]
        return f"enum {'class ' if member.get('strong') == 'yes' else ''}{name} {{ {', '.join(values)} }};"
    if kind == "typedef":
        return f"{template}using {name} = {all_text(member.find('type'))};"
    static = "static " if member.get("static") == "yes" else ""
    virtual = "virtual " if member.get("virt", "non-virtual") != "non-virtual" else ""
    result = all_text(member.find("type"))
    text = template + static + virtual + (result + " " if result else "") + name
    return text + (member.findtext("argsstring") or "") + (" " + all_text(member.find("initializer")) if kind == "variable" else "") + ";"


def with_values(member):
    """What is said of an enum, and of each of its values."""
    lines = [described(member)]
    for value in member.findall("enumvalue"):
        if text := described(value):
            lines.append(f"- `{value.findtext('name')}`: {' '.join(text.split())}")
    return "\n\n".join(filter(None, lines[:1])) + ("\n\n" + "\n".join(lines[1:]) if len(lines) > 1 else "")


def members(compound):
    """Signatures that follow each other without a word of their own stand together."""
    out, together = [], []

    def flush():
        if together:
            out.append(code("\n".join(together)))
            together.clear()

    for section in compound.findall("sectiondef"):
        if section.get("kind", "").startswith("private"):
            continue
        for member in section.findall("memberdef"):
            if member.get("prot") == "private" or member.get("kind") == "friend":
                continue
            text = with_values(member)
            if text:
                flush()
                out.append(code(signature(member)) + "\n" + text + "\n")
            else:
                together.append(signature(member))
    flush()
    return "\n".join(out)


def opening(header):
    """The comment that a header opens with, as paragraphs and code."""
    lines = []
    for line in header.read_text(encoding="utf-8").splitlines():
        if not line.startswith("//"):
            break
        lines.append(line[2:].removeprefix(" "))
    out = []
    for paragraph in "\n".join(lines).split("\n\n"):
        is_code = all(line.startswith("  ") for line in paragraph.splitlines())
        # What a header says of itself in columns is read in columns.
        has_columns = any(re.search(r"\S {3,}\S", line) for line in paragraph.splitlines())
        out.append("```text\n" + paragraph + "\n```" if is_code or has_columns else plain(paragraph))
    return "\n\n".join(out)


def page_name(header):
    return "cpp-" + str(header.relative_to(INCLUDE / "tgd")).replace("/", "-").removesuffix(".hpp") + ".md"


def write(folder):
    """Writes the pages into a folder; returns (title, page) of each."""
    with tempfile.TemporaryDirectory() as made:
        doxyfile = pathlib.Path(made) / "Doxyfile"
        doxyfile.write_text(DOXYFILE.format(include=INCLUDE, folder=made), encoding="utf-8")
        subprocess.run(["doxygen", str(doxyfile)], check=True)
        xml = pathlib.Path(made) / "xml"
        compounds = [ElementTree.parse(xml / (entry.get("refid") + ".xml")).getroot().find("compounddef")
                     for entry in ElementTree.parse(xml / "index.xml").getroot().findall("compound")
                     if entry.get("kind") in ("class", "struct", "union", "namespace")]

    by_header = {}
    for compound in compounds:
        name = compound.findtext("compoundname")
        if compound.get("kind") == "namespace":
            for section in compound.findall("sectiondef"):
                for member in section.findall("memberdef"):
                    location = member.find("location")
                    by_header.setdefault(location.get("file"), []).append((int(location.get("line")), name, member))
        elif compound.get("prot", "public") == "public":
            location = compound.find("location")
            by_header.setdefault(location.get("file"), []).append((int(location.get("line")), name, compound))

    pages = []
    for header in sorted(INCLUDE.rglob("*.hpp")):
        if "detail" in header.parts:
            continue
        title = "tgd/" + str(header.relative_to(INCLUDE / "tgd"))
        text = f"# {title}\n\n{opening(header)}\n"
        for _, name, node in sorted(by_header.get(title, []), key=lambda entry: entry[0]):
            if node.tag == "compounddef":
                text += f"\n## {node.get('kind')} `{html.unescape(name)}`\n\n{described(node)}\n\n{members(node)}\n"
            else:
                text += f"\n## `{name}::{html.unescape(node.findtext('name'))}`\n\n{code(signature(node))}\n{with_values(node)}\n"
        (folder / page_name(header)).write_text(text, encoding="utf-8")
        pages.append((title, page_name(header)))
    return pages
