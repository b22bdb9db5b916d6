"""What the tests of static plots share."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from attnoise.figures.plots import use_style


@pytest.fixture
def style():
    """Draw in the book's style, and leave neither the style nor a figure behind."""
    with mpl.rc_context():
        use_style()
        yield
    plt.close("all")
