"""Lines of the package: found where they stand, refused where they do not, linked to their file."""

import pytest
import yaml
from notebooks import ROOT

from attnoise.attention import attention
from attnoise.diagrams.source import files, line_of
from attnoise.errors import ConfigError
from attnoise.together import sample


def test_a_line_is_found_without_its_comment():
    line = line_of(attention, "scores = torch.einsum")
    assert line.text == 'scores = torch.einsum("...nk,...mk->...nm", query * scale, key)'
    assert line.file == "attention/scaled_dot_product.py" and line.where == "attention"


def test_a_decorated_function_is_found_in_its_own_file():
    assert line_of(sample, "return autoencoder.decode").file == "together/text_sampling.py"


@pytest.mark.parametrize(("fragment", "count"), [("no such line", 0), ("weights", 9)])
def test_what_is_not_one_line_is_refused(fragment, count):
    with pytest.raises(ConfigError, match="fragment must stand in one line of attention"):
        line_of(attention, fragment)


def test_the_address_is_that_of_the_config():
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))
    assert files() == config["repository"]["url"] + "/blob/main/code/attnoise/"
