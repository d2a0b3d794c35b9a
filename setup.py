"""Compile the loops once for each instruction set, and the rest once.

Everything else about the package stands in pyproject.toml. The environment variable FASTREG_BUILD_ISAS (a comma-separated
list of names below) narrows what is compiled; FASTREG_BUILD_OPENMP=0 builds without OpenMP.
"""

import os
import platform
import sys
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

# Contraction is off everywhere: an FMA would change float64 bits between instruction sets. The next two let the compiler turn
# comparisons and square roots into vector code; no flag changes a value. The last three keep the loops what they are meant to
# be: specialized by calling inline functions with literals (left to itself, GCC makes one function with branches), without
# turning the store of a row from registers into a copy through memory, and without two of every loop for each option of a
# rule, which takes minutes to compile.
STRICT = [
    "-O3",
    "-ffp-contract=off",
    "-fno-trapping-math",
    "-fno-math-errno",
    "-DCYTHON_INLINE=__inline__ __attribute__((always_inline))",
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

# Name of the kernel -> its instruction set.
X86_64 = {
    "x86-64": ["-march=x86-64"],
    "x86-64-v3": ["-march=x86-64-v3"],
    "x86-64-v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}


def kernel_flags(msvc: bool) -> dict[str, list[str]]:
    """Return the compiler flags of each kernel that this machine and compiler can build."""
    if msvc:
        return {"baseline": ["/O2", "/fp:precise"]}
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return {"baseline": STRICT}
    wanted = os.environ.get("FASTREG_BUILD_ISAS")
    names = wanted.split(",") if wanted else list(X86_64)
    unknown = sorted(set(names) - set(X86_64))
    if unknown:
        raise SystemExit(f"FASTREG_BUILD_ISAS names {unknown}; known here: {list(X86_64)}")
    return {name: STRICT + X86_64[name] for name in names}


class BuildKernels(build_ext):
    """`build_ext` that asks the compiler at hand what it can do."""

    def build_extensions(self) -> None:
        """Probe for OpenMP, then build; without it the build is serial and says so."""
        self.parallel = self.parallel or os.cpu_count()
        openmp = self.openmp_flags()
        if openmp is None:
            print("fastreg: no OpenMP found, building without threads", file=sys.stderr)
        for extension in self.extensions:
            if extension.name == "fastreg._threads" and openmp is not None:
                extension.extra_compile_args += openmp[0]
                extension.extra_link_args += openmp[1]
        super().build_extensions()

    def openmp_flags(self) -> tuple[list[str], list[str]] | None:
        """Return (compile, link) flags with which an OpenMP program builds, or None."""
        if os.environ.get("FASTREG_BUILD_OPENMP") == "0":
            return None
        candidates: list[tuple[list[str], list[str]]]
        if self.compiler.compiler_type == "msvc":
            candidates = [(["/openmp"], [])]
        elif sys.platform == "darwin":
            candidates = [(["-Xpreprocessor", "-fopenmp"], ["-lomp"]), (["-fopenmp"], ["-fopenmp"])]
        else:
            candidates = [(["-fopenmp"], ["-fopenmp"])]
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text("#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n")
            for compile_args, link_args in candidates:
                try:
                    objects = self.compiler.compile([str(source)], output_dir=folder, extra_postargs=compile_args)
                    self.compiler.link_executable(objects, "probe", output_dir=folder, extra_postargs=link_args)
                except (CompileError, LinkError):
                    continue
                return compile_args, link_args
        return None


def extensions() -> list[Extension]:
    """Cythonize one kernel module per ISA, each into its own folder, and the modules that depend on no ISA."""
    msvc = sys.platform == "win32"
    built: list[Extension] = []
    inlined = [str(path) for path in sorted(Path("fastreg").rglob("*.pxd")) + sorted(Path("fastreg/_loops").glob("*.h"))]
    for isa, flags in kernel_flags(msvc).items():
        module = Extension(
            f"fastreg._kernels_{isa.replace('-', '_')}",
            ["fastreg/_kernels.pyx"],
            include_dirs=["fastreg"],
            depends=inlined,
            extra_compile_args=list(flags),
        )
        built += cythonize([module], build_dir=f"build/{isa}", compiler_directives=DIRECTIVES)
    plain = ["/O2"] if msvc else ["-O3", "-ffp-contract=off"]
    once = [
        Extension(
            f"fastreg.{name}",
            [f"fastreg/{name}.pyx"],
            include_dirs=["fastreg", numpy.get_include()],
            define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
            depends=[*inlined, "fastreg/_team.h"],
            extra_compile_args=list(plain),
        )
        for name in ("_threads", "_jobs", "_arrays", "_penalty", "_batch", "_rows")
    ]
    return built + cythonize(once, build_dir="build/common", compiler_directives=DIRECTIVES)


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildKernels})
