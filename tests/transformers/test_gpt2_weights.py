"""GPT-2's weights: the logits are those of transformers' model; what is missing is named."""

import pytest
import torch
from torch.testing import assert_close

from attnoise.errors import CheckpointError
from attnoise.transformers import gpt_from_gpt2
from transformers import GPT2Config, GPT2LMHeadModel


def make() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    shape = {"vocab_size": 13, "n_positions": 17, "n_embd": 20, "n_layer": 3, "n_head": 5}
    model = GPT2LMHeadModel(GPT2Config(**shape, bos_token_id=0, eos_token_id=0)).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # or all biases are 0 and all gains 1
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def test_logits_equal_those_of_gpt2_on_copied_weights():
    theirs = make()
    x = torch.randint(13, (2, 11), generator=torch.Generator().manual_seed(0))
    for prefix in ("transformer.", ""):
        state = {k.replace("transformer.", prefix): v for k, v in theirs.state_dict().items()}
        ours = gpt_from_gpt2(state, heads=5)
        assert_close(ours(x), theirs(x).logits, atol=1e-5, rtol=1e-4)
        assert not ours.training and ours.config.max_length == 17


@pytest.mark.bad_input
@pytest.mark.parametrize(
    "name", ["wte.weight", "wpe.weight", "ln_f.bias", "h.1.ln_2.bias", "h.0.attn.c_attn.bias"]
)
def test_a_missing_tensor_is_named(name):
    state = make().state_dict()
    del state[f"transformer.{name}"]
    with pytest.raises(CheckpointError, match=f"no '{name}'; pass the state_dict"):
        gpt_from_gpt2(state, heads=5)
