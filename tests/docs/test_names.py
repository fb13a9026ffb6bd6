"""What README.md and docs/ name exists: files, modules, flags, links and pictures."""

import ast
import contextlib
import functools
import importlib
import io
import re
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, blocks, inline_code, read

RAW = "https://raw.githubusercontent.com/stargan-tf/stargan-tf/main/"

# Every command of these folders, and those elsewhere and their modes.
COMMANDS = [
    *(
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for pattern in (
            "stargan_tf/*.py",
            "data_prep/*.py",
            "pipeline/*.py",
            "pipeline/components/*.py",
            "benchmarks/*.py",
            "examples/*.py",
        )
        for path in sorted(ROOT.glob(pattern))
        if "def main(argv" in path.read_text()
    ),
    "stargan_tf.serving.client",
    "stargan_tf.serving.client translate",
    "stargan_tf.sample cycle",
    "stargan_tf.sample interpolate",
    "tests.parity",
    "tests.serve_check",
]
# Flags of other programs.
FOREIGN_FLAGS = {
    *("--setup_file", "--runner", "--environment_type", "--environment_config", "--environment_cache_millis"),  # Beam
    *(
        "--requirements_file",
        *(f"--s3_{name}" for name in ("access_key_id", "secret_access_key", "session_token", "endpoint_url")),
        *(f"--s3_{name}" for name in ("region_name", "verify", "disable_ssl")),
        *("--azure_connection_string", "--blob_service_endpoint", "--hdfs_host", "--hdfs_port", "--hdfs_user"),
        *("--flink_master", "--flink_job_server_jar", "--spark_job_server_jar", "--job_endpoint", "--parallelism"),
        *("--service_port", "--prism_location"),
        "--spark_master_url",
        "--sdk_container_image",
        "--direct_num_workers",
    ),
    *("--model_config_file_poll_wait_seconds", "--ssl_config_file", "--rest_api_timeout_in_ms"),  # TF Serving
    *("--allow_version_labels_for_unavailable_models", "--grpc_channel_arguments"),
    *(
        "--wait",
        "--randomly-seed",
        "--logdir",
        "--strict",
        "--no-deps",
        "--override",
    ),  # pytest, Compose, tensorboard, kubernetes-validate, pip, uv
}

_FILE = re.compile(
    r"\b(?:stargan_tf|data_prep|pipeline|tests|benchmarks|docs|examples)/[\w./-]*|\b[a-z_]+/[\w/]+\.py\b"
)
_DOTTED = re.compile(r"(?<![\w./])(?:stargan_tf|data_prep|pipeline|benchmarks|examples|tests)(?:\.\w+)+")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FLAG = re.compile(r"(?<![\w-])--[a-z][\w.-]*")


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(page):
    names = {name for code in inline_code(page) for name in _FILE.findall(code)}
    # Pages on the inside leave out "stargan_tf/", and some endings.
    there = {name for name in names for root in (ROOT, ROOT / "stargan_tf") if list(root.glob(f"{name.rstrip('/')}*"))}
    assert sorted(names - there) == []


@pytest.mark.parametrize("page", PAGES)
def test_code_is_fenced(page):
    """Only fenced blocks are run."""
    text = re.sub(r"^```.*?^```", "", read(page), flags=re.MULTILINE | re.DOTALL)
    assert not re.findall(r"^ {4,}(?:[\w./]*python -m|make|pip install) .*", text, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_modules_that_a_page_names_exist(page):
    code = [*inline_code(page), *(block.text for block in blocks(page) if block.language in ("sh", "python"))]
    names = {name for text in code for name in _DOTTED.findall(text)} | set(re.findall(r"^::: (\S+)", read(page), re.M))
    # stargan_tf.range and its like are keys in ONNX files, NAME.py and NAME.yaml are files.
    keys = {"range", "mean", "std", "size", "layout"}
    named = [name for name in names if name.split(".")[-1] not in {"py", "yaml", "json", *keys}]
    assert not [name for name in named if not _exists(name)]


def _exists(name: str) -> bool:
    """Whether this is a package, a module, or what the last module on the way defines."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:count])
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if file.is_file():
            return count == len(parts) or parts[count] in _defined(file)
    return False


@functools.cache
def _defined(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    names |= {
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return names | {target.id for target in targets if isinstance(target, ast.Name)}


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_of_a_page_exist(page):
    for link in _LINK.findall(re.sub(r"`[^`]*`", "", read(page))):
        if link.startswith(RAW):
            assert (ROOT / link.removeprefix(RAW)).is_file(), link
        elif not link.startswith(("https://", "http://", "#")):
            target = (ROOT / page).parent / link.partition("#")[0]
            assert target.exists(), link


def test_sections_that_the_program_names_exist():
    """Notes and descriptions lead to a section of a page."""
    named = {
        name
        for path in ROOT.glob("stargan_tf/**/*.py")
        for name in re.findall(r"(docs/\w+\.md)#([\w-]+)", path.read_text(encoding="utf-8"))
    }
    assert named
    for page, section in named:
        titles = re.findall(r"^#+ (.+)$", read(page), re.MULTILINE)
        assert section in {re.sub(r"[^\w\s-]", "", title).lower().replace(" ", "-") for title in titles}, section


def test_short_names_of_commands_exist():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    named = {code for page in PAGES for code in inline_code(page) if re.fullmatch(r"stargan-[a-z]+", code)}
    assert named and named <= set(scripts) | {"stargan-tf"}
    for script, place in scripts.items():
        assert _exists(place.replace(":", ".")), script


def test_pictures_of_the_readme_can_be_seen_on_a_package_index():
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", read("README.md"))
    assert pictures and all(picture.startswith(RAW) for picture in pictures)


def test_the_readme_is_short():
    assert len(read("README.md").splitlines()) <= 150


@pytest.fixture(scope="module")
def known_flags():
    """All flags that the help of our commands lists."""
    flags = set(FOREIGN_FLAGS)
    for command in COMMANDS:
        module, *mode = command.split()
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
            importlib.import_module(module).main([*mode, "--help"])
        assert out.getvalue(), command
        flags |= {flag.rstrip(".") for flag in _FLAG.findall(out.getvalue())}
    return flags


@pytest.mark.parametrize("page", PAGES)
def test_flags_that_a_page_names_exist(page, known_flags):
    named = {flag.rstrip(".") for code in inline_code(page) for flag in _FLAG.findall(code)}
    assert sorted(named - known_flags) == []
