"""Bugs made by hand, one replaced piece of source each, and the test that must notice.

Run by itself, the module tries them all and prints what happened, as JSON.
"""

import hashlib
import json
import tempfile
from pathlib import Path

from .mutants import PACKAGE, ROOT, Mutant
from .runner import forked, preload, run_pytest, share_out

ATTENTION = "attention/test_scaled_dot_product.py::"
POSITIONS = "attention/test_positions.py::"
SOLVERS = "diffusion/test_solvers.py::"
PROCESS, SAMPLERS = "diffusion/test_process.py::", "diffusion/test_samplers.py::"

# name: (module, what stands there, what the bug makes of it, the test that must notice)
BUGS = {
    "mask flipped": (
        "attention/scaled_dot_product.py",
        "scores.masked_fill(~mask, torch",
        "scores.masked_fill(mask, torch",
        ATTENTION + "test_masked_keys_have_no_influence",
    ),
    "scale dropped": (
        "attention/scaled_dot_product.py",
        "query * scale, key)",
        "query, key)",
        ATTENTION + "test_scale_is_one_over_root_of_head_width",
    ),
    "softmax over queries": (
        "attention/scaled_dot_product.py",
        "scores.softmax(dim=-1)",
        "scores.softmax(dim=-2)",
        ATTENTION + "test_weights_sum_to_one_and_output_stays_among_the_values",
    ),
    "diagonal off by one": (
        "attention/masks.py",
        ".tril(diagonal=m - n)",
        ".tril(diagonal=m - n - 1)",
        "attention/test_masks.py::test_causal_mask_lines_the_last_query_up_with_the_last_key",
    ),
    "key heads in the wrong order": (
        "attention/multi_head.py",
        '"b g m k -> b (g r) m k", r=group)  # b h m k\n            value',
        '"b g m k -> b (r g) m k", r=group)  # b h m k\n            value',
        "attention/test_multi_head.py::test_grouped_heads_equal_full_heads_with_repeated_weights",
    ),
    "gate left out": (
        "transformers/block.py",
        "x = x + gate * self.dropout(",
        "x = x + self.dropout(",
        "transformers/test_block.py::test_condition_starts_as_the_identity_and_then_matters",
    ),
    "rotation that is none": (
        "attention/positions.py",
        ".mul_(sin).addcmul_(x, cos)",
        ".mul_(sin.abs()).addcmul_(x, cos)",
        POSITIONS + "test_rotary_scores_depend_on_the_distance_alone",
    ),
    "positions start anew with a cache": (
        "attention/multi_head.py",
        "query = self.positions(query, 0 if cache is None else cache.length)",
        "query = self.positions(query, 0)",
        "attention/test_cache.py::test_any_pieces_equal_the_whole",
    ),
    "window off by one": (
        "attention/masks.py",
        "diagonal=m - n - window)",
        "diagonal=m - n - window - 1)",
        "attention/test_masks.py::test_sliding_window_sees_itself_and_the_window_before",
    ),
    "norm after the sum": (
        "transformers/block.py",
        "x = x + self.dropout(attend(self.attention_norm(x)))",
        "x = self.attention_norm(x + self.dropout(attend(x)))",
        "transformers/test_block.py::test_equals_torchs_encoder_layer",
    ),
    "targets not shifted": (
        "transformers/gpt.py",
        "tokens[:, 1:].flatten())",
        "tokens[:, :-1].flatten())",
        "transformers/test_gpt.py::test_loss_is_the_mean_of_minus_log_p",
    ),
    "tail kept": (
        "transformers/generation.py",
        "before < top_p)",
        "before <= 2 * top_p)",
        "transformers/test_generation.py::test_sampling_parameters_by_hand",
    ),
    "ended beams go on": (
        "transformers/decoding.py",
        "ended = ended[parent] | (following == config.end)",
        "ended = following == config.end",
        "transformers/test_decoding.py::test_pad_and_begin_are_never_written_and_nothing_follows_the_end",
    ),
    "loss on all tokens": (
        "transformers/bert.py",
        " < mask_ratio) & (tokens != config.pad)",
        " < mask_ratio)",
        "transformers/test_bert.py::test_shares_are_15_80_10_10",
    ),
    "hidden patches seen": (
        "transformers/vit.py",
        "x = x.gather(1, repeat(keep,",
        "x = x.gather(1, repeat(0 * keep,",
        "transformers/test_vit.py::test_hidden_patches_have_no_influence_on_what_is_seen",
    ),
    "wide matrices not turned": (
        "training/optimizers.py",
        "return x.T if tall else x",
        "return x",
        "training/test_optimizers.py::test_directions_are_kept",
    ),
    "betas not rescaled": (
        "diffusion/schedules.py",
        "1000 / T if rescale else 1.0",
        "1.0",
        "diffusion/test_schedules.py::test_without_rescaling_few_steps_leave_the_picture",
    ),
    "root forgotten": (
        "diffusion/schedules.py",
        "table = torch.stack([alpha_bar, 1 - alpha_bar], dim=1)",
        "table = torch.stack([alpha_bar, (1 - alpha_bar) ** 2], dim=1)",
        PROCESS + "test_the_chain_has_the_moments_of_the_jump",
    ),
    "posterior weights swapped": (
        "diffusion/process.py",
        "append_dims(weight_x0, x_t) * x0 + append_dims(weight_xt, x_t) * x_t",
        "append_dims(weight_xt, x_t) * x0 + append_dims(weight_x0, x_t) * x_t",
        PROCESS + "test_one_step_posterior_is_ho_et_al_equation_7",
    ),
    "fresh noise on top of the old": (
        "diffusion/solvers.py",
        "math.sqrt(max(sigma_s**2 - fresh**2, 0.0)) * eps_hat",
        "sigma_s * eps_hat",
        SOLVERS + "test_ddim_equals_diffusers",
    ),
    "Heun takes the end alone": (
        "diffusion/ode.py",
        "(velocity + at_end) / 2",
        "at_end",
        SOLVERS + "test_order_of_convergence_on_a_mixture",
    ),
    "a solver forgets its last prediction": (
        "diffusion/solvers.py",
        "before, shrunk_before = x0_hat, shrunk",
        "shrunk_before = shrunk",
        SOLVERS + "test_dpm_solver_equals_diffusers",
    ),
    "velocity towards the data": (
        "diffusion/flow.py",
        "return (eps - x0 - prediction)",
        "return (x0 - eps - prediction)",
        "diffusion/test_flow.py::test_given_noise_is_used",
    ),
    "divergence with the wrong sign": (
        "diffusion/likelihood.py",
        "return log_noise + gained",
        "return log_noise - gained",
        "diffusion/test_likelihood.py::test_gaussian",
    ),
    "jump that is taught by itself": (
        "diffusion/few_step.py",
        "x_s = _ddim_step(teacher, path, x_t, t, s, label)",
        "x_s = _ddim_step(student, path, x_t, t, s, label)",
        "diffusion/test_few_step.py::test_training_turns_a_network_into_a_jump",
    ),
    "U-Net without its skips": (
        "diffusion/unet.py",
        "torch.cat([x, seen.pop()], dim=1)",
        "torch.cat([x, 0 * seen.pop()], dim=1)",
        "diffusion/test_unet.py::test_skips_carry_what_the_small_stages_have_lost",
    ),
    "noise on the last step": (
        "diffusion/samplers.py",
        "if then.sigma > 0:",
        "if True:",
        SAMPLERS + "test_last_step_adds_no_noise",
    ),
    "sign of v": (
        "diffusion/targets.py",
        "alpha * eps - sigma * x0,",
        "alpha * eps + sigma * x0,",
        "diffusion/test_targets.py::test_x0_and_eps_come_back_from_any_target",
    ),
    "one time for the whole batch": (
        "diffusion/losses.py",
        "t = t.to(x0.device)",
        "t = t[:1].expand(len(t))",
        "diffusion/test_losses.py::test_network_sees_times_from_one_step_to_one_and_the_label",
    ),
    "length of the keys forgotten": (
        "diffusion/exact_denoisers.py",
        "torch.cat([self.value, -half_square], dim=1)",
        "torch.cat([self.value, 0 * half_square], dim=1)",
        "diffusion/test_exact_denoisers.py::test_ideal_denoiser_is_bayes",
    ),
    "patches transposed": (
        "transformers/vit.py",
        '"b (i j) (c p q) -> b c (i p) (j q)"',
        '"b (j i) (c p q) -> b c (i p) (j q)"',
        "together/test_dit.py::test_patches_go_back_where_they_came_from",
    ),
    "average turned round": (
        "training/ema.py",
        "weights, 1 - decay)",
        "weights, decay)",
        "training/test_loop.py::test_ema_is_the_average_by_hand",
    ),
    "randomness not restored": (
        "training/resume.py",
        'state["generator"].set_state(content["generator"])',
        "pass",
        "training/test_loop.py::test_a_killed_run_ends_as_if_it_had_never_stopped",
    ),
    "hash not compared": (
        "training/checkpoints.py",
        'if found != card.get("sha256"):',
        "if False:",
        "training/test_checkpoints.py::test_a_spoiled_checkpoint_is_refused",
    ),
    "half a Frechet distance": (
        "evaluation/metrics.py",
        "- 2 * cross)",
        "- cross)",
        "evaluation/test_metrics.py::test_frechet_distance_of_gaussians_is_the_closed_form",
    ),
    "test digits in training": (
        "data/digits.py",
        '{"train": ~is_test,',
        '{"train": is_test | True,',
        "data/test_digits.py::test_split_is_disjoint_complete_and_balanced",
    ),
    "other side leaked": (
        "data/captions.py",
        "min(str(caption.meaning), str(caption.swapped.meaning))",
        "str(caption)",
        "data/test_captions.py::"
        "test_no_unseen_caption_was_seen_from_its_other_side_or_with_colours_exchanged",
    ),
    "any blot a shape": (
        "evaluation/picture_parser.py",
        "if float(e / square[k]) <= SHAPE_LIMIT else UNCLEAR",
        "if True else UNCLEAR",
        "evaluation/test_picture_parser.py::test_a_blot_is_no_shape",
    ),
    "rate without logarithm": (
        "latent/objectives.py",
        "- 1 - log_variance",
        "- 1",
        "latent/test_objectives.py::test_divergence_equals_torchs",
    ),
    "shift and scale swapped": (
        "together/dit.py",
        "shift, scale = self.modulation",
        "scale, shift = self.modulation",
        "together/test_dit.py::test_equals_diffusers_on_copied_weights",
    ),
    "padding read": (
        "together/text_encoder.py",
        "attended = tokens != PADDING",
        "attended = tokens >= PADDING",
        "together/test_text_encoder.py::test_padding_is_never_read_and_the_empty_caption_is_a_vector",
    ),
    "contrast in one direction": (
        "together/contrastive.py",
        "F.cross_entropy(logits.T, own)",
        "F.cross_entropy(logits, own)",
        "together/test_contrastive.py::test_the_loss_is_the_mean_of_both_directions",
    ),
    "maps turned": (
        "together/text_sampling.py",
        ".transpose(-1, -2)  # b layers h m n",
        ".transpose(-1, -2).flip(-1)  # b layers h m n",
        "together/test_text_sampling.py::test_maps_lie_as_the_picture_lies",
    ),
    "noise without its seed": (
        "figures/studio.py",
        "state = (seed + (index + 1)",
        "state = (0 + (index + 1)",
        "figures/test_studio.py::test_noise_is_standard_and_comes_from_its_seed",
    ),
}


def mutant_of(name: str) -> Mutant:
    """The package's module with one bug in it."""
    module, stands, bug, _ = BUGS[name]
    source = (PACKAGE / module).read_text(encoding="utf-8")
    line = source[: source.index(stands)].count("\n") + 1
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    changed = source.replace(stands, bug)
    return Mutant(module, line, range(line, line + 1), stands, bug, changed, digest)


def try_all(workers: int = 2) -> dict[str, list[int]]:
    """Run each bug's test without the bug and with it; {bug: pytest's two exit codes}."""
    preload(sorted({ROOT / "tests" / test.split("::")[0] for *_, test in BUGS.values()}))
    with tempfile.TemporaryDirectory() as folder:

        def work(worker: int, names: list[str]) -> None:
            results = {name: try_one(name) for name in names}
            (Path(folder) / f"{worker}.json").write_text(json.dumps(results), encoding="utf-8")

        share_out(list(BUGS), workers, work)
        parts = [json.loads(path.read_text()) for path in Path(folder).glob("*.json")]
    return {name: codes for part in parts for name, codes in part.items()}


def try_one(name: str) -> list[int]:
    """Run one bug's test without the bug and with it."""
    test = str(ROOT / "tests" / BUGS[name][-1])
    return [
        forked(lambda: run_pytest(test, mutant), cpu_seconds=300)  # noqa: B023
        for mutant in (None, mutant_of(name))
    ]


if __name__ == "__main__":
    print(json.dumps(try_all()))
