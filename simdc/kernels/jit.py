"""How kernels are compiled: the one file that touches Numba's internals.

Three things that Numba has no public switch for make the short loops fast: a promise that the
arrays passed to a loop do not overlap, a preference for 512-bit vectors, and a comparison of 64
numbers that yields one bit for each. All change speed and never a bit of the result; where one is
unavailable, or ``SIMDC_PLAIN_NUMBA`` is set, the loops compile without it.

Compiled code is cached in the user's cache folder under a key made of the kernel sources, the
versions of Numba and Python and the features of the processor, so that an edit can never meet a
stale callee.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import platform
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import llvmlite.binding
import numba
import numpy as np
import platformdirs
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "COMPILED",
    "cache_folder",
    "compile_lock",
    "count_ones",
    "inlined",
    "kernel",
    "lanes_at_least",
    "leaf",
    "lowest_one",
    "wide_vectors",
]

Function = TypeVar("Function", bound=Callable[..., Any])


# --- compiled code on disk --------------------------------------------------------------------

COMPILED = "compiled"  # file that says that everything is there

_PLAIN = bool(os.environ.get("SIMDC_PLAIN_NUMBA"))
_INTERPRETED = bool(numba.config.DISABLE_JIT)

# What changes the code that is generated from the same sources on the same machine.
_SWITCHES = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_BOUNDSCHECK", "SIMDC_PLAIN_NUMBA")


def _key() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode())
        digest.update(source.read_bytes())
    made_by = (
        numba.__version__,
        platform.python_version(),
        llvmlite.binding.get_host_cpu_name(),
        llvmlite.binding.get_host_cpu_features().flatten(),
        *(os.environ.get(name, "") for name in _SWITCHES),
    )
    digest.update("\n".join(made_by).encode())
    return digest.hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@cache
def cache_folder() -> Path | None:
    """Where compiled kernels are kept; None where nothing can be written.

    ``SIMDC_CACHE_DIR`` moves it. A folder that was filled and then write-protected is read through
    a copy, because Numba only looks where it can write. Where there is nothing to read either,
    kernels are compiled anew in every process, which takes seconds but changes nothing else.
    """
    chosen = os.environ.get("SIMDC_CACHE_DIR")
    root = Path(chosen) if chosen else platformdirs.user_cache_path("simdc", appauthor=False)
    folder = root / "kernels" / _key()
    if _writable(folder):
        return folder
    return _copy_of(folder) if (folder / COMPILED).exists() else None


def _copy_of(folder: Path) -> Path | None:
    try:
        copy = Path(tempfile.mkdtemp(prefix="simdc-kernels-"))
        atexit.register(shutil.rmtree, copy, ignore_errors=True)
        return Path(shutil.copytree(folder, copy, dirs_exist_ok=True, copy_function=shutil.copy))
    except OSError:
        return None


@contextlib.contextmanager
def compile_lock() -> Iterator[None]:
    """Hold the cache folder while compiling, so that processes starting at once compile once.

    The lock belongs to the open file, so a process that dies gives it back.
    """
    folder = cache_folder()
    if folder is None:
        yield
        return
    try:
        import fcntl
    except ImportError:  # Windows: processes may compile side by side, each correctly
        yield
        return
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _numba_cache_folder() -> Iterator[bool]:
    """Point Numba at our folder while it decides where a function is cached."""
    folder = cache_folder()
    if folder is None:
        yield False
        return
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        yield True
    finally:
        numba.config.CACHE_DIR = before


# --- what Numba has no switch for -------------------------------------------------------------


def _no_alias_options() -> dict[str, Any]:
    """Compiler options that promise that array arguments do not overlap."""
    if _PLAIN:
        return {}
    try:
        from numba.core.compiler import CompilerBase, DefaultPassBuilder, Flags

        if "noalias" not in Flags.options:
            return {}
    except (ImportError, AttributeError):
        return {}

    class NoAliasCompiler(CompilerBase):
        def define_pipelines(self) -> list[Any]:
            self.state.flags.noalias = True
            return [DefaultPassBuilder.define_nopython_pipeline(self.state)]

    return {"pipeline_class": NoAliasCompiler}


@intrinsic
def wide_vectors(typingctx: Any) -> Any:
    """Ask LLVM to use 512-bit vectors in the calling function where the processor has them."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not _PLAIN:
            # The attribute set refuses names it does not know; it is a set all the same.
            with contextlib.suppress(TypeError, AttributeError):
                set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), codegen


_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": False}
_LEAF_OPTIONS = _OPTIONS | _no_alias_options()


def _compile(function: Function, options: dict[str, Any]) -> Function:
    with _numba_cache_folder() as cached, warnings.catch_warnings():
        warnings.simplefilter("ignore", numba.NumbaWarning)
        compiled: Function = numba.njit(cache=cached, **options)(function)
    return compiled


def kernel(function: Function) -> Function:
    """Compile a function that runs without the interpreter's lock and is cached on disk."""
    return _compile(function, _OPTIONS)


def inlined(function: Function) -> Function:
    """Compile a piece of arithmetic that is merged into each caller's loop."""
    return _compile(function, _OPTIONS | {"forceinline": True})


def leaf(function: Function) -> Function:
    """Compile one short loop whose array arguments never overlap."""
    return _compile(function, _LEAF_OPTIONS)


# --- one bit per lane -------------------------------------------------------------------------


@intrinsic
def lowest_one(typingctx: Any, word: Any) -> Any:
    """Position of the lowest bit that is set in a uint64; 64 where none is."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), codegen


@intrinsic
def count_ones(typingctx: Any, word: Any) -> Any:
    """Number of bits that are set in a uint64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), codegen


@inlined
def _lanes_one_by_one(values, row, first, threshold):
    lanes = np.uint64(0)
    for j in range(np.uint64(64)):
        bits = np.float32(values[row, first + j]).view(np.uint32)
        lanes |= np.uint64(bits >= threshold) << j
    return lanes


@intrinsic
def _lanes_at_once(typingctx: Any, values: Any, row: Any, first: Any, threshold: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array_type = signature.args[0]
        array = context.make_array(array_type)(context, builder, args[0])
        start = cgutils.get_item_pointer(
            context, builder, array_type, array, args[1:3], wraparound=False
        )
        bits = ir.VectorType(ir.IntType(32), 64)
        lanes = builder.load(builder.bitcast(start, bits.as_pointer()), align=4)
        nothing = ir.Constant(bits, ir.Undefined)
        first_lane = builder.insert_element(nothing, args[3], ir.Constant(ir.IntType(32), 0))
        every_lane = builder.shuffle_vector(first_lane, nothing, ir.Constant(bits, [0] * 64))
        return builder.bitcast(builder.icmp_unsigned(">=", lanes, every_lane), ir.IntType(64))

    return types.uint64(values, row, first, threshold), codegen


lanes_at_least = _lanes_one_by_one if _PLAIN or _INTERPRETED else _lanes_at_once
"""Which of 64 neighbouring numbers reach a threshold, one bit each, lowest bit first.

Parameters
----------
values : float32 array of shape (row, lane)
    Not negative, so that they are in the order of their bits.
row, first : uint64
    Lanes ``first`` to ``first + 63`` of this row.
threshold : uint32
    Bits of the float32 to reach.

Returns
-------
uint64
"""


if _INTERPRETED:  # the same in Python, for coverage and for stepping through a kernel

    def wide_vectors() -> None:
        """Do nothing: there is no code to be shaped."""

    def lowest_one(word: Any) -> Any:
        """Position of the lowest bit that is set in a uint64; 64 where none is."""
        bits = int(word)
        return np.uint64((bits & -bits).bit_length() - 1 if bits else 64)

    def count_ones(word: Any) -> Any:
        """Number of bits that are set in a uint64."""
        return np.uint64(int(word).bit_count())
