"""What setup.py asks the compiler at hand."""

import runpy
import shutil
import stat
import sys
from pathlib import Path

import pytest
import setuptools

Build = pytest.importorskip("Cython.Build")
SETUP = Path(__file__).parents[2] / "setup.py"
CC = shutil.which("gcc")
pytestmark = [
    pytest.mark.skipif(not SETUP.is_file(), reason="tests without sources"),
    pytest.mark.skipif(sys.platform != "linux" or CC is None, reason="needs GCC and Linux"),
]


@pytest.fixture
def build(monkeypatch):
    """Return a `BuildKernels` that has probed the compiler, and has built nothing."""

    def build(build_extension=lambda self, extension: None):
        found = {}
        monkeypatch.chdir(SETUP.parent)
        monkeypatch.setattr(Build, "cythonize", lambda modules, **options: modules)
        monkeypatch.setattr(setuptools, "setup", lambda **options: found.update(options))
        runpy.run_path(str(SETUP))
        command = found["cmdclass"]["build_ext"](setuptools.Distribution({"ext_modules": found["ext_modules"]}))
        monkeypatch.setattr(type(command), "build_extension", build_extension)
        command.finalize_options()
        command.run()
        return {extension.name: extension for extension in command.extensions}

    return build


@pytest.mark.parametrize("strict", ["yes", "no"], ids=["is an error", "is a warning"])
def test_a_flag_that_the_compiler_refuses_is_left_out(build, monkeypatch, tmp_path, strict):
    refused = ["-fno-tree-loop-distribute-patterns", "-fno-unswitch-loops"]
    compiler = tmp_path / "cc"
    cases = "".join(f'[ $strict = yes ] && [ "$word" = {flag} ] && exit 1\n' for flag in refused)
    words = f'for word in "$@"; do\n[ "$word" = -Werror ] && strict=yes\n{cases}done\n'
    compiler.write_text(f'#!/bin/sh\nstrict={strict}\n{words}exec {CC} "$@"\n')
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    with_all = build()["fastreg._kernels_x86_64_v3"].extra_compile_args
    monkeypatch.setenv("CC", str(compiler))
    assert build()["fastreg._kernels_x86_64_v3"].extra_compile_args == [flag for flag in with_all if flag not in refused]


@pytest.mark.parametrize(
    ("host", "kernels"),
    [
        ("linux-x86_64", {"x86_64", "x86_64_v3", "x86_64_v4"}),
        ("linux-aarch64", {"arm64"}),
        ("macosx-11.0-arm64", {"arm64"}),
        ("macosx-10.13-universal2", {"baseline"}),
        ("linux-riscv64", {"baseline"}),
    ],
)
def test_kernels_are_those_of_the_machine_that_the_build_is_for(build, monkeypatch, host, kernels):
    monkeypatch.setenv("_PYTHON_HOST_PLATFORM", host)
    monkeypatch.delenv("FASTREG_BUILD_ISAS", raising=False)
    assert {name.partition("_kernels_")[2] for name in build()} - {""} == kernels


def test_every_kernel_is_built_anew_when_what_it_inlines_changes(build, tmp_path):
    inlined = {
        path.relative_to(SETUP.parent).as_posix() for path in (SETUP.parent / "fastreg" / "_loops").iterdir() if path.is_file()
    }
    kernels = [extension for name, extension in build().items() if "._kernels_" in name]
    assert kernels
    assert len(inlined) > 5
    for extension in kernels:
        assert inlined | {"fastreg/_abi.pxd"} <= set(extension.depends), extension.name


def compile_one(source):
    """Return a `build_extension` that compiles this source."""

    def build_extension(self, extension):
        path = Path(self.build_temp, "one.c")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        self.compiler.compile([str(path)], output_dir=self.build_temp)

    return build_extension


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false"])
def test_without_a_compiler_one_line_says_what_is_needed(build, monkeypatch, compiler, tmp_path):
    monkeypatch.setenv("CC", compiler)
    with pytest.raises(SystemExit, match=r"^fastreg needs a C compiler, for example that of the package build-essential"):
        build(compile_one("int one;"))


def test_an_error_in_the_source_is_not_blamed_on_the_compiler(build):
    with pytest.raises(setuptools.errors.CompileError):
        build(compile_one("int one"))


def test_what_keeps_the_bits_is_never_left_out(build, monkeypatch):
    monkeypatch.setenv("CC", "false")
    for name, extension in build().items():
        assert "-ffp-contract=off" in extension.extra_compile_args, name


@pytest.mark.parametrize("flags", ["", "-fsanitize=undefined", "-fsanitize=address", "-fsanitize=thread"])
def test_openmp_is_found_with_the_flags_of_the_environment(build, monkeypatch, flags):
    monkeypatch.setenv("CFLAGS", flags)
    monkeypatch.setenv("LDFLAGS", flags)
    for name, extension in build().items():
        assert ("-fopenmp" in extension.extra_compile_args) == (name == "fastreg._threads"), name
        assert ("-fopenmp" in extension.extra_link_args) == (name == "fastreg._threads"), name


@pytest.mark.parametrize(
    ("variable", "value"), [("FASTREG_BUILD_OPENMP", "0"), ("LDFLAGS", "-lthere_is_no_such_library"), ("platform", "darwin")]
)
def test_without_openmp_the_threads_are_the_systems_own(build, monkeypatch, capfd, variable, value):
    """On macOS in any case."""
    if variable == "platform":
        monkeypatch.setattr(sys, variable, value)
    else:
        monkeypatch.setenv(variable, value)
    for name, extension in build().items():
        assert not any("omp" in flag for flag in extension.extra_compile_args + extension.extra_link_args), name
        assert ("-pthread" in extension.extra_link_args) == (name == "fastreg._threads"), name
    assert "fastreg: no OpenMP, building on threads of the system's own" in capfd.readouterr().err
