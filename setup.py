"""Compile the loops once for each instruction set, and the rest once.

Everything else about the package stands in pyproject.toml. The environment variable FASTREG_BUILD_ISAS (a comma-separated
list of names below) narrows what is compiled; FASTREG_BUILD_OPENMP=0 builds without OpenMP, on threads of the system's own.
"""

import os
import sys
import sysconfig
import tempfile
import zlib
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

# Python's own flags ask for debug information, which is most of a wheel. Whoever wants it says so in CFLAGS.
NO_DEBUG = [] if any(flag.startswith("-g") for flag in os.environ.get("CFLAGS", "").split()) else ["-g0"]

# Contraction is off everywhere: an FMA would change float64 bits between instruction sets.
STRICT = ["-O3", *NO_DEBUG, "-ffp-contract=off", "-DCYTHON_INLINE=__inline__ __attribute__((always_inline))"]

# Left out where the compiler refuses them, for none changes a value. The first two let it turn comparisons and square roots into
# vector code. The others keep the loops what they are meant to be: specialized by calling inline functions with literals (left
# to itself, GCC makes one function with branches), without turning the store of a row from registers into a copy through memory,
# and without two of every loop for each option of a rule, which takes minutes to compile.
OPTIONAL = [
    "-fno-trapping-math",
    "-fno-math-errno",
    "-fno-tree-loop-distribute-patterns",
    "-fno-unswitch-loops",
]

# C's arithmetic and indexing, in each .pxd too: with Python's division a loop checks each divisor and stays scalar.
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "freethreading_compatible": True,
}

NO_COMPILER = "fastreg needs a C compiler, for example that of the package build-essential; none works here"

# Name of the kernel -> its instruction set.
X86_64 = {
    "x86-64": ["-march=x86-64"],
    "x86-64-v3": ["-march=x86-64-v3"],
    "x86-64-v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}


def kernel_flags(msvc: bool) -> dict[str, list[str]]:
    """Return the compiler flags of each kernel that is to be built."""
    if msvc:
        return {"baseline": ["/O2", "/fp:precise"]}
    # Of the interpreter that the build is for, which may run on another machine: "linux-aarch64", "macosx-11.0-arm64".
    architecture = sysconfig.get_platform().rpartition("-")[2]
    if architecture in ("aarch64", "arm64"):
        return {"arm64": STRICT + OPTIONAL}
    if architecture != "x86_64":
        return {"baseline": STRICT + OPTIONAL}
    wanted = os.environ.get("FASTREG_BUILD_ISAS")
    names = wanted.split(",") if wanted else list(X86_64)
    unknown = sorted(set(names) - set(X86_64))
    if unknown:
        raise SystemExit(f"FASTREG_BUILD_ISAS names {unknown}; known here: {list(X86_64)}")
    return {name: STRICT + OPTIONAL + X86_64[name] for name in names}


class BuildKernels(build_ext):
    """`build_ext` that asks the compiler at hand what it can do."""

    def build_extensions(self) -> None:
        """Probe for flags and for OpenMP, then build; without OpenMP, say what there is instead."""
        self.parallel = self.parallel or os.cpu_count()
        refused = self.refused_flags()
        openmp = self.openmp_flags()
        if openmp is None:
            threads = "without threads" if sys.platform == "win32" else "on threads of the system's own"
            print(f"fastreg: no OpenMP, building {threads}", file=sys.stderr)
            openmp = ([], []) if sys.platform == "win32" else (["-pthread"], ["-pthread"])
        for extension in self.extensions:
            extension.extra_compile_args = [flag for flag in extension.extra_compile_args if flag not in refused]
            if extension.name == "fastreg._threads":
                extension.extra_compile_args += openmp[0]
                extension.extra_link_args += openmp[1]
        try:
            super().build_extensions()
        except CompileError as error:
            if self.builds("int one;", []):
                raise
            raise SystemExit(NO_COMPILER) from error

    def refused_flags(self) -> set[str]:
        """Return the optional flags that the compiler at hand does not know; of some, clang only warns."""
        if self.compiler.compiler_type == "msvc":
            return set()
        strict = ["-Werror"] if self.builds("int one;", ["-Werror"]) else []
        return {flag for flag in OPTIONAL if not self.builds("int one;", [*strict, flag])}

    def openmp_flags(self) -> tuple[list[str], list[str]] | None:
        """Return (compile, link) flags with which an OpenMP program builds, or None.

        None but on Linux and Windows: on macOS each library brings a runtime of its own, and two in a process crash.
        """
        if os.environ.get("FASTREG_BUILD_OPENMP") == "0" or sys.platform not in ("linux", "win32"):
            return None
        flags = (["/openmp"], []) if self.compiler.compiler_type == "msvc" else (["-fopenmp"], ["-fopenmp"])
        source = "#include <omp.h>\nint threads(void) { return omp_get_max_threads(); }\n"
        return flags if self.builds(source, *flags) else None

    def builds(self, source: str, compile_args: list[str], link_args: list[str] | None = None) -> bool:
        """Tell whether C source builds as an extension does, CFLAGS and LDFLAGS included: a program is linked without them."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "probe.c")
            path.write_text(source)
            try:
                objects = self.compiler.compile([str(path)], output_dir=folder, extra_postargs=compile_args)
                self.compiler.link_shared_object(objects, str(Path(folder, "probe.so")), extra_postargs=link_args)
            except (CompileError, LinkError):
                return False
        return True


def extensions() -> list[Extension]:
    """Cythonize one kernel module per ISA, each into its own folder, and the modules that depend on no ISA."""
    msvc = sys.platform == "win32"
    built: list[Extension] = []
    inlined = [str(path) for path in sorted(Path("fastreg").rglob("*.pxd")) + sorted(Path("fastreg/_loops").glob("*.h"))]
    # A kernel that was compiled with another _abi.pxd is refused when it is installed: it would read other structs.
    abi: list[tuple[str, str | None]] = [("FASTREG_ABI", f"{zlib.crc32(Path('fastreg/_abi.pxd').read_bytes())}u")]
    for isa, flags in kernel_flags(msvc).items():
        module = Extension(
            f"fastreg._kernels_{isa.replace('-', '_')}",
            ["fastreg/_kernels.pyx"],
            include_dirs=["fastreg"],
            define_macros=abi,
            depends=inlined,
            extra_compile_args=list(flags),
        )
        built += cythonize([module], build_dir=f"build/{isa}", compiler_directives=DIRECTIVES, emit_linenums=True)
    plain = ["/O2"] if msvc else ["-O3", *NO_DEBUG, "-ffp-contract=off"]
    once = [
        Extension(
            f"fastreg.{name}",
            [f"fastreg/{name}.pyx"],
            include_dirs=["fastreg", numpy.get_include()],
            define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION"), *abi],
            depends=[*inlined, "fastreg/_team.h", "fastreg/_float_environment.h"],
            extra_compile_args=list(plain),
        )
        for name in ("_threads", "_jobs", "_arrays", "_penalty", "_collection", "_step", "_rows", "_constraints", "_lines")
    ]
    return built + cythonize(once, build_dir="build/common", compiler_directives=DIRECTIVES, emit_linenums=True)


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildKernels})
