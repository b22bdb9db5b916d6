"""Captions and pictures in one space: the loss by hand, what chance gives, and that it learns."""

import copy
import math
import pickle

import pytest
import torch
from torch import nn

from attnoise.data.captions import MAX_LENGTH, WORDS, encode_captions, load_captions
from attnoise.errors import ConfigError, ShapeError
from attnoise.together import ContrastivePair, TextEncoder


class Flat(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.layer = nn.Linear(3 * 5 * 5, d)

    def forward(self, pictures):
        return self.layer(pictures.flatten(1))


def make_pair(d=13):
    torch.manual_seed(0)
    return ContrastivePair(
        TextEncoder(1 + len(WORDS), MAX_LENGTH, 12, depth=1, heads=3), Flat(d), d
    )


def some(n=7):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 3, 5, 5, generator=generator), encode_captions(
        load_captions("train")[: 100 * n : 100]
    )


def test_logits_are_scaled_cosines():
    pair, (pictures, tokens) = make_pair(), some()
    logits = pair(pictures, tokens[:3])
    assert logits.shape == (7, 3)
    a, b = pair.embed_images(pictures), pair.embed_captions(tokens[:3])
    torch.testing.assert_close(a.norm(dim=1), torch.ones(7))
    torch.testing.assert_close(logits[4, 2], (a[4] @ b[2]) / 0.07)


def test_the_loss_is_the_mean_of_both_directions():
    pair, (pictures, tokens) = make_pair(), some()
    logits = pair(pictures, tokens)
    rows = sum(logits[i].logsumexp(0) - logits[i, i] for i in range(7)) / 7
    columns = sum(logits[:, i].logsumexp(0) - logits[i, i] for i in range(7)) / 7
    torch.testing.assert_close(pair.loss(pictures, tokens), (rows + columns) / 2)
    assert (rows - columns).abs() > 1e-3


def test_padding_does_not_count_and_the_factor_is_bounded():
    pair, (pictures, tokens) = make_pair(), some()
    before = pair.embed_captions(tokens)
    with torch.no_grad():
        pair.text.words.weight[0] += torch.arange(12)  # the same everywhere, a norm would undo it
        pair.text.positions[9] += torch.arange(12)  # only captions of ten words end there
        pair.logit_scale.fill_(50.0)
    short = (tokens[:, 9] == 0).nonzero()[:, 0]
    torch.testing.assert_close(pair.embed_captions(tokens)[short], before[short])
    assert pair(pictures, tokens).abs().max() <= 100 + 1e-3


def test_training_brings_pairs_together():
    pair, (pictures, tokens) = make_pair(), some(16)
    start = pair.loss(pictures, tokens).item()
    assert start > 0.5 * math.log(16)  # nothing is known yet
    optimizer = torch.optim.Adam(pair.parameters(), 3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        pair.loss(pictures, tokens).backward()
        optimizer.step()
    assert pair.loss(pictures, tokens).item() < 0.1 * start


@pytest.mark.bad_input
def test_pairs_are_asked_for():
    pair, (pictures, tokens) = make_pair(), some()
    with pytest.raises(ShapeError, match="there are 7 images and 3 captions"):
        pair.loss(pictures, tokens[:3])
    with pytest.raises(ShapeError, match="at least one, but there are 0 images"):
        pair.loss(pictures[:0], tokens[:0])
    with pytest.raises(ConfigError, match="d must be a whole number"):
        ContrastivePair(pair.text, Flat(13), 0)


def test_the_loss_of_equal_embeddings_is_chance():
    pair, (pictures, tokens) = make_pair(), some()
    same = pair.loss(pictures[:1].expand(7, -1, -1, -1), tokens[:1].expand(7, -1))
    assert same.item() == pytest.approx(math.log(7), abs=1e-4)


def test_the_largest_scale_is_a_hundred():
    pair, (pictures, tokens) = make_pair(), some()
    with torch.no_grad():
        pair.logit_scale.fill_(9.0)
    cosine = pair.embed_images(pictures) @ pair.embed_captions(tokens).T
    torch.testing.assert_close(pair(pictures, tokens), 100 * cosine)


def test_runs_on_another_device_and_can_be_copied():
    pair, (pictures, tokens) = make_pair(), some()
    other = pickle.loads(pickle.dumps(copy.deepcopy(pair)))
    assert torch.equal(other(pictures, tokens), pair(pictures, tokens))
    assert pair.to("meta").loss(pictures.to("meta"), tokens.to("meta")).device.type == "meta"


def test_the_empty_caption_has_an_embedding():
    pair = make_pair()
    assert torch.isfinite(pair.embed_captions(encode_captions([None]))).all()


def test_half_precision_is_near_even_for_an_empty_caption():
    pair, (pictures, tokens) = make_pair(), some()
    tokens[0] = 0
    precise = pair.loss(pictures, tokens).item()
    assert pair.embed_captions(tokens)[0].norm() == 0
    for dtype in (torch.float16, torch.bfloat16):
        rough = pair.to(dtype)
        assert rough.embed_captions(tokens).dtype == dtype
        assert rough.loss(pictures.to(dtype), tokens).item() == pytest.approx(precise, rel=0.03)
