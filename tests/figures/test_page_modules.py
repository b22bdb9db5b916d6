"""What a page computes: each JavaScript module finds the numbers of its twin in the package."""

import base64
import re

import pytest
import safetensors.torch
import torch
from torch.utils.flop_counter import FlopCounterMode

from attnoise.attention import Rotary, attention, record_weights
from attnoise.data import encode_captions
from attnoise.diffusion import (
    GuidedDenoiser,
    IdealDenoiser,
    LinearPath,
    TrigPath,
    add_noise,
    cosine_schedule,
    ddim_sample,
    ddpm_sample,
    dpm_solver_sample,
    euler_sample,
    heun_sample,
    make_target,
    noise_like,
    to_x0,
    without_label,
)
from attnoise.figures import between, mnist_like, page_noise
from attnoise.figures.draw_flow import particles_at
from attnoise.figures.figure_html import FOLDER, bundle, code_of, read, script_names
from attnoise.figures.playground import page_config
from attnoise.figures.studio import FACTS, page_uniform
from attnoise.transformers import (
    GPT,
    BytePairTokenizer,
    GPTConfig,
    complete,
    modern_block,
    reshape_distribution,
)
from node import MODULES, run_copy, run_modules

NUMERIC = sorted(path.stem for path in MODULES.glob("*.js") if "Twin" in path.read_text("utf8"))
DRAWING = {"arrow", "axes", "bars", "canvas", "content", "controls", "curves", "download", "grips"}
DRAWING |= {"legend", "onnx", "shades", "site", "squares"}  # they compute nothing
CASES = {}  # name: (expression, what it is given, what the package finds)
LINEAR, TRIG = LinearPath(), TrigPath()
PATHS = {"linearPath": LINEAR, "trigPath": TRIG}


def normal(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def case(name, code, expected, **given):
    """Remember what the page and the package find for the same input."""
    plain = {k: v.tolist() if isinstance(v, torch.Tensor) else v for k, v in given.items()}
    CASES[name] = code, plain, expected.tolist() if isinstance(expected, torch.Tensor) else expected


def softmax_cases():
    for i, scores in enumerate(
        (torch.zeros(1), torch.tensor([1000.0, 999.0, -1000.0]), 3 * normal(1, 7))
    ):
        weights = scores.double().softmax(dim=0)
        case(f"softmax {i}", "softmax(given.scores)", weights, scores=scores)
        spread = torch.special.entr(weights).sum().exp()
        case(f"perplexity {i}", "perplexity(given.weights)", spread, weights=weights)


def attention_cases():
    for seed, (n, k, e) in enumerate(((7, 5, 3), (1, 2, 1), (13, 4, 2))):
        query, key, value = normal(seed, 1, k), normal(seed + 9, n, k), normal(seed + 5, n, e)
        for scale in (None, 0.7):
            output, weights = attention(query, key, value, scale=scale, return_weights=True)
            code = "attention(given.query, given.key, given.value" + (", 0.7)" if scale else ")")
            given = {"query": query[0], "key": key, "value": value}
            case(f"attention {n} {scale}", code + ".output", output[0], **given)
            case(f"attention weights {n} {scale}", code + ".weights", weights[0], **given)


def rotary_cases():
    for k, position, base in ((2, 3, 100.0), (4, 0, 100.0), (10, 57, 10_000.0), (4, 24, 100.0)):
        x = normal(k, k)
        turned = Rotary(k, base=base, layout="pairs")(x.view(1, 1, 1, k), position).flatten()
        code = "rotate(given.x, given.position, given.base)"
        case(f"rotary {k} {position}", code, turned, x=x, position=position, base=base)


def path_cases():
    schedule, times = cosine_schedule(13), [1, 4, 13]
    alpha, sigma = schedule.levels(torch.tensor(times))
    for t, a, s in zip(times, alpha.tolist(), sigma.tolist(), strict=True):
        code = "tabledPath(given.times, given.alpha, given.sigma).levels(given.t)"
        case(f"levels {t}", code, [a, s], times=times, alpha=alpha, sigma=sigma, t=t)
    for name, path in PATHS.items():
        for part in (0.0, 0.3, 0.99, 1.0):
            t = torch.tensor([part * path.T], dtype=torch.float64)
            levels = [level.item() for level in path.levels(t)]
            case(f"{name} {part}", f"{name}.levels({t.item()!r})", levels)
            x0, eps = normal(3, 1, 5), normal(4, 1, 5)
            code = f"addNoise(given.x0, given.eps, {name}.levels({t.item()!r}))"
            x_t = add_noise(x0, t, eps, path)[0]
            case(f"add noise {name} {part}", code, x_t, x0=x0[0], eps=eps[0])
        case(f"{name} T", f"{name}.T", path.T)


def denoiser_cases():
    data, x = normal(1, 11, 3), normal(2, 1, 3)
    labels = (torch.arange(11) > 6).long()
    for name, path in PATHS.items():
        for std in (0.0, 0.4):
            ideal = IdealDenoiser(data, path, labels, std=std)
            guided = GuidedDenoiser(ideal, 3.5, weak=without_label(ideal), interval=(0.25, 0.75))
            for part in (0.01, 0.25, 0.5, 0.75, 0.9, 1.0):
                t = torch.tensor([part * path.T], dtype=torch.float64)
                given = {"data": data, "own": data[7:], "x": x[0], "std": std, "t": t.item()}
                code = f"idealDenoiser(given.data, {name}, given.std)"
                where = f"{name} {std} {part}"
                case(f"ideal {where}", code + "(given.x, given.t)", ideal(x, t)[0], **given)
                weights = code + ".weights(given.x, given.t)"
                case(f"weights {where}", weights, ideal.weights(x, t)[0], **given)
                code = (
                    f"guidedDenoiser(idealDenoiser(given.own, {name}, given.std), {code}, 3.5, "
                    f"[0.25, 0.75], {name}.T)(given.x, given.t)"
                )
                case(f"guided {where}", code, guided(x, t, torch.tensor([1]))[0], **given)


def sampler_cases():
    data = normal(5, 6, 2)
    ways = [("ddimSample", ddim_sample, {})]
    ways += [("ddimSample", ddim_sample, {"eta": eta}) for eta in (0.5, 1.0)]
    for form in ("ve", "flow", "trig"):
        ways += [("eulerSample", euler_sample, {"parametrisation": form})]
        ways += [("heunSample", heun_sample, {"parametrisation": form})]
    ways += [("dpmSolverSample", dpm_solver_sample, {}), ("ddpmSample", ddpm_sample, {})]
    for name, path in PATHS.items():
        for steps in (2, 7):
            for end in (0.0, 0.2 * path.T):
                times = torch.linspace(0.98 * path.T, end, steps + 1, dtype=torch.float64).tolist()
                for page, sampler, options in ways:
                    sampler_case(page, sampler, options, data, name, times)


def sampler_case(page, sampler, options, data, name, times):
    x, path = normal(6, 1, 2), PATHS[name]
    shown = {**options, "timesteps": times}
    generator = torch.Generator().manual_seed(7)
    shown["noise"] = [noise_like(x, generator)[0].tolist() for _ in times]
    generator = torch.Generator().manual_seed(7)
    denoiser = IdealDenoiser(data, path, std=0.3)
    steps = list(sampler(denoiser, x, path, generator, timesteps=times, **options))
    code = f"{page}(idealDenoiser(given.data, {name}, 0.3), given.x, {name}, given.options)"
    given = {"data": data, "x": x[0], "options": shown}
    for part in ("x", "x0_hat"):
        found = torch.stack([getattr(step, part)[0] for step in steps])
        label = f"{part} {page} {options} {name} {len(times) - 1} to {times[-1]:.1f}"
        case(label, f"{code}.map((step) => step.{part})", found, **given)


def flow_cases():
    x0, eps, t = normal(1, 1, 5), normal(2, 1, 5), torch.tensor([0.3], dtype=torch.float64)
    x_t, alpha, sigma = add_noise(x0, t, eps, LINEAR), 1 - t[:, None], t[:, None]
    u = make_target("u", x0, eps, alpha, sigma)
    case("velocity", "toVelocity(given.x_t, given.x0, 0.3)", u[0], x_t=x_t[0], x0=x0[0])
    back = to_x0("u", u, x_t, alpha, sigma)[0]
    case("from velocity", "fromVelocity(given.x_t, given.u, 0.3)", back, x_t=x_t[0], u=u[0])
    times = torch.linspace(1, 0, 6, dtype=torch.float64)
    case("even times", "evenTimes(1, 5)", times)


def interpolation_cases():
    corners = normal(3, 4, 7)
    for u, v in ((0, 0), (1, 0), (0.3, 0.8), (1, 1)):
        code = f"between(given.corners, {u}, {v})"
        expected = between(corners.view(4, 7, 1, 1), u, v).flatten()
        case(f"between {u} {v}", code, expected, corners=corners)
    points, noise = normal(4, 9, 2), normal(5, 1, 2)
    for solver, steps in (("euler", 1), ("euler", 5), ("heun", 4)):
        for t in (1.0, 0.75, 0.41, 0.05, 0.0):
            code = (
                f"atTime({solver}Sample(idealDenoiser(given.points, linearPath), given.x, "
                f"linearPath, {{ timesteps: evenTimes(1, {steps}), parametrisation: 'flow' }}), "
                f"given.x, 1, {t})"
            )
            found = particles_at(points, noise, t, steps, solver.capitalize())[0]
            case(f"at {t} {solver} {steps}", code, found, points=points, x=noise[0])


def point_cases():
    a, b = normal(1, 7, 3), normal(2, 7, 3)
    case("distance", "distance(given.a[0], given.b[0])", (a[0] - b[0]).norm(), a=a, b=b)
    case("mean", "meanOf(given.a)", a.mean(dim=0), a=a)
    rms = (a - b).square().sum(dim=1).mean().sqrt()
    case("root mean square", "rmsDistance(given.a, given.b)", rms, a=a, b=b)
    nearest = torch.cdist(a, b).argmin(dim=1)
    case("nearest", "given.a.map((x) => nearest(x, given.b))", nearest, a=a, b=b)


def drawing_cases():
    drawings = [
        [[[2.0, 3.0], [2.5, 14.0], [9.0, 14.5]]],
        [[[14.0, 14.0]]],
        [[[14.0, 14.0], [17.0, 15.0]]],  # smaller than the box may grow it
        [[[4.0, 14.0], [24.0, 14.0]], [[14.0, 4.0], [14.0, 24.0]]],
    ]
    for i, lines in enumerate(drawings):
        image = mnist_like(lines).flatten()
        case(f"drawing {i}", "[...mnistLike(given.lines)]", image, lines=lines)


def noise_cases():
    for seed in (0, 7, 123456789, 4294967295):
        case(f"noise {seed}", f"[...pageNoise({seed}, 57)]", page_noise(seed, 57))
        numbers = [page_uniform(seed, i) for i in (0, 1, 1000)]
        case(f"uniform {seed}", f"[0, 1, 1000].map((i) => uniform({seed}, i))", numbers)


def caption_cases():  # what is no caption: test_captions_module.py
    for text in ("a large red circle", "a small white ring right of a large blue cross"):
        code = "encodeCaption(given.facts, parseCaption(given.facts, given.text))"
        case(f"tokens {text}", code, encode_captions([text])[0], facts=FACTS, text=text)


# Words, numbers, signs and white space of many scripts, what Python's classes and a browser's could
# take apart, a mark for the byte order, a combining accent, and half a character.
TEXTS = [
    "HAMLET\nTo be, or not to be", "  two  spaces \n\n and\ttabs  ", "", " ", "\n", "it's 1599; _x_ 4th",
    "Ἀρχή ∞ 🙂🙂 naïve", "x²³ Ⅷ ½ ٣٤ 五六", "a\x1cb\x1f\x85c\xa0d\u2028e\u3000f", "\ufeffmark \u200bzero",
    "e\u0301 ते ﬁ Å", "\ud800 lone \udc00", "aaaaaaa bbbb the the thethe", "\r\n\x0b\x0c\x00\x7f",
]  # fmt: skip


def byte_pair_cases():
    tokenizer = BytePairTokenizer.train(
        "the theme of the other, naïve naïve aaaa aaaa 2³ 2³\n\n", 290
    )
    for i, text in enumerate(TEXTS):
        tokens = tokenizer.encode(text)
        given = {"merges": tokenizer.merges, "text": text, "tokens": tokens}
        code = "makeBytePairs(given.merges)"
        case(f"encode {i}", f"{code}.encode(given.text)", tokens, **given)
        for end in {len(tokens), len(tokens) - 1, len(tokens) // 2} - {-1}:
            shown = [ord(sign) for sign in tokenizer.decode(tokens[:end])]
            points = (
                f"[...{code}.decode(given.tokens.slice(0, {end}))].map((c) => c.codePointAt(0))"
            )
            case(f"decode {i} {end}", points, shown, **given)


def sampling_cases():
    ways = [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0},
        {"temperature": 0.0},
        {"temperature": 1e-3},
    ]
    ways += [{"top_k": k} for k in (1, 5, 13)] + [{"top_p": p} for p in (0.01, 0.6, 0.95)]
    ways += [{"min_p": p} for p in (0.02, 0.3, 1.0)]
    ways += [{"temperature": 0.7, "top_k": 7, "top_p": 0.9, "min_p": 0.05}]
    names = {"top_k": "topK", "top_p": "topP", "min_p": "minP", "temperature": "temperature"}
    equal = torch.tensor([1.0, 3.0, 3.0, -2.0, 3.0, 1.0] + 7 * [0.0], dtype=torch.float64)
    for seed, logits in enumerate((3 * normal(1, 13), 300 * normal(2, 13), equal)):
        for options in ways:
            given = {"logits": logits, "options": {names[k]: v for k, v in options.items()}}
            p = reshape_distribution(logits, **options)
            label = f"{seed} {options}"
            case(f"reshape {label}", "reshapeDistribution(given.logits, given.options)", p, **given)
            numbers = torch.linspace(0, 0.999, 17, dtype=torch.float64)
            drawn = torch.searchsorted(p.cumsum(0), numbers, right=True)
            code = "given.numbers.map((number) => draw(given.p, number))"
            case(f"draw {label}", code, drawn, p=p, numbers=numbers)
    order = equal.argsort(descending=True, stable=True)
    case("ranked", "ranked(given.values)", order, values=equal)


def tiny_gpt():
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab=23, max_length=11, depth=3, block=modern_block(d=20, heads=2)))
    with torch.no_grad():
        for parameter in model.parameters():  # gains that are not 1, weights that matter
            parameter.add_(0.3 * torch.randn_like(parameter)).copy_(parameter.half().float())
    return model.eval()


def in_base64(model):
    content = safetensors.torch.save({k: v.half().clone() for k, v in model.state_dict().items()})
    return base64.b64encode(content).decode()


LOAD = (
    "const gpt = makeGPT(readSafetensors(Uint8Array.from(atob(given.weights), (c) => c.charCodeAt(0))"
    ".buffer), given.config);"
)


def gpt_cases():
    model = tiny_gpt()
    given = {"weights": in_base64(model), "config": page_config(model)}
    tokens = [3, 17, 0, 22, 9, 9, 1, 4, 11]
    with torch.no_grad(), record_weights(model) as recorded:
        logits = model(torch.tensor([tokens]))[0, -1]
    looked = torch.stack([w[0] for w in recorded.values()])  # layers h n m
    for cached in ("true", "false"):
        grow = (
            f"(() => {{ {LOAD} const text = makeText(given.tokens.slice(0, 5), given.config); readOn(gpt, "
            "text, true); for (const token of given.tokens.slice(5)) { text.tokens.push(token); readOn(gpt, "
            f"text, {cached}); }} return text; }})()"
        )
        case(f"logits {cached}", f"[...{grow}.logits]", logits, **given, tokens=tokens)
        rows = looked.movedim(2, 0)  # n layers h m
        for i in (0, 4, 8):
            code = f"{grow}.weights[{i}]"
            case(f"looked {cached} {i}", code, rows[i, :, :, : i + 1], **given, tokens=tokens)
        written = complete(
            model, [tokens[:4]], torch.Generator(), max_new_tokens=40, top_k=1, use_cache=False
        )[0]
        write = (
            f"(() => {{ {LOAD} const text = makeText(given.tokens, given.config); for (let i = 0; i < 40; "
            f"i += 1) {{ readOn(gpt, text, {cached}); text.tokens.push(draw(reshapeDistribution(text.logits, "
            "{ topK: 1 }), 0)); } return text.tokens.slice(4); })()"
        )
        case(f"written {cached}", write, written, **given, tokens=tokens[:4])
    for past, fresh in ((1, 1), (1, 8), (8, 1), (4, 3)):
        code = f"multiplyAdds(given.config, {past}, {fresh})"
        case(f"multiply-adds {past} {fresh}", code, counted(model, past, fresh), **given)
    hidden = given["config"]["hidden"]
    first = 3 * (4 * 20**2 + 3 * 20 * hidden + 2 * 20)  # torch does not count what has one key
    code = "multiplyAdds(given.config, 0, 9)"
    case("multiply-adds 0 9", code, first + counted(model, 1, 8), **given)


def counted(model, past, fresh):
    """Count by torch, token by token, since a pass at once also counts what the mask forbids."""
    caches, total = model.make_caches(1), 0
    for i in range(past + fresh):
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad(), record_weights(model):
            model(torch.tensor([[i % 23]]), caches=caches)
        flops = counter.get_flop_counts()
        if i >= past:
            head = sum(flops["GPT.head"].values()) if i < past + fresh - 1 else 0
            total += counter.get_total_flops() - head  # only the last token predicts
    return total // 2  # a multiplication and an addition each


for fill in (
    softmax_cases,
    attention_cases,
    rotary_cases,
    path_cases,
    denoiser_cases,
    sampler_cases,
    flow_cases,
    interpolation_cases,
    point_cases,
    drawing_cases,
    noise_cases,
    caption_cases,
    byte_pair_cases,
    sampling_cases,
    gpt_cases,
):
    fill()
ASKED = [(code, given) for code, given, _ in CASES.values()]


def differs(found, name):
    """Whether the page found an error, or other numbers than the package."""
    wanted = torch.tensor(CASES[name][2], dtype=torch.float64)
    if "error" in found or found["value"] is None:
        return True
    value = torch.tensor(found["value"], dtype=torch.float64)
    return value.shape != wanted.shape or not torch.allclose(value, wanted, atol=1e-6, rtol=1e-6)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modules")
    answers = run_modules(folder, NUMERIC, ASKED)
    return dict(zip(CASES, answers, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_page_and_package_find_the_same(found, name):
    assert not differs(found[name], name), f"{found[name]}, but the package {CASES[name][2]}"


# One bug for each module: (what stands there, what the bug makes of it)
BUGS = {
    "byte_pairs": ("if (made[i] === first) i += 1", "if (made[i] === first) i += 0"),
    "captions": ("facts.vocab.indexOf(words[i]) + 1", "facts.vocab.indexOf(words[i])"),
    "gpt": ("const QK_EPS = 2 ** -23", "const QK_EPS = 1e-2"),
    "random": ("2 * i + 1", "2 * i"),
    "sampling": ("before < topP", "before <= 0.9 * topP"),
    "attention": ("scale = 1 / Math.sqrt(query.length)", "scale = 1 / query.length"),
    "denoisers": ("t / T > high", "t / T >= high"),
    "flow": ("part - t * u[i]", "part + t * u[i]"),
    "interpolation": ("stop.t <= t", "stop.t < t - 0.1"),
    "mnist_like": ("BOX / 3", "BOX / 2"),
    "paths": ("Math.sin(Math.PI / 2 - t)", "Math.sin(Math.PI / 2 + t / 2)"),
    "points": ("far.indexOf(Math.min", "far.indexOf(Math.max"),
    "rotary": ("(-2 * j) / k", "(-j) / k"),
    "samplers": ("(u + end[i]) / 2", "(u + end[i]) / 2.01"),
    "softmax": ("w * Math.log(w)", "w * Math.log2(w)"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_in_each_module_is_seen(tmp_path, name):
    old, new = BUGS[name]
    folder = tmp_path / "modules"
    run_modules(folder, NUMERIC, [])
    text = (folder / f"{name}.js").read_text("utf8")
    assert text.count(old) == 1
    (folder / f"{name}.js").write_text(text.replace(old, new), "utf8")
    answers = run_copy(folder, NUMERIC, ASKED)
    assert any(differs(answer, case) for answer, case in zip(answers, CASES, strict=True))


def test_every_module_is_compared():
    assert set(NUMERIC) == set(BUGS)
    assert {path.stem for path in MODULES.glob("*.js")} == set(NUMERIC) | DRAWING


# One scope ---------------------------------------------------------------------------------------
def test_a_script_brings_each_module_once_and_before_its_use():
    text = bundle(read("guidance_slider.js"))
    assert "import " not in re.sub(r"//.*", "", text) and "export " not in text
    order = [text.index(f"const {name} =") for name in ("softmax", "attention", "idealDenoiser")]
    assert order == sorted(order) and order[-1] < text.index("guidedDenoiser(conditional")
    assert all(text.count(f"const {name} =") == 1 for name in ("softmax", "attention", "dot"))


@pytest.mark.parametrize("name", script_names())
def test_scripts_parse_in_one_scope(tmp_path, name):
    code = f'"use strict"; (() => {{ {code_of(name)} }})'
    answers = run_modules(tmp_path, [], [("new Function(given.code) && 1", {"code": code})])
    assert answers == [{"value": 1}]


def test_no_algorithm_stands_in_a_figures_script():
    for path in FOLDER.glob("*.js"):
        text = path.read_text("utf8")
        assert not re.search(r"Math\.(exp|log)\w*\(", text), path.name
