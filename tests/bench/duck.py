"""DuckDB itself, without anything of ours: what the figures of its sink are compared with."""
import contextlib
import ctypes
import os
import pathlib


def library():
    """As setup/duckdb put it there."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "ingestd"
    (path,) = sorted(cache.glob("duckdb-*/libduckdb.so"))[-1:]
    return ctypes.CDLL(str(path))


class Result(ctypes.Structure):
    _fields_ = [("opaque", ctypes.c_void_p * 6)]


class Duck:
    def __init__(self, path):
        self.lib = library()
        self.lib.duckdb_value_int64.restype = ctypes.c_int64
        self.lib.duckdb_result_error.restype = ctypes.c_char_p
        self.database, self.connection = ctypes.c_void_p(), ctypes.c_void_p()
        if self.lib.duckdb_open(str(path).encode(), ctypes.byref(self.database)) != 0:
            raise RuntimeError(f"DuckDB does not open {path}")
        self.lib.duckdb_connect(self.database, ctypes.byref(self.connection))

    def sql(self, text):
        """The first value of the first row as a number, 0 where there is none."""
        result = Result()
        bad = self.lib.duckdb_query(self.connection, text.encode(), ctypes.byref(result))
        error = self.lib.duckdb_result_error(ctypes.byref(result)) if bad else None
        value = 0 if bad else self.lib.duckdb_value_int64(ctypes.byref(result), ctypes.c_uint64(0), ctypes.c_uint64(0))
        self.lib.duckdb_destroy_result(ctypes.byref(result))
        if bad:
            raise RuntimeError(error.decode())
        return value

    def close(self):
        self.lib.duckdb_disconnect(ctypes.byref(self.connection))
        self.lib.duckdb_close(ctypes.byref(self.database))


@contextlib.contextmanager
def duck(path):
    d = Duck(path)
    try:
        yield d
    finally:
        d.close()
