"""What a page computes: each JavaScript module finds the numbers of its twin in the package."""

import re

import pytest
import torch

from attnoise.attention import Rotary, attention
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
from attnoise.figures.figure_html import FOLDER, bundle, read, script_names
from node import MODULES, run_copy, run_modules

NUMERIC = sorted(path.stem for path in MODULES.glob("*.js") if "Twin" in path.read_text("utf8"))
DRAWING = {"arrow", "canvas", "onnx"}  # they compute nothing
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
    answers = run_modules(folder, [*NUMERIC, "shapes"], ASKED)
    return dict(zip(CASES, answers, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_page_and_package_find_the_same(found, name):
    assert not differs(found[name], name), f"{found[name]}, but the package {CASES[name][2]}"


# One bug for each module: (what stands there, what the bug makes of it)
BUGS = {
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
    answers = run_copy(folder, [*NUMERIC, "shapes"], ASKED)
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
    code = f'"use strict"; (() => {{ {read("runtime.js")}\n{bundle(read(f"{name}.js"))} }})'
    answers = run_modules(tmp_path, [], [("new Function(given.code) && 1", {"code": code})])
    assert answers == [{"value": 1}]


def test_no_algorithm_stands_in_a_figures_script():
    for path in FOLDER.glob("*.js"):
        text = path.read_text("utf8")
        assert not re.search(r"Math\.(exp|log)\w*\(", text), path.name
