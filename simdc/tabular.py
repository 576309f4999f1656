"""Tables that a user supplies: CSV or Parquet, read with one sentence for whatever is wrong."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simdc.errors import InputError, Problem, nearest
from simdc.magnitude import LEAST, MOST, SIZE

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["numbers", "place_of_row", "read_table", "refuse_misspelt", "require_columns", "texts"]


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV (UTF-8, comma, header line) or Parquet file.

    Raises
    ------
    InputError
        If the file is missing, of another kind, unreadable or without rows.
    """
    import pandas as pd

    if path.is_dir():
        raise InputError("is a folder, not a CSV or Parquet file", file=path)
    if not path.exists():
        raise InputError("there is no such file", file=path)
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise InputError("must be a .csv or .parquet file", file=path)
    try:
        frame = (
            pd.read_csv(
                path, encoding="utf-8-sig", dtype={"id": str, "segment": str, "county": str}
            )
            if kind == ".csv"
            else pd.read_parquet(path, engine="pyarrow")
        )
    except ImportError:
        raise InputError(
            "reading Parquet needs pyarrow: pip install 'simdc[parquet]', or save the file as CSV",
            file=path,
        ) from None
    except pd.errors.EmptyDataError:
        raise InputError("is empty", file=path) from None
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", file=path) from None
    except (ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise InputError(f"cannot be read as {kind[1:].upper()}: {reason}", file=path) from error
    if frame.empty:
        raise InputError("has no rows", file=path)
    return frame


def require_columns(frame: pd.DataFrame, names: tuple[str, ...], path: Path) -> None:
    """Refuse a table without all the named columns; each missing one gets its nearest name."""
    found = [str(column) for column in frame.columns]
    spare = [column for column in found if column not in names]
    missing = [
        Problem(
            f"there is no such column; the columns are {', '.join(found)}",
            path=f"column '{name}'",
            suggestion=nearest(name, spare),
        )
        for name in names
        if name not in found
    ]
    if missing:
        raise InputError(missing, file=path)


def refuse_misspelt(frame: pd.DataFrame, known: Collection[str], path: Path) -> None:
    """Refuse columns that are nearly called like one that is known and not there.

    A misspelt optional column would otherwise be passed over in silence.
    """
    found = [str(column) for column in frame.columns]
    absent = [name for name in known if name not in found]
    misspelt = [
        Problem(
            f"unknown column; those known are {', '.join(known)}",
            path=f"column '{column}'",
            suggestion=near,
        )
        for column in found
        if column not in known and (near := nearest(column.strip(), absent))
    ]
    if misspelt:
        raise InputError(misspelt, file=path)


def place_of_row(row: int, path: Path) -> str:
    """Where a row stands in its file: ``line 2`` of a CSV file, whose header is line 1.

    Parameters
    ----------
    row : int
        Place in the table, counted from 0.
    path : Path
        The file; one without lines has rows, counted from 1.
    """
    if path.suffix.lower() != ".csv":
        return f"row {row + 1}"
    return f"line {_first_lines(path)[row + 1]}"


def _first_lines(path: Path) -> list[int]:
    """The line on which each record of a CSV file begins; blank lines hold none."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        lines = list(stream)
    reader = csv.reader(lines)
    first = [0, *(reader.line_num for _ in reader)]
    return [start + 1 for start in first[:-1] if lines[start].strip()]


def numbers(
    frame: pd.DataFrame,
    name: str,
    path: Path,
    allowed: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
    sentence: str,
) -> NDArray[np.float64]:
    """One column as float64; the first value that is no number or not allowed is refused.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table.
    name : str
        The column.
    path : Path
        The file, for the message.
    allowed : callable
        Which values of an array are allowed; infinite and missing ones never are.
    sentence : str
        What is allowed, such as ``must be a finite number of 0 or more``.
    """
    import pandas as pd

    column = frame[name]
    values = np.asarray(pd.to_numeric(column, errors="coerce"), dtype=np.float64)
    finite = np.isfinite(values)
    good = finite & allowed(np.where(finite, values, 0.0))
    if pd.api.types.is_bool_dtype(column.dtype):
        good[:] = False
    if not good.all():
        raise _refusal(name, int(np.argmin(good)), column, path, sentence)
    sized = (values == 0) | ((np.abs(values) >= LEAST) & (np.abs(values) <= MOST))
    if not sized.all():
        raise _refusal(name, int(np.argmin(sized)), column, path, SIZE)
    return values


def texts(frame: pd.DataFrame, name: str, path: Path) -> NDArray[np.object_]:
    """One column as text; a missing value is refused."""
    column = frame[name]
    missing = column.isna().to_numpy()
    if missing.any():
        raise _refusal(name, int(np.argmax(missing)), column, path, "must not be empty")
    return np.asarray(column.astype(str), dtype=np.object_)


def _refusal(name: str, row: int, column: pd.Series[Any], path: Path, sentence: str) -> InputError:
    value = column.iloc[row]
    given = "nothing" if value != value or value is None else str(value)
    return InputError(
        Problem(sentence, path=f"column '{name}', {place_of_row(row, path)}", given=given),
        file=path,
    )
