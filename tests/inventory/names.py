"""The package's names as the inventory writes them, and where a name or argument stands today.

While the package is rebuilt, entries use the names that it will have; the two tables say what
stood there before. A line that is not needed any more is deleted.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

ROOMS = (
    "attention", "transformers", "diffusion", "latent", "together", "data", "training",
    "evaluation", "figures",
)  # fmt: skip

OLD_NAMES = {
    "DIT_PRESETS": "PRESETS",
    "GPT_PRESETS": "PRESETS",
    "MaskedTokens": "Masked",
    "make_timesteps": "time_grid",
    "cross_attention_maps": "word_maps",
    "SceneObject": "Thing",
    "CaptionScore": "Verdict",
    "score_caption": "judge",
    "score_captions": "judge_pictures",
    "GraphemeToPhonemeRules": "LetterRules",
    "progress_bar": "watched",
    "fit_latent_scale": "measure_latents",
    "reparameterise": "draw_latents",
    "condition_on_text": "captioned",
    "append_dims": "like",
    "LexiconEntry": "Entry",
    "DetectedObject": "Found",
    "embed_images": "embed_pictures",
}
OLD_ARGUMENTS = {
    "time": "t",
    "max_length": "context length capacity",
    "max_new_tokens": "tokens",
    "guidance_scale": "scale",
    "cond_drop_prob": "share dropped",
    "mask_ratio": "share hidden_share",
    "vocab": "vocabulary",
    "source_tokens": "source",
    "target_tokens": "target",
    "objects": "things",
    "parametrisation": "clock",
    "time_sampling": "times",
    "timesteps": "times",
    "ema_student": "target",
    "path": "schedule",
    "images": "pictures",
    "pronunciations": "ways",
}


def public_names(room: str) -> list[str]:
    """Return what a room exports, or, where it says nothing, what its modules define."""
    package = importlib.import_module(f"attnoise.{room}")
    if hasattr(package, "__all__"):
        return list(package.__all__)
    names = []
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"attnoise.{room}.{info.name}")
        names += [
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
            and callable(value)
        ]  # fmt: skip
    return names


def find(name: str) -> Any:
    """Return the object "room.name" or "room.Class.method", under its new name or its old one.

    What follows a space tells several entries of one name apart.
    """
    room, *path = name.split(" ")[0].split(".")
    value = importlib.import_module(f"attnoise.{room}")
    for part in path:
        value = _attribute(value, part)
    return value


def _attribute(value: Any, name: str) -> Any:
    for each in (name, OLD_NAMES.get(name, name)):
        if hasattr(value, each):
            return getattr(value, each)
    for info in pkgutil.iter_modules(getattr(value, "__path__", ())):
        module = importlib.import_module(f"{value.__name__}.{info.name}")
        for each in (name, OLD_NAMES.get(name, name)):
            if hasattr(module, each):
                return getattr(module, each)
    raise AttributeError(f"{value.__name__} has no {name}")


def adapt(function: Callable, arguments: dict[str, Any]) -> dict[str, Any]:
    """Rename arguments that the function still calls by an old name."""
    called = getattr(function, "forward", function) if _is_module(function) else function
    try:
        known = inspect.signature(called).parameters
    except (TypeError, ValueError):
        return arguments
    adapted = {}
    for name, value in arguments.items():
        old = [o for o in OLD_ARGUMENTS.get(name, "").split() if o in known]
        free = [o for o in old if o not in arguments]
        adapted[free[0] if name not in known and free else name] = value
    return adapted


def _is_module(function: Any) -> bool:
    return hasattr(function, "forward") and not inspect.isclass(function)
