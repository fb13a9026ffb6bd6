"""The order of domains and images: functions of seed and counter alone, so that a run can go on without a history.

Counters number the rows of all batches: row r of step s is s * batch size + r. Domains are dealt in rounds: a round of
as many rows as there are domains has each domain once, in an order drawn for the round. So the number of turns that a
domain has had before a row is the number of the row's round. An epoch of a domain is one pass through a permutation of
its images, drawn for the epoch.

What holds exactly: after every whole round all domains have had the same number of turns; no image is seen again before
all images of its domain have been seen (as a source; as a reference, but for the last image of an odd number, which
sits an epoch out); the two references of a row are different images. The last image of an epoch may be the first of the
next.
"""

import functools

import numpy as np

# Purposes of random numbers, which keep their streams apart.
SOURCES, REFERENCES, AUGMENTATION = 0, 1, 2
_DOMAINS, _RECORDS = 0, 1

# Number of rounds for which orders of domains are drawn at a time.
_ROUNDS = 1024


def random_words(count: int, *entropy: int) -> np.ndarray:
    """Draws random bits.

    Args:
        count: how many words.
        entropy: integers that are not negative; the same ones give the same words, in every version of NumPy.

    Returns:
        [count] uint64.
    """
    return np.random.Philox(np.random.SeedSequence(entropy)).random_raw(count)


def uniform(words: np.ndarray) -> np.ndarray:
    """Turns random bits into numbers.

    Args:
        words: any shape, uint64.

    Returns:
        float64 of that shape, from 0 to below 1.
    """
    return (words >> np.uint64(11)) * 2.0**-53


def turns(counters: np.ndarray, num_domains: int, seed: int, stream: int) -> tuple[np.ndarray, np.ndarray]:
    """Gives the domain of each row.

    Args:
        counters: [N], rows.
        num_domains: number of domains.
        seed: seed of the run.
        stream: SOURCES or REFERENCES.

    Returns:
        The domain of each row, [N], and how many turns that domain has had before, [N].
    """
    rounds, positions = np.divmod(counters, num_domains)
    blocks, rows = np.divmod(rounds, _ROUNDS)
    orders = {block: _domain_orders(num_domains, seed, stream, block) for block in set(blocks.tolist())}
    domains = [orders[b][r, p] for b, r, p in zip(blocks.tolist(), rows.tolist(), positions.tolist(), strict=True)]
    return np.array(domains, np.int32), rounds


def epoch_order(num_records: int, seed: int, stream: int, domain: int, epoch: int) -> np.ndarray:
    """Gives the order of a domain's images in one epoch.

    Args:
        num_records: number of images of the domain.
        seed: seed of the run.
        stream: SOURCES or REFERENCES.
        domain: the domain.
        epoch: number of the pass, from 0.

    Returns:
        [num_records], a permutation.
    """
    words = random_words(num_records, seed, stream, _RECORDS, domain, epoch)
    return np.argsort(words, kind="stable").astype(np.int32)


@functools.lru_cache(maxsize=8)
def _domain_orders(num_domains: int, seed: int, stream: int, block: int) -> np.ndarray:
    words = random_words(_ROUNDS * num_domains, seed, stream, _DOMAINS, block)
    return np.argsort(words.reshape(_ROUNDS, num_domains), axis=1, kind="stable").astype(np.int32)
