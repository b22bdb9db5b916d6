"""Checks for the chapter `transformers/bert`."""

import itertools
from functools import cache

import torch
from torch.nn import functional as F

from .fields import Field, numbers
from .mechanism import call, draw, exercise, expect, reject, reject_if

MASK, PLACES, STAY = 1, 8, 0.9


@exercise(1, "How many are changed?", level="trace", minutes=5, asks=numbers("tokens"))
def how_many_change(my_count):
    close = {"tolerance": 1e-3}
    reject(
        my_count, 300, "That is how many are chosen. A tenth of those stay as they are.", **close
    )
    reject(
        my_count, 240, "Those are the masks alone. Random tokens look different as well.", **close
    )
    reject(
        my_count,
        1800,
        "The 80 and 10 per cent are shares of the chosen tokens, not of all of them.",
        **close,
    )
    reject(
        my_count,
        30,
        "Those 30 are chosen, and yet they stay as they are. Count the others.",
        **close,
    )
    expect(
        my_count,
        270,
        "Chosen: 15 % of 2,000. Of those, 80 % become <mask> and 10 % another token.",
        **close,
    )
    return "270 of 2,000 look different, but 300 are asked for: 30 of them hide in plain sight."


@exercise(2, "Eighty, ten, ten", level="code", minutes=15)
def hide_tokens(my_hide):
    tokens = (draw(5, 97).abs() * 100).long() + 3
    chosen, drawn = draw(5, 97, seed=1) > 0.5, torch.special.ndtr(draw(5, 97, seed=2))
    others = (draw(5, 97, seed=3).abs() * 100).long() + 400
    got = call(my_hide, tokens, chosen, drawn, others)

    def hidden(chosen=chosen, low=0.8, high=0.9, first=MASK, second=others):
        found = torch.where(chosen & (drawn < low), torch.as_tensor(first), tokens)
        return torch.where(chosen & (drawn >= low) & (drawn < high), second, found)

    reject(got, tokens, "Nothing is hidden: `torch.where` returns a new tensor; return that one.")
    reject(got, hidden(low=1.1), "Every chosen token became <mask>; a fifth of them should not.")
    if isinstance(got, torch.Tensor) and got.shape == tokens.shape:
        reject_if((got != tokens)[~chosen].any(), "You changed tokens that were not chosen.")
    reject(
        got,
        hidden(high=1.1),
        "No chosen token stays as it is: you gave the last fifth to the random tokens.",
    )
    reject(
        got,
        torch.where(chosen & (drawn >= 0.9), others, hidden(high=0.8)),
        "Here the random tokens come from 0.8 to 0.9, not from 0.9 on as in the chapter's `hide`.",
    )
    reject(
        got,
        hidden(first=others, second=torch.full_like(tokens, MASK)),
        "<mask> and the random tokens have changed places: eight tenths become <mask>.",
    )
    expect(
        got,
        hidden(),
        "Where chosen: a draw below 0.8 gives <mask>, from 0.8 to 0.9 `others`; all else stays.",
    )
    return "Eight tenths masked, one tenth replaced, one tenth left: the model cannot tell which."


@exercise(3, "The loss of the chosen", level="code", minutes=10)
def chosen_loss(my_loss):
    logits, tokens = draw(5, 7, 11), (draw(5, 7, seed=1).abs() * 100).long() % 11
    chosen = draw(5, 7, seed=2) > 0
    chosen[0, :6] = False
    chosen[:, 6] = True
    got = call(my_loss, logits, tokens, chosen)
    each = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")  # b n
    rows = (each * chosen).sum(1) / chosen.sum(1)
    reject(
        got, each.mean(), "That is the mean over all tokens: copying what is shown makes it small."
    )
    reject(got, each[~chosen].mean(), "You took the tokens that were not chosen.")
    reject(got, (each * chosen).mean(), "Divide by the number of chosen tokens, not of all.")
    reject(got, (each * chosen).sum(), "That is the sum; the mean does not grow with the batch.")
    reject(
        got,
        rows.mean(),
        "You averaged in each row first: then tokens in rows with few gaps count for more.",
    )
    reject(got, -each[chosen].mean(), "The sign: a loss is minus the logarithm, and falls to 0.")
    expect(got, each[chosen].mean(), "Take logits[chosen] and tokens[chosen]: their mean loss.")
    return "Only what was asked for counts, and every gap counts alike."


@exercise(4, "The weight of a step", level="derive", minutes=15)
def estimate_bound(my_bound):
    losses, t = draw(13, 7).exp(), draw(13, seed=1).sigmoid()
    hidden = draw(13, 7, seed=2).sigmoid() < t[:, None]
    hidden[:, 0] |= ~hidden.any(1)  # no draw without a gap
    got = call(my_bound, losses, hidden, t)
    kept = losses * hidden
    right = (kept.sum(1) / t).mean()
    reject(
        got, kept.sum(1).mean(), "The weight is missing: tokens are hidden a share t of the time."
    )
    reject(
        got, (kept.sum(1) * t).mean(), "You multiplied by t. What is seen rarely must count more."
    )
    reject(
        got,
        (kept.sum(1) / (1 - t)).mean(),
        "1 - t is the share of tokens that are shown. How likely is it to be hidden?",
    )
    reject(
        got,
        (losses.sum(1) / t).mean(),
        "Tokens that are shown count as well: take the losses of the hidden ones only.",
    )
    reject(
        got,
        (kept.sum(1) / hidden.sum(1)).mean(),
        "That is the mean over the hidden tokens, as in BERT's loss. Divide their sum by t.",
    )
    reject(
        got,
        kept.sum(1).mean() / t.mean(),
        "Each draw has its own t: divide first, then average over the draws.",
    )
    reject(
        got,
        (kept.mean(1) / t).mean(),
        "That is nats per token: sum over the tokens, average over the draws only.",
    )
    expect(got, right, "Sum the losses of the hidden tokens, divide by t, average over the draws.")
    return "With the weight 1/t each token counts once on average, whatever t was."


def lost_nats(first) -> float:
    """Return what is lost, in nats, if eight hidden places are filled in two rounds.

    The text is a chain of eight signs, 0 or 1, each equal to the one before it with probability
    0.9. All eight are hidden. The first round draws the places `first` at once, each from its exact
    distribution but without regard to the others; the second round draws the rest at once, each
    from its exact distribution given the first. The loss is the Kullback-Leibler divergence from
    the chain to what comes out: 0 if texts come out exactly as likely as they are.

    Args:
        first: Places from 0 to 7, each once.
    """
    texts = list(itertools.product((0, 1), repeat=PLACES))
    signs = torch.tensor(texts)
    same = (signs[:, 1:] == signs[:, :-1]).double()
    p = 0.5 * (STAY * same + (1 - STAY) * (1 - same)).prod(1)
    first = sorted(first)
    log_q = torch.full_like(p, 0.0)
    for place in range(PLACES):
        known = [] if place in first else first
        group = (signs[:, known] * 2 ** torch.arange(len(known))).sum(1)  # texts with equal known
        total = torch.zeros(2 ** len(known), dtype=p.dtype).index_add(0, group, p)
        both = torch.zeros(2 ** (len(known) + 1), dtype=p.dtype)
        both = both.index_add(0, 2 * group + signs[:, place], p)
        log_q += (both[2 * group + signs[:, place]] / total[group]).log()
    return float((p * (p.log() - log_q)).sum())


@cache
def least_lost() -> float:
    """Return the nats that are lost with the best four places."""
    return min(lost_nats(s) for s in itertools.combinations(range(PLACES), 4))


@exercise(
    5,
    "Which to fill in first?",
    level="explore",
    minutes=20,
    asks=(Field("places", options=range(PLACES), choose=4),),
)
def which_first(my_places):
    places = sorted(int(place) for place in my_places)
    reject_if(
        len(set(places)) != 4 or not all(0 <= place < PLACES for place in places),
        f"The answer is four different places from 0 to 7, but it is {tuple(places)}.",
    )
    best = least_lost()
    lost = lost_nats(places)
    reject_if(
        places[3] - places[0] == 3,
        f"Four neighbours: {lost:.2f} nats are lost. Neighbours depend on each other most, and "
        "here each is drawn without regard to the others.",
    )
    reject_if(
        places in ([0, 2, 4, 6], [1, 3, 5, 7]),
        f"Nearly: {lost:.3f} nats are lost, but {best:.3f} can be reached. Every second place "
        "leaves an end that is known from one side only; can you do without?",
    )
    reject_if(
        any(b - a == 1 for a, b in itertools.pairwise(places)),
        f"{lost:.2f} nats are lost, {best:.2f} can be reached: some of your places are neighbours, "
        "which are drawn in one round without regard to each other.",
    )
    reject_if(lost > best + 1e-6, f"{lost:.2f} nats are lost, {best:.2f} can be reached.")
    return "Far apart first, then what lies between: far places hardly depend on each other."
