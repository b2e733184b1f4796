"""Dumps over HTTP into every database: what is in the tables is what a model of the rules says (dumps_model.py)."""
import concurrent.futures
import os
import pathlib
import re
import time

import pytest

import dumps_model
from dumps_model import Refused, read_dump
from dumps_random import Histories
from dumps_site import Dataset, assert_equal, copy, keys, life
from seeds import some

SAMPLES = pathlib.Path(os.environ.get("NPI_SAMPLES", pathlib.Path(__file__).resolve().parents[3] / "shared/data/npi"))
SEED = int(os.environ.get("DUMPS_SEED", time.time()))
N_DATASETS = int(os.environ.get("DUMPS_DATASETS", some(40)))  # for each server; each has up to 60 keys
N_DUMPS = 6


@pytest.fixture
def sink(any_sink):
    return any_sink


def load(files, dataset, model, dump, name="dump"):
    """One dump, and whether what is said of it is right."""
    url = files.put(f"{name}-{dump.as_of}.csv", dump.octets)
    done = copy(url, dataset.url, *keys(model.key))
    try:
        counts = model.load(dump)
    except Refused as e:
        assert done.code != 0, f"it should be refused ({e}): {done}"
        return
    if counts is None:
        assert done.nothing_done, done
    else:
        assert done.counts == counts.told(), done


# The six samples.


def samples():
    found = sorted(SAMPLES.glob("npi-sample-*.csv"))
    if not found:
        pytest.skip(f"the samples are not in {SAMPLES}; NPI_SAMPLES names another directory")
    return found


@pytest.fixture(scope="module")
def sample_dumps():
    return [read_dump(path.read_bytes(), re.search(r"\d{4}-\d\d-\d\d", path.name)[0]) for path in samples()]


def test_the_samples(sink, files, sample_dumps):
    dataset, model = Dataset(sink, "npi"), dumps_model.Dataset(typed=sink.kind == "duckdb")
    for dump in sample_dumps:
        load(files, dataset, model, dump, name="npi-sample")
    assert_equal(dataset, model)
    assert len(model.current) == 18051 and len(model.columns) == 29
    before = dataset.everything()
    for dump in (sample_dumps[-1], sample_dumps[0], sample_dumps[3]):
        load(files, dataset, model, dump, name="npi-sample")
    assert dataset.everything() == before


@pytest.mark.one_database
def test_a_sample_that_was_left_out_is_refused(sink, files, sample_dumps):
    dataset, model = Dataset(sink, "npi"), dumps_model.Dataset()
    for i in (1, 3, 2):
        load(files, dataset, model, sample_dumps[i])
    assert_equal(dataset, model)
    assert list(model.dumps) == [sample_dumps[i].as_of for i in (1, 3)]


# Dumps drawn at random.


def live(sink, files, seed):
    """One dataset's life; the number of versions that came of it."""
    histories = Histories(seed)
    dataset = Dataset(sink, f"h{seed}")
    model = dumps_model.Dataset(key=histories.key, typed=sink.kind == "duckdb")
    try:
        for _ in range(N_DUMPS):
            load(files, dataset, model, histories.next(), name=dataset.table)
        assert_equal(dataset, model)
        for key in sorted({v.key for v in model.past})[:2]:
            assert life(dataset, in_their_order(model, key), model.key) == model.life(key)
    except AssertionError as e:
        raise AssertionError(f"with DUMPS_SEED={seed} DUMPS_DATASETS=1: {e}") from e
    return len(model.versions())


def in_their_order(model, key):
    """The cells of a key as its columns stood in the first dump."""
    cells = dict(zip(model.key, key))
    return [cells[h] for h in model.columns if h in cells]


def test_random_histories(sink, files):
    """Two at a time: datasets in one database do not see each other. (Of a file one waits for the other.)"""
    seeds = range(SEED, SEED + N_DATASETS)
    print(f"DUMPS_SEED={SEED}")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        versions = list(pool.map(lambda seed: live(sink, files, seed), seeds))
    assert sum(versions) > 10 * N_DATASETS
    print(f"{len(versions)} datasets, {sum(versions)} versions")
