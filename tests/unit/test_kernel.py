"""The cost kernel against a plain NumPy twin, and against how the work is cut."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from simdc.kernels.philox import key_words, philox_words
from simdc.kernels.strip import segment_sums
from simdc.kernels.table import BODY_CELLS, BODY_SHIFT, REFINED_BELOW, TAIL_CELLS
from simdc.severity import gamma, generalised_gamma
from simdc.severity_table import QuantileTable, lookup, quantile_table

SEED, STREAM = 20_220_101, 0x01ABCDEF


def kernel(table, scale, attachment, factor, first_draw=0):
    people = -(-len(scale) // 16) * 16
    padded_scale = np.zeros(people, dtype=np.float32)
    padded_scale[: len(scale)] = scale
    padded_attachment = np.full((people, attachment.shape[1]), np.inf)
    padded_attachment[: len(scale)] = attachment
    cost = np.empty(len(factor))
    excess = np.empty((attachment.shape[1], len(factor)))
    segment_sums(
        cost,
        excess,
        np.uint64(first_draw),
        np.uint64(STREAM),
        *key_words(SEED),
        padded_scale,
        padded_attachment,
        factor,
        table.body,
        table.tail,
    )
    return cost, excess


def twin(table, scale, attachment, factor, first_draw=0):
    """Every person's cost as an array, the factor applied before the attachment points."""
    draws = len(factor)
    cost = np.zeros((draws, len(scale)))
    for person, expected in enumerate(scale):
        group, member = divmod(person, 4)
        word = philox_words(SEED, first_draw, draws, STREAM, group, 0)[:, member]
        fine = philox_words(SEED, first_draw, draws, STREAM, group, 1)[:, member]
        cost[:, person] = np.float32(expected) * lookup(table, word, fine).astype(np.float64)
    cost *= factor[:, None]
    excess = [
        np.maximum(cost - attachment[:, h], 0.0).sum(axis=1) for h in range(attachment.shape[1])
    ]
    return cost.sum(axis=1), np.array(excess)


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(5)
    table = quantile_table(generalised_gamma(0.488, 0.693, zero_probability=0.05))
    scale = 12_000.0 * rng.lognormal(-0.125, 0.5, size=203)
    attachment = np.column_stack([np.full(203, 60_000.0), np.full(203, 150_000.0), 20.0 * scale])
    factor = np.exp(rng.normal(0.0, 0.05, size=700))
    return table, scale, attachment, factor


def test_sums_agree_with_the_twin(case):
    cost, excess = kernel(*case)
    expected_cost, expected_excess = twin(*case)
    # The kernel holds each cost in float32: 24 bits, so 6e-8 of each cost at most.
    np.testing.assert_allclose(cost, expected_cost, rtol=2e-7)
    np.testing.assert_allclose(excess, expected_excess, rtol=2e-6, atol=0.05)


def test_the_rare_small_words_are_refined():
    """A tail so likely to be read that a missing refinement would show as an infinite cost."""
    table = quantile_table(gamma(0.4))
    scale = np.full(64, 1000.0)
    attachment = np.full((64, 1), 1e9)
    factor = np.ones(20_000)
    words = np.concatenate([philox_words(SEED, 0, 20_000, STREAM, g, 0).ravel() for g in range(16)])
    assert (words < REFINED_BELOW).sum() > 5
    cost, excess = kernel(table, scale, attachment, factor)
    assert np.isfinite(cost).all()
    assert np.isfinite(excess).all()
    np.testing.assert_allclose(cost, twin(table, scale, attachment, factor)[0], rtol=2e-7)


@pytest.mark.parametrize("cut", [1, 37, 100, 128, 500])
def test_blocks_of_draws_join_to_the_same_bits(case, cut):
    table, scale, attachment, factor = case
    whole_cost, whole_excess = kernel(table, scale, attachment, factor)
    parts = [
        kernel(table, scale, attachment, factor[start : start + cut], first_draw=start)
        for start in range(0, len(factor), cut)
    ]
    assert np.concatenate([c for c, _ in parts]).tobytes() == whole_cost.tobytes()
    assert np.concatenate([e for _, e in parts], axis=1).tobytes() == whole_excess.tobytes()


def test_skipping_changes_no_bit(case):
    """An attachment point of zero is never skipped; it must sum to the cost itself."""
    table, scale, _, factor = case
    cost, excess = kernel(table, scale, np.zeros((len(scale), 1)), factor)
    np.testing.assert_allclose(excess[0], cost, rtol=1e-12)


def test_costs_taken_singly_and_by_whole_strips_give_the_same_bits(case):
    """A further attachment point that nearly every cost exceeds sends all of them by strips."""
    table, scale, attachment, factor = case
    cost, excess = kernel(table, scale, attachment, factor)
    low = np.column_stack([attachment, np.full(len(scale), 100.0)])
    same_cost, more = kernel(table, scale, low, factor)
    assert cost.tobytes() == same_cost.tobytes()
    assert excess.tobytes() == more[:-1].tobytes()


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_an_attachment_point_of_zero_counts_every_cost(case, zero):
    table, scale, _, factor = case
    _, excess = kernel(table, scale, np.full((len(scale), 1), zero), factor)
    _, expected = twin(table, scale, np.zeros((len(scale), 1)), factor)
    np.testing.assert_allclose(excess, expected, rtol=2e-7)


def test_people_after_one_another_do_not_change_those_before(case):
    table, scale, attachment, factor = case
    all_cost, _ = kernel(table, scale, attachment, factor)
    first, _ = kernel(table, scale[:100], attachment[:100], factor)
    rest = np.concatenate([np.zeros(100), scale[100:]])
    last, _ = kernel(table, rest, attachment, factor)
    np.testing.assert_allclose(first + last, all_cost, rtol=1e-12)


def exact_case():
    """A case built of exactly rounded arithmetic alone, so that every machine builds the same."""
    cells = np.arange(BODY_CELLS, dtype=np.uint32) << np.uint32(BODY_SHIFT)
    word = cells.view(np.float32).astype(np.float64)
    intercept = (4.0 / (1.0 + word * 2.0**-28)).astype(np.float32)
    intercept[word < REFINED_BELOW] = np.inf
    slope = np.where(np.isinf(intercept), 0.0, -(2.0**-40)).astype(np.float32)
    body = intercept.view(np.uint32) | slope.view(np.uint32).astype(np.uint64) << np.uint64(32)
    tail = np.column_stack([100.0 / (1.0 + np.arange(TAIL_CELLS)), np.zeros(TAIL_CELLS)])
    person = np.arange(203)
    scale = 1000.0 * (1.0 + (person * 7919 % 101) / 128.0)
    attachment = np.column_stack([np.full(203, 2500.0), 3.0 * scale])
    factor = 1.0 + (np.arange(700) * 31 % 17 - 8) / 256.0
    return QuantileTable(body=body, tail=tail), scale, attachment, factor


def test_golden_hash():
    """Determinism only: this hash is our own output, kept so that no change moves a bit unseen."""
    cost, excess = kernel(*exact_case())
    assert hashlib.sha256(cost.tobytes() + excess.tobytes()).hexdigest() == (
        "ec1f782278b1b2e3748173e87a302af73bec11c8387a942fa3db2f052ca3dc94"
    )
