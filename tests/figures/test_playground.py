"""The playground's Python half: what it records, how it names tokens, what it refuses."""

import base64
import json

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from attnoise.attention import record_weights
from attnoise.data import load_shakespeare
from attnoise.errors import ConfigError, DataError
from attnoise.figures import playground
from attnoise.figures.next_token import likeliest, reshape, token_name
from attnoise.figures.playground import START, page_config, record
from attnoise.figures.studio import page_uniform
from attnoise.training.checkpoints import load_checkpoint
from attnoise.transformers import GPT, BytePairTokenizer, GPTConfig, complete, modern_block
from node import run_modules

FREE = {"temperature": 1.0, "top_k": 257, "top_p": 1.0, "min_p": 0.0}


def tiny(**options):
    torch.manual_seed(0)
    config = GPTConfig(vocab=257, max_length=13, depth=3, block=modern_block(12, 2), **options)
    return GPT(config).eval()


TOKENIZER = BytePairTokenizer([(97, 98)])


def numbers(address, kind):
    content = address.removeprefix("data:application/octet-stream;base64,")
    return torch.from_numpy(np.frombuffer(base64.b64decode(content), dtype=kind).copy())


def test_the_record_is_what_the_model_finds():
    model = tiny()
    figure = playground(model, TOKENIZER, "abcab", seed=3, written=4, head=(2, 1))
    data = json.loads(figure.html().split('class="pan-fig-data">')[1].split("</script>")[0])["data"]
    tokens = data["tokens"]
    assert tokens[:3] == [256, 99, 256] and len(tokens) == 7
    with torch.no_grad(), record_weights(model) as recorded:
        logits = model(torch.tensor([tokens]))[0, -1]
    looked = torch.stack([w[0] for w in recorded.values()]).movedim(2, 0)  # n layers h m
    assert_close(numbers(data["logits"], np.float32), logits)
    found = numbers(data["looked"], np.uint8).view(7, 3, 2, 7).float() / 255
    assert_close(found, looked, atol=0.002, rtol=0)
    assert data["config"] == page_config(model) and data["config"]["hidden"] == 32


def test_tokens_are_drawn_by_the_numbers_of_the_seed():
    model = tiny()
    tokens, _, _ = record(model, [5, 6], seed=9, written=6)
    for i in range(6):
        with torch.no_grad():
            p = reshape(model(torch.tensor([tokens[: 2 + i]]))[0, -1], **START)
        sums, number = p.cumsum(0).tolist(), page_uniform(9, i)
        assert tokens[2 + i] == next(k for k, sum_ in enumerate(sums) if number < sum_)
    assert record(model, [5, 6], seed=10, written=6)[0] != tokens


def test_uniform_numbers_fill_the_interval_evenly():
    drawn = torch.tensor([page_uniform(4, i) for i in range(4001)])
    assert 0 < drawn.min() and drawn.max() < 1
    counts = torch.histc(drawn, 8, 0, 1)
    assert (counts - 500).abs().max() < 80


def test_sliders_at_their_ends_leave_everything():
    logits = 3 * torch.randn(257, generator=torch.Generator().manual_seed(1))
    assert_close(reshape(logits, **FREE), logits.double().softmax(0))
    assert (reshape(logits, **{**FREE, "temperature": 0.0}) > 0).sum() == 1
    top = likeliest(logits)
    assert (
        len(top) == 12 and logits[top].tolist() == logits.sort(descending=True).values[:12].tolist()
    )


def test_tokens_are_named_so_that_spaces_and_odd_bytes_are_seen():
    def name(text_or_bytes):
        content = text_or_bytes.encode() if isinstance(text_or_bytes, str) else text_or_bytes
        merges, made = [], content[0]
        for i, byte in enumerate(content[1:]):
            merges.append((made, byte))
            made = 256 + i
        return token_name(BytePairTokenizer(merges), made)

    names = {
        " the": "·the",
        "\n": "↵",
        "é": "é",
        b"\xc3": "C3",
        b"a\xe2\x80": "61 E2 80",
        "\t": "09",
    }
    assert {given: name(given) for given in names} == names


def test_the_sentence_counts_what_can_follow():
    model = tiny()
    with torch.no_grad():
        model.tokens.weight.mul_(30)
    figure = playground(model, TOKENIZER, "ab", written=0)
    assert "Top-k 3, " in figure.sentence(top_k=3) and ": 3 of 257 tokens" in figure.sentence(
        top_k=3
    )
    assert ": 1 of 257 tokens can follow" in figure.sentence(temperature=0.0)
    assert figure.sentence(temperature=0.0).endswith("with 100 %.")


@pytest.mark.parametrize(
    ("block", "options", "named"),
    [
        (modern_block(12, 2, mlp="gelu"), {}, "mlp"),
        (modern_block(12, 2, qk_norm=False), {}, "qk_norm"),
        (modern_block(12, 2, kv_heads=1), {}, "kv_heads"),
        (modern_block(12, 2, window=4), {}, "window"),
        (modern_block(12, 2), {"tied": False}, "tied"),
    ],
)
def test_a_model_that_the_page_cannot_compute_is_refused(block, options, named):
    model = GPT(GPTConfig(vocab=257, max_length=13, depth=1, block=block, **options))
    with pytest.raises(ConfigError, match=f"modern_block.*{named} differs"):
        playground(model, TOKENIZER, "ab")


def test_what_does_not_fit_is_named():
    with pytest.raises(ConfigError, match="head must name one of 3 blocks and 2 heads"):
        playground(tiny(), TOKENIZER, "ab", head=(3, 0))
    with pytest.raises(ConfigError, match="the model's 257 tokens, but it has 256"):
        playground(tiny(), BytePairTokenizer(), "ab")
    with pytest.raises(DataError, match="prompt must have 1 to 8 tokens.*but it has 9"):
        playground(tiny(), TOKENIZER, "c" * 9, written=5)
    with pytest.raises(DataError, match="but it has 0"):
        playground(tiny(), TOKENIZER, "")


def test_the_page_cuts_plays_into_the_same_tokens(tmp_path):
    _, card = load_checkpoint("shakespeare")
    tokenizer = BytePairTokenizer(card["merges"])
    text = load_shakespeare("validation")[:20_000] + " É ≠ 🙂 \u2029 x²"
    given = {"merges": card["merges"], "text": text}
    code = "makeBytePairs(given.merges).encode(given.text)"
    (found,) = run_modules(tmp_path, ["byte_pairs"], [(code, given)])
    assert found == {"value": tokenizer.encode(text)}


def test_the_page_writes_the_recorded_text(tmp_path):
    """Same model, same seed, same sampling parameters: the same tokens as in Python."""
    model, card = load_checkpoint("shakespeare")
    content = (card["merges"], page_config(model))
    tokenizer = BytePairTokenizer(content[0])
    prompt = tokenizer.encode("HAMLET\nTo be, or not to be")
    tokens, looked, logits = record(model, prompt, seed=4, written=6)
    from attnoise.training.checkpoints import FOLDER

    weights = base64.b64encode((FOLDER / "shakespeare.safetensors").read_bytes()).decode()
    code = """(() => {
        const gpt = makeGPT(readSafetensors(Uint8Array.from(atob(given.weights), (c) => c.charCodeAt(0)).buffer), given.config);
        const text = makeText(given.prompt, given.config);
        readOn(gpt, text, true);
        for (let i = 0; i < 6; i += 1) {
            text.tokens.push(draw(reshapeDistribution(text.logits, { temperature: 0.8, topK: 8 }), uniform(4, i)));
            readOn(gpt, text, true);
        }
        return { tokens: text.tokens, logits: [...text.logits], looked: text.weights.at(-1).map((block) => block.map((row) => [...row])) };
    })()"""
    given = {"weights": weights, "config": content[1], "prompt": prompt}
    (found,) = run_modules(tmp_path, ["gpt", "sampling", "random"], [(code, given)])
    assert found["value"]["tokens"] == tokens
    assert_close(torch.tensor(found["value"]["logits"]), logits, atol=1e-3, rtol=1e-3)
    last = looked[-1].float() / 255
    assert_close(torch.tensor(found["value"]["looked"]), last, atol=0.0025, rtol=0)


def test_greedy_is_the_packages_greedy():
    model = tiny()
    greedy = complete(model, [[5, 6]], torch.Generator(), max_new_tokens=1, top_k=1)[0][0]
    with torch.no_grad():
        p = reshape(model(torch.tensor([[5, 6]]))[0, -1], **{**FREE, "top_k": 1})
    assert p.argmax() == greedy and p.max() == 1
