"""The whole inventory: what is known of every public name."""

from .entries_core import CORE
from .entries_denoising import DENOISING
from .entries_serving import SERVING

ENTRIES = {**CORE, **DENOISING, **SERVING}
